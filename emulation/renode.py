"""Renode as a Machine: to be written."""

from __future__ import annotations

from emulation.errors import Unsupported
from emulation.faults import LinkFaults
from emulation.machine import Machine
from hal.boards import Board


def RenodeMachine(board: Board, *, faults: LinkFaults | None, icount: int | None) -> Machine:
    raise Unsupported("Renode is not supported yet.")
