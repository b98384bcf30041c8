"""What guests may import: the module `mma`, documented for guests in firmware/sdk/mma.h."""

from __future__ import annotations

from hal.aot.binary import Module, Signature
from hal.errors import ModuleError

MODULE = "mma"

FUNCTIONS: dict[str, Signature] = {
    "log": Signature(("i32", "i32"), ("i32",)),
    "result": Signature(("i32", "i32"), ("i32",)),
    "arg_count": Signature((), ("i32",)),
    "arg": Signature(("i32", "i32", "i32"), ("i32",)),
    "sleep_us": Signature(("i64",), ()),
    "time_us": Signature((), ("i64",)),
    "yield": Signature((), ()),
    "exit": Signature(("i32",), ()),
    "sensor_read": Signature(("i32", "i32", "i32"), ("i32",)),
    "gpio_mode": Signature(("i32", "i32"), ("i32",)),
    "gpio_write": Signature(("i32", "i32"), ("i32",)),
    "gpio_read": Signature(("i32",), ("i32",)),
    "pwm": Signature(("i32", "i32", "i32"), ("i32",)),
    "on_edge": Signature(("i32", "i32", "i32"), ("i32",)),
    "on_threshold": Signature(("i32", "i32"), ("i32",)),
    "on_timer": Signature(("i64", "i32"), ("i32",)),
    "on_stop": Signature(("i32",), ("i32",)),
    "on_message": Signature(("i32", "i32", "i32"), ("i32",)),
    "off": Signature(("i32",), ("i32",)),
    "wait": Signature((), ("i64",)),
}

RULES = 8
"""Rules of an executor whose module imports one of RULED."""

RULED = frozenset({"pwm", "on_edge", "on_threshold", "on_timer", "on_stop", "on_message"})
"""Functions that take a rule each."""

ENTRIES = ("main", "_start")
"""Exported functions that a target starts, the first one found: () -> i32 or () -> ()."""


def check_imports(module: Module) -> None:
    """ModuleError unless targets provide all that the module imports, with these types."""
    for one in module.imports:
        if one.module == MODULE and one.what == "func" and one.name in FUNCTIONS:
            wanted, given = module.types[one.type], FUNCTIONS[one.name]
            if wanted != given:
                raise ModuleError(
                    f"The module imports {one.module}.{one.name} as {wanted}; targets provide it as {given}.",
                    remedy="Include mma.h.",
                )
            continue
        remedy = f"Targets provide {', '.join(f'{MODULE}.{name}' for name in FUNCTIONS)}."
        if one.module.startswith("wasi"):
            remedy = "Build it freestanding (no WASI); mma.h has what targets provide."
        kind = "" if one.what == "func" else f" the {one.what}"
        raise ModuleError(
            f"The module imports{kind} {one.module}.{one.name}, which no target has.", remedy=remedy
        )


def rules(module: Module) -> int:
    """How many rules a module gets."""
    return RULES if RULED & {one.name for one in module.imported} else 0


def entry(module: Module) -> int:
    """Index of the function that a target starts. ModuleError if there is none."""
    for name in ENTRIES:
        what = module.exports.get(name)
        if what is None:
            continue
        if what[0] != "func":
            raise ModuleError(f"The module exports {name}, but as a {what[0]}.", remedy="Make it a function.")
        signature = module.signature(what[1])
        if signature.parameters or signature.results not in ((), ("i32",)):
            raise ModuleError(
                f"The module's {name} is {signature}; a target starts () -> (i32) or () -> ().",
                remedy="Read arguments with mma_arg() instead.",
            )
        return what[1]
    raise ModuleError(
        "The module exports no main.", remedy="Export a function `main`, () -> (i32) or () -> ()."
    )
