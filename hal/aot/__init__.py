"""The ahead-of-time compiler: WebAssembly to native code for the very addresses of a slot.

    validate(module)                     ModuleError in the validator's words, or what no target has
    object = compile(module, board)      cached by content; sizes to ask the device for
    object = compile_apart(module, board)     both; what is large in a process of its own
    image = link(object, layout, arguments)   records to upload, entry, symbols

The way: `binary` reads the module, `translate` and `function` write C, `toolchain` compiles it with the
clang of the ziglang wheel, `linker` places it. No step keeps state but the cache in the user's cache
directory. All calls block for some 10 to 100 ms; asyncio callers use `await beside(call, ...)`.
"""

from __future__ import annotations

from hal.aot.apart import beside, compile_apart
from hal.aot.compiler import compile_module as compile  # noqa: A004
from hal.aot.linker import link
from hal.aot.model import Image, Layout, Machine, Object, Symbol
from hal.aot.validate import validate

__all__ = [
    "Image",
    "Layout",
    "Machine",
    "Object",
    "Symbol",
    "beside",
    "compile",
    "compile_apart",
    "link",
    "validate",
]
