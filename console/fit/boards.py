"""What a module takes on each board we have a page of, with none of them at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hal.boards import Board, board_names, load_board
from hal.budget import Parts
from hal.errors import BudgetError, ModuleError
from hal.mcu.sizing import isolation_of, room_on, size_for
from hal.target import Budget, Launch


@dataclass(frozen=True, slots=True)
class OnBoard:
    """One board, and what the module takes there; sizes in bytes."""

    board: str
    room: int
    """RAM for executors."""
    parts: Parts | None = None
    """None where it cannot run there at all; `trouble` says why."""
    stack_reckoned: bool = True
    """False where calls go round, so that the stack is a habitual size; --stack or a label says another."""
    at_once: int = 0
    """How many of them run side by side on an empty board."""
    trouble: str = ""


def on_boards(module: bytes) -> Iterator[OnBoard]:
    """Each board in the order of its name, without arguments and budgets; compiles for each, so it blocks.

    ToolchainError. A module that no board takes has its reason at each.
    """
    launch = Launch("size", module, (), Budget())
    for name in board_names():
        yield _on(load_board(name), launch)


def _on(board: Board, launch: Launch) -> OnBoard:
    room = room_on(board)
    try:
        sized = size_for(launch, board, isolation_of(board))
    except (BudgetError, ModuleError) as error:
        return OnBoard(board.name, room, trouble=error.message)
    total = sized.parts.total
    at_once = min(room // total, board.options["slots"])
    lacking = "" if at_once else f"It takes {total - room:,} bytes more than there are for executors."
    return OnBoard(board.name, room, sized.parts, sized.stack_reckoned, at_once, lacking)
