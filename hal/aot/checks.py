"""Modules whose exports the gateway has called while they run.

Nothing of the kernel is needed for it: the module is compiled with another `wait`, which looks whether it is
the gateway that asks (firmware/sdk/executor/checks.h).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hal.aot.binary import Module
from hal.aot.imports import MODULE
from hal.errors import ModuleError

LINE = 10
"""MMA_CHECK_LINE: bytes of linear memory that an answer borrows."""
WAIT = "wait"
_CHECKED = (WAIT, "on_edge", "on_threshold", "on_timer", "on_stop", "on_message", "off")
HOSTS: Mapping[tuple[str, str], str] = {(MODULE, name): f"mma_checked_{name}" for name in _CHECKED}
"""The C functions behind these imports then."""


def exports(module: Module, names: Sequence[str]) -> tuple[int, ...]:
    """The functions behind these exports. ModuleError where one is not there, or could never be called."""
    found = []
    for name in names:
        what = module.exports.get(name)
        if what is None or what[0] != "func":
            raise ModuleError(
                f"The task is to be checked by the module's export {name!r}, which is not there.",
                remedy='Name a function that the module exports: command.value = "healthy", shell = false.',
            )
        signature = module.signature(what[1])
        if signature.parameters or signature.results != ("i32",):
            raise ModuleError(
                f"The task is to be checked by {name}, which is {signature}.",
                remedy="Let it be () -> (i32), which gives 0 when all is well.",
            )
        found.append(what[1])
    if found and not any(one.name == WAIT for one in module.imported):
        raise ModuleError(
            "The task is to be checked, but its module never waits, so that nothing in it can be called.",
            remedy="Let it wait for its rules by mma_serve() or mma_wait().",
        )
    return tuple(found)


def wait_index(module: Module) -> int:
    """The imported function `wait`."""
    return next(index for index, one in enumerate(module.imported) if one.name == WAIT)


def check_function(calls: Sequence[str]) -> str:
    """C text of mma_check: calls export number `which`."""
    cases = " ".join(f"case {number}: return {call};" for number, call in enumerate(calls))
    return f"static HIDDEN u32 mma_check(u32 which) {{ switch (which) {{ {cases} }} return (u32)-1; }}"
