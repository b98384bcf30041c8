"""Judges a module before anything else sees it, in wasmtime's words."""

from __future__ import annotations

from functools import cache

import wasmtime

from hal.aot import imports
from hal.aot.binary import read
from hal.aot.limits import MOST_BYTES
from hal.errors import ModuleError


@cache
def engine() -> wasmtime.Engine:
    """An engine that knows the proposals which targets have, and no others.

    They are WebAssembly 2.0 without SIMD, with extended constants and custom page sizes.
    """
    config = wasmtime.Config()
    config.wasm_custom_page_sizes = True
    for name in (
        "wasm_simd",
        "wasm_relaxed_simd",
        "wasm_threads",
        "wasm_memory64",
        "wasm_multi_memory",
        "wasm_tail_call",
        "wasm_gc",
        "wasm_function_references",
        "wasm_exceptions",
        "wasm_wide_arithmetic",
        "wasm_stack_switching",
    ):
        setattr(config, name, False)
    return wasmtime.Engine(config)


def validate_core(module: bytes) -> None:
    """ModuleError unless it is a valid module of the features that targets have."""
    if len(module) > MOST_BYTES:
        raise ModuleError(f"The module has {len(module)} bytes; targets take at most {MOST_BYTES}.")
    if module[:4] != b"\0asm":
        raise ModuleError("This is not a WebAssembly module: it does not begin with \\0asm.")
    try:
        wasmtime.Module.validate(engine(), module)
    except wasmtime.WasmtimeError as error:
        words = " ".join(str(error).split())
        raise ModuleError(f"The module is not valid: {words}.", remedy=_remedy(words)) from None


def validate(module: bytes) -> None:
    """ModuleError unless targets can run it: it is valid, imports only what they provide, and exports an
    entry. The message has the validator's words or names the import."""
    validate_core(module)
    parsed = read(module)
    imports.check_imports(parsed)
    imports.entry(parsed)


def _remedy(words: str) -> str:
    """What to do where a proposal is off."""
    if "not enabled" in words or "not supported" in words or "disabled" in words:
        return "Compile it without that feature; clang's -mcpu=mvp leaves out all."
    return ""
