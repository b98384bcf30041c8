"""What is known of sums base + (x << shift), as indices of arrays make them: how many bytes from there on are
in memory.

It is noted with x, by the base and the shift, once such a place was loaded from or stored to. So who goes on
with an index that was looked at, such as that of the larger child in a heap, needs no check any more.
"""

from __future__ import annotations

from collections.abc import Mapping

Reach = Mapping[tuple[int, int, int], int]
"""Bytes by (root of the base, what it is more than that, shift): see hal.aot.ranges.Fact."""

Kept = tuple[tuple[tuple[int, int], int], ...]
"""The same for a loop's head, by (local that is the base, shift), sorted. The loop changes no base."""

NOTHING: Reach = {}
MOST = 16
"""Bases that are noted of one value."""


def both(a: Reach, b: Reach) -> Reach:
    """What is true of either."""
    if a is b or not a:
        return a
    return {key: min(size, b[key]) for key, size in a.items() if key in b}


def kept_both(a: Kept, b: Kept) -> Kept:
    """The same for what is kept."""
    other = dict(b)
    return tuple((key, min(size, other[key])) for key, size in a if key in other)


def lasting(a: Kept, b: Kept) -> Kept:
    """What of `a` `b` did not make less."""
    other = dict(b)
    return tuple((key, size) for key, size in a if other.get(key, 0) >= size)


def grown(reach: Reach, key: tuple[int, int, int], size: int) -> Reach:
    """With one more, if there is room."""
    if size <= reach.get(key, 0) or (key not in reach and len(reach) >= MOST):
        return reach
    return {**reach, key: size}
