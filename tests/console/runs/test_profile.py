"""Execution profiles: from counts by address to functions, and how they are written."""

from __future__ import annotations

import json

from console.runs.profile import Function, collapsed, rows, speedscope, stacks_of, table

FUNCTIONS = [
    Function(0x100, 0x10, "kernel", "poll"),
    Function(0x120, 8, "kernel", "idle"),
    Function(0x200, 0x20, "old-1", "gone"),
    Function(0x200, 0x20, "fib-2", "fib"),
]
COUNTS = {0x100: 5, 0x10E: 5, 0x110: 1, 0x124: 80, 0x21E: 10, 0x90: 2}


def test_every_instruction_is_somewhere() -> None:
    stacks = stacks_of(COUNTS, FUNCTIONS)
    assert stacks == {
        ("kernel", "poll"): 10,
        ("kernel", "idle"): 80,
        ("fib-2", "fib"): 10,
        ("(no symbol)",): 3,
    }
    assert sum(stacks.values()) == sum(COUNTS.values())


def test_a_table_ends_with_the_sum() -> None:
    lines = table(rows(stacks_of(COUNTS, FUNCTIONS)), 1)
    assert [line.split() for line in lines[1:]] == [
        ["80", "77.7%", "kernel", "idle"],
        ["23", "22.3%", "3", "more", "functions"],
        ["103", "100.0%"],
    ]
    assert table([], 5)[-1].split() == ["0", "100.0%"]


def test_of_stacks_the_innermost_function_counts() -> None:
    found = rows({("kernel", "main", "poll"): 3, ("kernel", "poll"): 1, ("kernel", "main"): 4})
    assert [(row.name, row.instructions) for row in found] == [("poll", 4), ("main", 4)]


def test_files_for_flame_graphs() -> None:
    stacks = {("kernel", "a;b"): 2, ("fib-2", "fib"): 3}
    assert collapsed(stacks) == "fib-2;fib 3\nkernel;a:b 2\n"
    written = json.loads(speedscope(stacks, "fib on a board"))
    (one,) = written["profiles"]
    names = [frame["name"] for frame in written["shared"]["frames"]]
    read = {
        tuple(names[frame] for frame in sample): weight
        for sample, weight in zip(one["samples"], one["weights"], strict=True)
    }
    assert (read, one["endValue"]) == (stacks, 5)
