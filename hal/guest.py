"""Makes modules of sources: `.wasm` is taken as is, `.wat`, `.c` and `.zig` are compiled to it.

C is freestanding and sees `mma.h` and clang's own headers; Zig imports `mma`. Their modules declare memory to
the byte (page size 1): static data and a stack of `stack` bytes, below the data so that an overflow traps.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import wasmtime

from hal import toolchain
from hal.errors import ModuleError, ToolchainError
from hal.problems import Problem, errors, listed, parse

STACK = 512
"""Bytes of the C stack in linear memory, unless asked otherwise. Only arrays and variables whose address is
taken live there."""

KINDS = ("wasm", "wat", "c", "zig")


@dataclass(frozen=True, slots=True)
class Built:
    """A module, and what the compiler warned of."""

    module: bytes
    warnings: tuple[Problem, ...] = ()


def build_module(
    source: Path | str | bytes,
    *,
    kind: str | None = None,
    stack: int = STACK,
    flags: tuple[str, ...] = (),
) -> bytes:
    """The module of a source, as build() makes it."""
    return build(source, kind=kind, stack=stack, flags=flags).module


def build(
    source: Path | str | bytes,
    *,
    kind: str | None = None,
    stack: int = STACK,
    flags: tuple[str, ...] = (),
) -> Built:
    """The module of a source: a file, or its contents.

    `kind` is wasm, wat, c or zig; without it the file's suffix or the first bytes tell. `stack` is for C
    and Zig, `flags` are more words for clang. ModuleError if the source is at fault, with the compiler's own
    lines (file:line:column) and its problems; ToolchainError if the compiler is missing or fails; OSError
    if the file can't be read.
    """
    path = source if isinstance(source, Path) else Path(source) if isinstance(source, str) else None
    data = path.read_bytes() if path else source if isinstance(source, bytes) else b""
    if kind is None:
        kind = path.suffix[1:].lower() if path else _kind_of(data)
    if data[:4] == b"\0asm":
        return Built(data)
    if kind == "wasm":
        raise ModuleError(f"{path or 'The module'} is not WebAssembly: it does not begin with \\0asm.")
    if kind == "wat":
        return Built(_from_text(data, path))
    if kind not in ("c", "zig"):
        raise ModuleError(f"{path} is no source of a module.", remedy="Name a .wasm, .wat, .c or .zig file.")
    if not 0 < stack < 1 << 24:
        raise ModuleError(f"A stack of {stack} bytes makes no sense.", remedy="Give some hundred bytes.")
    with tempfile.TemporaryDirectory(prefix="mma-") as name:
        folder = Path(name)
        of_c = kind == "c"
        warnings = _compile_c(data, path, flags, folder) if of_c else _compile_zig(data, path, folder)
        return Built(_link(stack, folder, path), warnings)


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
        place = re.match(r"-->\s*[^:]*:(\d+):(\d+)", lines[1]) if len(lines) > 1 else None
        text = lines[0] if lines else "not a module"
        row, column = map(int, place.groups()) if place else (0, 0)
        problem = Problem(str(path or "module.wat"), row, column, "error", text)
        raise ModuleError(str(problem), problems=(problem,)) from None


def _compile_c(data: bytes, path: Path | None, flags: tuple[str, ...], folder: Path) -> tuple[Problem, ...]:
    """C, by clang. Messages name the file as the caller did."""
    words: list[str | Path] = ["clang", "--target=wasm32", "-std=gnu11", "-O2", "-ffreestanding"]
    words += ["-g"]  # hal.aot carries it on to native code; it takes nothing on the device
    words += ["-fno-unroll-loops"]  # what unrolls best depends on the CPU: left to hal.aot
    words += ["-nostdinc", "-isystem", toolchain.headers(), "-I", toolchain.sdk()]
    words += ["-include", "mma.h"]  # for who forgets it: C's own main would not be the export
    words += ["-I", path.resolve().parent] if path else []
    words += ["-fno-caret-diagnostics", "-fdiagnostics-print-source-range-info"]
    words += ["-Wall", "-Wextra", *flags, "-x", "c", "-c", "-", "-o", folder / "module.o"]
    text = f'#line 1 "{_escape(str(path) if path else "module.c")}"\n' + data.decode("utf-8", "replace")
    return _run(words, text)


def _compile_zig(data: bytes, path: Path | None, folder: Path) -> tuple[Problem, ...]:
    """Zig, by the compiler that clang comes with, in its own cache."""
    if path is None:
        path = folder / "module.zig"
        path.write_bytes(data)
    cache = toolchain.cache_folder() / "zig"
    words: list[str | Path] = ["build-obj", "-target", "wasm32-freestanding", "-OReleaseSmall", "-fno-strip"]
    words += ["--cache-dir", cache, "--global-cache-dir", cache, f"-femit-bin={folder / 'module.o'}"]
    words += ["--dep", "mma", f"-Mroot={path}", f"-Mmma={toolchain.sdk() / 'mma.zig'}"]
    return _run(words, "")


def _link(stack: int, folder: Path, path: Path | None) -> bytes:
    """The one object of the folder as a module."""
    words: list[str | Path] = ["wasm-ld", "--no-entry", "--page-size=1", "--stack-first"]
    words += ["-z", f"stack-size={-(-stack // 16) * 16}", "--export=__heap_base", "--export-if-defined=main"]
    words += [folder / "module.o", "-o", folder / "module.wasm"]
    _run(words, "", str(path or "module.c"))
    return (folder / "module.wasm").read_bytes()


def _run(words: list[str | Path], text: str, path: str = "") -> tuple[Problem, ...]:
    """Run a tool. Its errors are the module's, a linker's without a line in `path`; warnings are returned."""
    result = toolchain.run(words, text=text)
    problems = parse(result.errors)
    if result.ok:
        return problems
    if not errors(problems):
        lines = [line for line in result.errors.splitlines() if "error:" in line]
        texts = (re.sub(r"^(wasm-ld: )?error: (\S*module\.o: )?", "", line) for line in lines)
        problems = tuple(Problem(path or "module", 0, 0, "error", text) for text in texts)
    if not problems:
        raise ToolchainError(f"`zig {words[0]}` failed: {result.errors.strip()[:200] or result.status}.")
    raise ModuleError(listed(problems), problems=problems)


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
