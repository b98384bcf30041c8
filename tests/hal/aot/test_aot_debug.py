"""Debug information of a module, carried on to its native code without changing that code."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from hal import aot, toolchain
from hal.aot import Image, Layout, debug, link
from hal.aot.annotate import Mark
from hal.aot.binary import read
from hal.boards import load_board
from hal.errors import ModuleError
from hal.guest import build_module

EXAMPLES = toolchain.sdk() / "examples"
FIB = EXAMPLES / "fib.c"


def image(module: bytes) -> Image:
    """Linked somewhere in the stm32f4's RAM."""
    made = aot.compile(module, load_board("stm32f4"))
    part = made.memory_part(made.wanted_memory)
    return link(made, Layout(0x20001000, made.code_bytes + 64, 0x20004000, 2048, 0x20005000, part), ["20"])


def line_of(path: Path, text: str) -> int:
    """The number of the first line that holds a text."""
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def without_debug(module: bytes) -> bytes:
    """The same module, its custom sections of DWARF left out."""
    out, place = bytearray(module[:8]), 8
    while place < len(module):
        begin, kind, place = place, module[place], place + 1
        size = shift = 0
        while True:
            byte = module[place]
            size, shift, place = size | (byte & 0x7F) << shift, shift + 7, place + 1
            if byte < 0x80:
                break
        if kind != 0 or b".debug_" not in module[place : place + 16]:
            out += module[begin : place + size]
        place += size
    return bytes(out)


@pytest.mark.parametrize("name", ["crc32", "filter", "fib"])
def test_the_image_is_the_same_to_the_byte(name: str) -> None:
    """With debug information and without."""
    module = build_module(EXAMPLES / f"{name}.c")
    plain = without_debug(module)
    assert len(plain) < len(module)
    assert image(module).stream == image(plain).stream


def test_lines_and_variables_are_read() -> None:
    """By places in the module: fib's parameter, its line, its file."""
    module = read(build_module(FIB))
    info = debug.read(module.customs, module.code_start)
    assert info is not None
    index = next(i for i, name in module.names.items() if name == "fib")
    place = module.codes[index - len(module.imported)].start
    function = info.function(place)
    assert function is not None
    assert (function.name, Path(function.file), function.line) == (
        "fib",
        FIB,
        line_of(FIB, "fib(uint32_t n)"),
    )
    assert [(one.name, one.type.text, one.parameter) for one in function.variables] == [
        ("n", "uint32_t", True)
    ]
    assert info.line(place) == (str(FIB), function.line)
    assert info.line(8) is None


@pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="needs gdb-multiarch")
def test_gdb_sees_the_source() -> None:
    """Functions and types by their own names, lines of the source, and where a parameter is."""
    names = read(build_module(FIB)).names
    name = next(f"f{index}_fib" for index, name in names.items() if name == "fib")
    words = ["-ex", f"info line {name}", "-ex", f"info scope {name}", "-ex", f"ptype {name}"]
    command = ["gdb-multiarch", "-nx", "-batch", *words, str(image(build_module(FIB)).elf)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f'Line {line_of(FIB, "fib(uint32_t n)")} of "{FIB}" starts at address' in text
    assert "Symbol n is multi-location" in text
    assert "a variable in $r0" in text
    assert "u32 (uint32_t)" in text.replace("unsigned int", "u32")


def test_damaged_debug_information_changes_nothing() -> None:
    """Whatever it says: the image is the same, and nothing fails."""
    module = build_module(FIB)
    wanted = image(module).stream
    begin = module.index(b".debug_abbrev") - 200
    for seed in range(12):
        chance = random.Random(seed)
        data = bytearray(module)
        start, end = len(without_debug(module)), len(module)
        for _ in range(1 + seed * 8):
            data[chance.randrange(max(start, begin), end)] ^= 1 << chance.randrange(8)
        try:
            aot.validate(bytes(data))
        except ModuleError:  # it broke the section's own head: no module any more
            continue
        assert image(bytes(data)).stream == wanted


@pytest.mark.parametrize(("line", "told"), [(0, 1), (-7, 1), (12, 12), (1 << 40, (1 << 31) - 1)])
def test_lines_are_what_c_takes(line: int, told: int) -> None:
    assert Mark('"a.c"', line).c == f'#line {told} "a.c"'


def test_names_cannot_become_code() -> None:
    """What a file is called stays within its string literal."""
    assert debug.quoted('a"b\\c\n#define x ??/') == '"a\\"b\\\\c#define x \\?\\?/"'
    assert debug.plain("a; b*") == "a__b_"
