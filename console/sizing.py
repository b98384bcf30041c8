"""What a module takes on a target, to the byte, before it is launched: asked of the target itself."""

from __future__ import annotations

from collections.abc import Sequence
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
