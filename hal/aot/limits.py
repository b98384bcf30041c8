"""How much of what a module may have: so that a small upload can't cost the gateway much time or memory.

Devices have far less room than what these allow. The worst modules within them take the translator seconds
and some 200 MB; clang and lld have limits of their own (hal.toolchain).
"""

from __future__ import annotations

import time

MOST_BYTES = 4 << 20
"""The module."""
MOST_CODE = 256 << 10
"""Its code section."""
MOST_ITEMS = 10_000
"""Each section: types, imports, functions, globals, exports, segments."""
MOST_LOCALS = 50_000
"""All its functions' locals together; a few bytes declare any number of them."""
MOST_ELEMENTS = 65_536
"""A table, and all element segments together."""
MOST_DATA = 1 << 20
"""All data segments together."""
MOST_DEBUG = 1 << 20
"""Debug information. Where there is more it is left out, and the module is taken all the same."""
PATIENCE = 20.0
"""Seconds that reading debug information may take: a few bytes of it can stand for any amount of work."""


class Patience:
    """Time for what is only a help."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """TimeoutError once it is over."""
        if time.monotonic() > self._end:
            raise TimeoutError("it takes too long")
