"""Places a compiled module at the very addresses of its slot, and makes the upload of docs/link.md of it."""

from __future__ import annotations

import hashlib
import re
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hal import toolchain
from hal.aot.model import MODULE, Image, Layout, Object
from hal.aot.runtime import builtins, keep, runtime
from hal.errors import BudgetError, ToolchainError

SCRIPT = """\
ENTRY(mma_start)
mma_memory = {memory:#x};
mma_initial_bytes = {initial:#x};
mma_linear_bytes = {linear:#x};
mma_stack_limit = {stack_limit:#x};
SECTIONS {{
  .code {code:#x} : {{
    *(.text.mma_start) KEEP(*(.text.mma_export_*)) *(.text .text.*) *(.rodata .rodata.*)
    . = ALIGN(4);
    mma_arguments = .;
  }}
  .instance {instance:#x} : {{ *(.data .data.*) *(.bss .bss.* COMMON) }}
  /DISCARD/ : {{ *(.ARM.exidx*) *(.ARM.extab*) *(.eh_frame*) *(.note*) *(.comment) *(.llvm_addrsig) }}
}}
"""

QUIET = 12
"""Runs of zero bytes longer than this are left out of the upload: a record's head costs 8."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a link measured, in bytes, and whether it needed the compiler's builtins."""

    code: int
    instance: int
    builtins: bool


def measure(object_: Object, layout: Layout) -> Sizes:
    """Link only to learn the sizes."""
    with tempfile.TemporaryDirectory(prefix="mma-") as folder:
        with_builtins = _link(object_, layout, Path(folder), 1 << 20)
        with (Path(folder) / "module.elf").open("rb") as file:
            elf = ELFFile(file)
            sizes = {section.name: section["sh_size"] for section in elf.iter_sections()}
    return Sizes(sizes.get(".code", 0), sizes.get(".instance", 0), with_builtins)


def link(object_: Object, layout: Layout, arguments: Sequence[str] = ()) -> Image:
    """The image of a compiled module for a slot. BudgetError if a part is too small for it."""
    linear = (layout.memory_bytes - object_.instance_bytes) & ~7
    _require("memory", object_.least_memory, linear, "its data and stack")
    tail = object_.encode_arguments(arguments) if object_.takes_arguments else b""
    code_bytes = object_.code_bytes + len(tail) + object_.rules_bytes
    _require("code", code_bytes, layout.code_bytes, "its code")
    if object_.machine.stack_check:
        _require("stack", object_.stack_margin + 32, layout.stack_bytes, "calls and interrupts")
    place = f"{object_.digest}{layout}"
    name = f"link-{hashlib.sha256(place.encode()).hexdigest()[:40]}"

    def build(folder: Path) -> None:
        _link(object_, layout, folder, linear)

    elf = keep(name, build) / "module.elf"
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        code = parsed.get_section_by_name(".code")
        instance = parsed.get_section_by_name(".instance")
        text = code.data() if code else b""
        if len(text) > object_.code_bytes:
            raise ToolchainError(f"The code grew from {object_.code_bytes} to {len(text)} bytes when placed.")
        parts = [(layout.code, text + tail if tail else text)]
        if instance is not None and instance["sh_size"]:
            parts.append((instance["sh_addr"], instance.data()))
        parts += [(layout.memory + offset, data) for offset, data in object_.segments]
        symbols = tuple(sorted(_functions(parsed, object_)))
        entry = parsed.header["e_entry"]
    stream = b"".join(_records(parts))
    module = object_.path.with_name(MODULE)
    return Image(
        stream=stream,
        digest=hashlib.sha256(stream).digest(),
        entry=entry,
        initial_memory=min(object_.declared_memory, linear),
        linear_memory=linear,
        elf=elf,
        functions=object_.functions,
        symbols=symbols,
        module=module if module.is_file() else None,
    )


def _require(where: str, need: int, have: int, what: str) -> None:
    if need > have:
        raise BudgetError(
            f"The executor's {where} needs {need} bytes for {what} and has {max(have, 0)}.",
            missing=need - have,
            where=where,
            remedy=f"Give the task {need - have} bytes more.",
        )


def _link(object_: Object, layout: Layout, folder: Path, linear: int) -> bool:
    """Run lld in a folder; answers whether builtins were needed."""
    script = SCRIPT.format(
        code=layout.code,
        memory=layout.memory,
        initial=min(object_.declared_memory, linear) if object_.code_bytes else 0x12345678,
        linear=linear,
        stack_limit=layout.stack + object_.stack_margin,
        instance=layout.memory + linear,
    )
    (folder / "module.ld").write_text(script)
    words: list[str | Path] = [
        "ld.lld",
        "-T",
        "module.ld",
        "-o",
        "module.elf",
        "--gc-sections",
        "-z",
        "noexecstack",
    ]
    words += [object_.path, *runtime(object_.machine).objects]
    if object_.machine.target.startswith("x86_64"):
        words += [f"--undefined={name}" for name in ("mma_enter", "mma_host", "mma_status")]  # for tests
    result = toolchain.run(words, folder=folder)
    if result.ok:
        return False
    missing = re.findall(r"undefined symbol: (\S+)", result.errors)
    if not missing:
        raise ToolchainError(f"The linker failed: {result.errors.strip().splitlines()[:3]}.")
    toolchain.must([*words, builtins(object_.machine)], folder=folder)
    return True


def _functions(elf: ELFFile, object_: Object) -> Iterator[tuple[int, int, str, int | None]]:
    """Functions of the ELF by address, under their WebAssembly names."""
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            if symbol["st_info"]["type"] != "STT_FUNC" or not symbol["st_size"]:
                continue
            number = re.match(r"f(\d+)_", symbol.name)
            index = int(number[1]) if number else None
            name = object_.functions[index] if index is not None else symbol.name
            yield symbol["st_value"] & ~1, symbol["st_size"], name, index


def _records(parts: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """Records of the stream: what is not zero, in parts cut at long runs of zeros."""
    for address, data in parts:
        for found in re.finditer(rb"(?s)(?:(?!\0{%d}).)+" % QUIET, data):
            piece = found[0].rstrip(b"\0")
            zeros = (len(piece) - len(piece.lstrip(b"\0"))) & ~3
            start, piece = found.start() + zeros, piece[zeros:]
            if piece:
                yield struct.pack("<II", address + start, len(piece)) + piece
