"""mma-console: the application. Composition and bindings only; screens draw, `console.feed` works."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from textual.app import App

from console.backend import BackendFactory


class ConsoleApp(App[None]):
    """The terminal IDE over one session.

    `backend` opens the session once the first frame is on the screen. `targets` are the names that will
    come up, so that they are shown from the start. `keymap` gives actions other keys, by their ids.
    """

    def __init__(
        self,
        backend: BackendFactory,
        *,
        targets: Sequence[str] = (),
        keymap: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._backend_factory = backend
        self._target_names = tuple(targets)
        self._overrides = dict(keymap or {})
        self._clock = clock
