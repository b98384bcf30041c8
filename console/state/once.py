"""What is reckoned from parts of a state, once for as long as those parts are the same objects.

A state is never changed, a new one shares what did not change with the one before; so the identity of a part
tells whether what was made of it still holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Once(Generic[P, T]):
    """A function of immutable facts that remembers its last answer, and the facts that it was for."""

    def __init__(self, function: Callable[P, T]) -> None:
        self._function = function
        self._last: tuple[tuple[object, ...], T] | None = None
        self.__doc__ = function.__doc__

    def __call__(self, *facts: P.args, **_: P.kwargs) -> T:
        """What the function says of these facts."""
        last = self._last
        if last is not None and all(one is other for one, other in zip(last[0], facts, strict=True)):
            return last[1]
        found = self._function(*facts)  # type: ignore[call-arg]
        self._last = (facts, found)
        return found
