"""What a value is made of: paths, what is open, and a guest's values in its memory."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from console.debug.guest import Guest, Held
from console.debug.members import Opened, flattened, without_brackets
from console.debug.view import Value
from console.errors import UsageError
from emulation.gdb.errors import GdbError
from hal.mcu import Placed

sys.path.append(str(Path(__file__).parents[2] / "hal"))

from shapes import memory, program

BASE = 0x20001000


@pytest.mark.parametrize(
    ("gdb", "person"),
    [
        ("((executor)->context).sp", "executor->context.sp"),
        ("(((executor)->context).registers)[3]", "executor->context.registers[3]"),
        ("*(p)", "*p"),
        ("(*(p)).x", "(*p).x"),
    ],
)
def test_paths_are_written_as_by_a_person(gdb: str, person: str) -> None:
    assert without_brackets(gdb) == person


def test_closing_one_closes_what_is_in_it() -> None:
    opened = Opened()
    for path in ("n", "n->at", "n->tag", "next", "n2"):
        opened.turn(path)
    opened.turn("n")
    assert opened.paths == {"next", "n2"}


class Endless:
    """A list that leads to itself."""

    async def of(self, value: Value) -> tuple[Value, ...]:
        if value.path.endswith("bad"):
            raise GdbError("Cannot access memory.")
        return (
            Value("next", "0x10", "node *", path=f"{value.path}->next", opens=True),
            Value("bad", "0x1", "int *", path=f"{value.path}->bad", opens=True),
        )


async def test_values_follow_what_they_are_in() -> None:
    opened = Opened()
    for path in ("n", "n->next", "n->bad", "watch n"):
        opened.turn(path)
    seen: dict[str, str] = {}

    def lit(key: str, text: str) -> bool:
        seen[key] = text
        return key == "n->next"

    root = Value("n", "0x10", "node *", path="n", opens=True)
    rows = await flattened((root,), Endless(), opened, lit)
    assert [(row.depth, row.name, row.opened) for row in rows] == [
        *((0, "n", True), (1, "next", True), (2, "next", False), (2, "bad", False)),
        *((1, "bad", True), (2, "", False)),
    ]
    assert [row.key for row in rows if row.changed] == ["n->next"]
    assert rows[-1].text == "– Cannot access memory"  # noqa: RUF001
    watched = await flattened((replace(root, watched=True),), Endless(), opened, lit)
    assert [row.key for row in watched] == ["watch n", "watch n->next", "watch n->bad"]


def guest(function: str = "area") -> Guest:
    """One whose memory is as it was when it began."""
    placed = SimpleNamespace(
        place=SimpleNamespace(memory=BASE), image=SimpleNamespace(linear_memory=len(memory()))
    )

    async def read(address: int, size: int) -> bytes:
        assert BASE <= address <= address + size <= BASE + len(memory())
        return memory()[address - BASE : address - BASE + size]

    return Guest(program(), cast("Placed", placed), function, read)


async def found(expression: str) -> Held:
    held = await guest().find(expression)
    assert held is not None
    return held


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("first.at.y", "-2"),
        ("first.next->tag[2]", "7"),
        (" first . next -> at.x ", "3"),
        ("*first.next", None),
        ("first.low", "5"),
        ("first.next->name", None),
    ],
)
async def test_a_guests_values_are_found_by_paths(expression: str, text: str | None) -> None:
    held = await found(expression)
    assert held.offset is not None
    if text is not None:
        assert held.type.say(held.data, held.bits) == text


@pytest.mark.parametrize("expression", ["first.at.z", "first.at.y + 1", "nobody", "1 + 1", "first[", ""])
async def test_what_is_no_path_is_left_to_gdb(expression: str) -> None:
    assert await guest().find(expression) is None


async def test_pointers_lead_into_the_memory_and_open() -> None:
    values = guest()
    address = program().variable("first").address  # type: ignore[union-attr]
    root = await values.root("n", str(address), "struct node *")
    assert root is not None
    value = await values.value(root)
    assert (value.text, value.opens) == (f"{address:#x}", True)
    assert value.detail.startswith("→ {at = {x = 1, y = -2}")
    rows = {row.name: row for row in await values.of(value)}
    assert rows["name"].detail == '→ "first"'
    assert rows["next"].opens
    assert [row.path for row in await values.of(rows["at"])] == ["n->at.x", "n->at.y"]
    last = {row.name: row for row in await values.of(rows["next"])}
    assert (last["next"].text, last["next"].opens) == ("0x0", False)
    assert [row.text for row in await values.of(last["tag"])] == ["9", "8", "7", "6"]


async def test_a_pointer_out_of_the_memory_does_not_open() -> None:
    root = await guest().root("n", "0x70000000", "struct node *")
    assert root is not None
    value = await guest().value(root)
    assert (value.opens, value.detail) == (False, "outside its memory")


@pytest.mark.parametrize(
    ("expression", "value", "data"),
    [
        ("first.at.x", "-3", "fdffffff"),
        ("first.wide[0]", "0.5", "000000000000e03f"),
        ("first.low", "2", "fa000000"),
        ("first.high", "-16", "85000000"),
        ("first.on", "0", "00"),
    ],
)
async def test_numbers_become_bytes(expression: str, value: str, data: str) -> None:
    held = await found(expression)
    assert guest().encoded(held, value).hex() == data


async def test_a_record_takes_no_number() -> None:
    held: Any = await found("first.at")
    with pytest.raises(UsageError, match="struct point"):
        guest().encoded(held, "1")
