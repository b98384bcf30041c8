"""Going back in time with GDB, where an emulator runs from a snapshot to the moment before.

Such a run must be what happened: nothing may come in over the link on the way. So the link's input is held
while the board stands still and is stepped, and a point after which something came in begins a new past.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from emulation.machine import Capabilities


@runtime_checkable
class KeepsPast(Protocol):
    """A machine that GDB can run backwards, if its capabilities have REVERSE."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def mark_past(self) -> None:
        """From now on it can go back to this moment. What comes in over the link waits for open_link(). To be
        called where it stands still. Unsupported."""
        ...

    def open_link(self) -> None:
        """Let in what came over the link. Idempotent."""
        ...

    async def forget_past(self) -> None:
        """Keep no past any longer. Idempotent."""
        ...
