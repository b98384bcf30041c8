"""The guest of shapes.c: its module, its types, and its memory as it begins."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hal.aot.binary import Module, read
from hal.guest import build_module
from hal.layout import Program

SHAPES = Path(__file__).with_name("shapes.c")


@cache
def module() -> Module:
    """The module, read."""
    return read(build_module(SHAPES))


@cache
def program() -> Program:
    """Its types."""
    found = Program.of_sections(module().customs)
    assert found is not None
    return found


def memory() -> bytes:
    """What its linear memory begins with."""
    data = bytearray(1 << 12)
    for one in module().segments:
        assert one.offset is not None
        ((_, at),) = one.offset.steps
        data[at : at + len(one.data)] = one.data
    return bytes(data)
