"""What a module takes on a kind of board, to the byte, with no device at hand: for offers of others' agents.

A device tells its alignment itself (docs/link.md, key 15 of D); here it comes from what keeps executors in
their slots there: firmware/arch/*/context.h, MMA_ALIGN.
"""

from __future__ import annotations

from hal import aot
from hal.boards import Board
from hal.budget import Parts, split
from hal.mcu.launch import ROOMY, needs_of
from hal.target import Launch

_ALIGNMENTS = {"mpu": 32, "pmp": 16, "none": 8}


def size_for(launch: Launch, board: Board, isolation: str) -> Parts:
    """The parts of an executor on a board whose attribute `isolation` says so. Blocks; for a thread.

    ModuleError, ToolchainError, BudgetError as a launch would raise them.
    """
    compiled = aot.compile_apart(launch.module, board)
    arena = board.ram.size - board.ram_budget
    needs = needs_of(compiled, launch, roomy=arena >= ROOMY, alignment=_ALIGNMENTS.get(isolation, 32))
    return split(launch.budget, needs)
