"""What a module takes on a target, to the byte, before it is launched: asked of the target itself, or, of one
that another process has, reckoned from what its agent tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from hal.budget import Parts
from hal.errors import HalError
from hal.target import Budget, Grants, Launch, Target


@runtime_checkable
class Sizes(Protocol):
    """A target that can tell."""

    async def size(self, launch: Launch) -> Parts:
        """What a launch would take. BudgetError where it does not fit."""
        ...


async def size_on(
    target: Target, module: bytes, arguments: Sequence[str], budget: Budget, grants: Grants | None = None
) -> Parts:
    """The parts of an executor on an open target. ModuleError, ToolchainError, BudgetError."""
    if not isinstance(target, Sizes):
        raise HalError(f"{target.name} does not tell what a module takes.")
    return await target.size(Launch("size", module, tuple(arguments), budget, grants or Grants()))


async def size_by(
    attributes: Mapping[str, str], module: bytes, arguments: Sequence[str], budget: Budget
) -> Parts:
    """The parts of an executor on a target with these Mesos attributes. ModuleError, ToolchainError,
    BudgetError; HalError for an agent that is none of ours."""
    board = attributes.get("board", "")
    launch = Launch("size", module, tuple(arguments), budget)
    if board == "host":
        from hal.host import HostTarget

        return await HostTarget("host").size(launch)
    if not board:
        raise HalError("Its agent does not say what board it is.")
    from hal.boards import load_board
    from hal.mcu.sizing import size_for

    page = load_board(board)
    return (await asyncio.to_thread(size_for, launch, page, attributes.get("isolation", ""))).parts
