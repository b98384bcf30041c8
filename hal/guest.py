"""Makes modules: sources of executors to WebAssembly. `.wasm` is taken as is, `.wat` and `.c` are compiled.

C is freestanding and sees `mma.h` and clang's own headers. Its module declares memory to the byte (page
size 1): its static data and a stack of `stack` bytes, which lies below the data so that an overflow traps.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import wasmtime

from hal import toolchain
from hal.errors import ModuleError, ToolchainError

STACK = 512
"""Bytes of the C stack in linear memory, unless asked otherwise. Only arrays and variables whose address is
taken live there."""

KINDS = ("wasm", "wat", "c")


def build_module(
    source: Path | str | bytes,
    *,
    kind: str | None = None,
    stack: int = STACK,
    flags: tuple[str, ...] = (),
) -> bytes:
    """The module of a source: a file, or its contents.

    `kind` is wasm, wat or c; without it the file's suffix or the first bytes tell. `stack` and `flags` (more
    words for clang) are for C only. ModuleError if the source is at fault, with the compiler's own lines
    (file:line:column); ToolchainError if the compiler is missing or fails; OSError if the file can't be read.
    """
    path = source if isinstance(source, Path) else Path(source) if isinstance(source, str) else None
    data = path.read_bytes() if path else source if isinstance(source, bytes) else b""
    if kind is None:
        kind = path.suffix[1:].lower() if path else _kind_of(data)
    if data[:4] == b"\0asm":
        return data
    if kind == "wasm":
        raise ModuleError(f"{path or 'The module'} is not WebAssembly: it does not begin with \\0asm.")
    if kind == "wat":
        return _from_text(data, path)
    if kind == "c":
        return _from_c(data, path, stack, flags)
    raise ModuleError(f"{path} is no source of a module.", remedy="Name a .wasm, .wat or .c file.")


def _kind_of(data: bytes) -> str:
    """What contents without a name are."""
    if data[:4] == b"\0asm":
        return "wasm"
    text = re.sub(rb"\(;.*?;\)|;;[^\n]*", b"", data, flags=re.DOTALL)
    return "wat" if text.lstrip().startswith(b"(") else "c"


def _from_text(data: bytes, path: Path | None) -> bytes:
    """WebAssembly text, by wasmtime's own assembler."""
    try:
        return bytes(wasmtime.wat2wasm(data))
    except UnicodeDecodeError:
        raise ModuleError(f"{path or 'The module'} is not UTF-8 text.") from None
    except wasmtime.WasmtimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        place = re.match(r"-->\s*[^:]*:(\d+:\d+)", lines[1]) if len(lines) > 1 else None
        where = f"{path.name if path else 'module.wat'}:{place[1]}" if place else str(path or "module.wat")
        raise ModuleError(f"{where}: {lines[0] if lines else 'not a module'}") from None


def _from_c(data: bytes, path: Path | None, stack: int, flags: tuple[str, ...]) -> bytes:
    """C, by clang and wasm-ld. Messages name the file as the caller did."""
    if not 0 < stack < 1 << 24:
        raise ModuleError(f"A stack of {stack} bytes makes no sense.", remedy="Give some hundred bytes.")
    shown = str(path) if path else "module.c"
    with tempfile.TemporaryDirectory(prefix="mma-") as name:
        folder = Path(name)
        compile_words: list[str | Path] = ["clang", "--target=wasm32", "-std=gnu11", "-O2", "-ffreestanding"]
        compile_words += ["-g"]  # hal.aot carries it on to native code; it takes nothing on the device
        compile_words += ["-fno-unroll-loops"]  # what unrolls best depends on the CPU: left to hal.aot
        compile_words += ["-nostdinc", "-isystem", toolchain.headers(), "-I", toolchain.sdk()]
        compile_words += ["-I", path.resolve().parent] if path else []
        compile_words += ["-Wall", "-Wextra", *flags, "-x", "c", "-c", "-", "-o", folder / "module.o"]
        text = f'#line 1 "{_escape(shown)}"\n' + data.decode("utf-8", "replace")
        _run(compile_words, text)
        link_words: list[str | Path] = ["wasm-ld", "--no-entry", "--page-size=1", "--stack-first"]
        link_words += ["-z", f"stack-size={-(-stack // 16) * 16}", "--export=__heap_base"]
        link_words += [folder / "module.o", "-o", folder / "module.wasm"]
        _run(link_words, "")
        return (folder / "module.wasm").read_bytes()


def _run(words: list[str | Path], text: str) -> None:
    """Run a tool; its errors are the module's."""
    result = toolchain.run(words, text=text)
    if result.ok:
        return
    lines = [line for line in result.errors.splitlines() if "error:" in line]
    lines = [re.sub(r"^wasm-ld: error: \S*module\.o: ", "", line) for line in lines]
    if not lines:
        raise ToolchainError(f"`zig {words[0]}` failed: {result.errors.strip()[:200] or result.status}.")
    shown = lines[:5] + ([f"... and {len(lines) - 5} more errors"] if len(lines) > 5 else [])
    raise ModuleError("\n".join(shown))


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
