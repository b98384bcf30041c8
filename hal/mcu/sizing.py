"""What a module takes on a kind of board, to the byte, with no device at hand: for offers of others' agents.

A device tells its alignment itself (docs/link.md, key 15 of D); here it comes from what keeps executors in
their slots there: firmware/arch/*/context.h, MMA_ALIGN.
"""

from __future__ import annotations

from dataclasses import dataclass

from hal import aot
from hal.boards import Board
from hal.budget import Parts, split
from hal.mcu.launch import ROOMY, needs_of
from hal.target import Launch

_ALIGNMENTS = {"mpu": 32, "pmp": 16, "none": 8}
_UNPROTECTED = ("armv6-m",)
"""ISAs of ours without memory protection."""


def isolation_of(board: Board) -> str:
    """What keeps executors in their slots on a board, as its kernel tells it: `mpu`, `pmp` or `none`."""
    if board.isa in _UNPROTECTED:
        return "none"
    return "pmp" if board.arch == "riscv" else "mpu"


def room_on(board: Board) -> int:
    """Bytes of RAM that the board's kernel surely leaves to executors: its link may leave some more."""
    return board.ram.size - board.ram_budget


@dataclass(frozen=True, slots=True)
class Sized:
    """What an executor takes."""

    parts: Parts
    stack_reckoned: bool
    """The deepest stack is known; else its calls go round, and the size is a habitual one."""


def size_for(launch: Launch, board: Board, isolation: str) -> Sized:
    """The parts of an executor on a board whose attribute `isolation` says so. Blocks; for a thread.

    ModuleError, ToolchainError, BudgetError as a launch would raise them.
    """
    compiled = aot.compile_apart(launch.module, board)
    needs = needs_of(
        compiled, launch, roomy=room_on(board) >= ROOMY, alignment=_ALIGNMENTS.get(isolation, 32)
    )
    return Sized(split(launch.budget, needs), compiled.stack_bytes is not None)
