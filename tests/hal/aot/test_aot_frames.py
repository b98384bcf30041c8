"""From native addresses back to the module: functions, also inlined ones, and source lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_aot_compiler import CORTEX_M4, MACHINES, layout_for
from wasmtime import wat2wasm

from hal.aot import Machine, link
from hal.aot.binary import read
from hal.aot.compiler import compile_for
from hal.aot.frames import Frame, Frames
from hal.aot.instructions import decode
from hal.aot.lines import Lines, Spot, read_lines
from hal.guest import build_module

SOURCE = b"""#include "mma.h"

__attribute__((noinline)) static int share(int cake, int guests) {
    return cake / guests;
}

int main(void) {
    mma_log_text("sharing");
    return share(12, mma_arg_i32(0, 0));
}
"""
FLAGS = ((), ("-g",), ("-g", "-gdwarf-5"), ("-gline-tables-only", "-gdwarf-5"))


def frames_of(module: bytes, machine: Machine, what: int) -> list[list[Frame]]:
    """The chains at every instruction that traps so (svc #0x80 + what, of Thumb)."""
    one = compile_for(module, machine)
    image = link(one, layout_for(one, one.wanted_memory, ("7",)), ("7",))
    frames = Frames(image.elf, one.functions)
    code = image.stream[8:]
    start = int.from_bytes(image.stream[:4], "little")
    places = [at for at in range(0, one.code_bytes, 2) if code[at : at + 2] == bytes([0x80 + what, 0xDF])]
    return [frames.at(start + at) for at in places]


@pytest.mark.parametrize("flags", FLAGS)
def test_lines_of_a_module(flags: tuple[str, ...]) -> None:
    module = build_module(SOURCE, kind="c", flags=flags)
    parsed, lines = read(module), read_lines(module)
    assert list(lines.starts) == sorted(lines.starts)
    for index, code in enumerate(parsed.codes, len(parsed.imported)):
        spots = {str(lines.at(one.place)) for one in decode(parsed, code)}
        if parsed.function_name(index) == "share":
            assert spots <= {"module.c:3", "module.c:4"}
            assert "module.c:4" in spots
    assert lines.at(0) is None


def test_dwarf_that_makes_no_sense_stops_nobody() -> None:
    module = build_module(SOURCE, kind="c")
    assert read_lines(module).starts
    at = module.index(b".debug_line") + len(b".debug_line")
    for place in (at, at + 4, at + 10, at + 40):
        damaged = module[:place] + b"\xff\xfe\xfd\xfc" + module[place + 4 :]
        assert isinstance(read_lines(damaged), Lines)
        compile_for(damaged, CORTEX_M4)
    assert read_lines(wat2wasm("(module)")) == Lines()


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m0"])
def test_a_trap_leads_to_its_source_line(name: str) -> None:
    chains = frames_of(build_module(SOURCE, kind="c"), MACHINES[name], 3)
    assert [str(frame) for frame in chains[0]] == ["share (module.c:4)", "main (module.c:9)"]


def test_what_was_inlined_is_in_the_chain() -> None:
    module = bytes(
        wat2wasm(
            """(module
      (func $inner (param i32) (result i32) (i32.div_u (i32.const 12) (local.get 0)))
      (func $outer (param i32) (result i32) (call $inner (local.get 0)))
      (func (export "main") (result i32) (call $outer (i32.load (i32.const 0))))
      (memory 1))"""
        )
    )
    (chain,) = frames_of(module, CORTEX_M4, 3)
    assert [frame.name for frame in chain] == ["inner", "outer", "main"]
    assert [frame.index for frame in chain] == [0, 1, 2]
    places = [int(match[1], 16) for frame in chain if (match := re.search(r"wasm 0x(\w+)", str(frame)))]
    assert len(places) == 3
    assert module[places[0]] == 0x6E, "i32.div_u"
    assert module[places[1]] == module[places[2]] == 0x10, "call"


def test_lines_change_no_code() -> None:
    with_lines = build_module(SOURCE, kind="c")
    without = build_module(SOURCE, kind="c", flags=("-g0",))
    assert len(without) < len(with_lines)
    streams = []
    for module in (with_lines, without):
        one = compile_for(module, CORTEX_M4)
        streams.append(link(one, layout_for(one, one.wanted_memory)).stream)
    assert streams[0] == streams[1]


def test_an_executor_without_dwarf_has_no_frames(tmp_path: Path) -> None:
    elf = tmp_path / "not.elf"
    elf.write_bytes(b"no ELF at all")
    assert Frames(elf, ("f",)).at(0x20000000) == []
    assert str(Frame("f", 0)) == "f"
    assert str(Frame("f", 0, Spot("a/b.c", 3))) == "f (b.c:3)"
