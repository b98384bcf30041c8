"""What guests may import: the module `mma`, documented for guests in firmware/sdk/mma.h, and WASI's."""

from __future__ import annotations

from hal.aot import wasi
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

GUARDED = {
    "gpio": frozenset({"gpio_mode", "gpio_write", "gpio_read", "pwm", "on_edge"}),
    "sensors": frozenset({"sensor_read", "on_threshold"}),
}
"""Functions that answer MMA_ERR_DENIED for pins and sensors that the task's resource of that name lacks."""

ENTRIES = ("main", "_start")
"""Exported functions that a target starts, the first one found: () -> i32 or () -> ()."""

_PROVIDED = {
    **{(MODULE, name): signature for name, signature in FUNCTIONS.items()},
    **{(wasi.MODULE, name): signature for name, signature in wasi.FUNCTIONS.items()},
}


def check_imports(module: Module) -> None:
    """ModuleError unless targets provide all that the module imports, with these types."""
    for one in module.imports:
        given = _PROVIDED.get((one.module, one.name)) if one.what == "func" else None
        if given is not None:
            wanted = module.types[one.type]
            if wanted != given:
                raise ModuleError(
                    f"The module imports {one.module}.{one.name} as {wanted}; targets provide it as {given}.",
                    remedy="Include mma.h." if one.module == MODULE else "",
                )
            continue
        remedy = f"Targets provide {', '.join(f'{MODULE}.{name}' for name in FUNCTIONS)}."
        if one.module.startswith("wasi"):
            remedy = f"Of WASI, targets provide preview 1, the module {wasi.MODULE}."
        kind = "" if one.what == "func" else f" the {one.what}"
        raise ModuleError(
            f"The module imports{kind} {one.module}.{one.name}, which no target has.", remedy=remedy
        )


def rules(module: Module) -> int:
    """How many rules a module gets."""
    return RULES if RULED & {one.name for one in module.imported} else 0


def guarded(module: Module) -> dict[str, tuple[str, ...]]:
    """The resources (`gpio`, `sensors`) that a module's calls need, each with those calls, sorted."""
    names = {one.name for one in module.imported if one.module == MODULE}
    return {resource: tuple(sorted(calls & names)) for resource, calls in GUARDED.items() if calls & names}


def entry_name(module: Module) -> str | None:
    """The export that a target starts; with WASI it is `_start`, which sets the library up."""
    names = reversed(ENTRIES) if wasi.used(module) else ENTRIES
    return next((name for name in names if name in module.exports), None)


def entry(module: Module) -> int:
    """Index of the function that a target starts. ModuleError if there is none."""
    name = entry_name(module)
    if name is None:
        raise ModuleError(
            "The module exports no main.", remedy="Export a function `main`, () -> (i32) or () -> ()."
        )
    kind, index = module.exports[name]
    if kind != "func":
        raise ModuleError(f"The module exports {name}, but as a {kind}.", remedy="Make it a function.")
    signature = module.signature(index)
    if signature.parameters or signature.results not in ((), ("i32",)):
        raise ModuleError(
            f"The module's {name} is {signature}; a target starts () -> (i32) or () -> ().",
            remedy="Read arguments with mma_arg() instead.",
        )
    return index
