"""Executors under the debugger, headless: `mma debug` on QEMU with GDB."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hal import toolchain

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        shutil.which("gdb-multiarch") is None or shutil.which("qemu-system-arm") is None,
        reason="needs gdb-multiarch and qemu-system-arm",
    ),
]

FIB = toolchain.sdk() / "examples" / "fib.c"
SHAPES = Path(__file__).parents[1] / "hal" / "shapes.c"
DEEP = "executor->context"
TRAP = toolchain.sdk() / "examples" / "trap.c"


def line_of(path: Path, text: str) -> int:
    """The number of the first line that holds a text."""
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def debug(*words: str, status: int = 0) -> list[dict[str, Any]]:
    """Run `mma debug stm32f4 ... --json`; its objects."""
    command = [sys.executable, "-m", "console.cli", "debug", "stm32f4", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_step_through_the_guests_own_source() -> None:
    """Break by the WASM name before it was launched, read a parameter, step line by line, run to its end."""
    first, second, third, end = debug("--run", "fib", "--args", "5", "--break", "fib", "--step", "2")
    assert (first["at"]["function"], first["at"]["file"]) == ("fib", str(FIB))
    assert first["at"]["line"] == line_of(FIB, "fib(uint32_t n)")
    assert first["locals"]["n"] == {"value": "5", "type": "uint32_t", "detail": "", "changed": False}
    assert [one["function"] for one in first["stack"]][:2] == ["fib", "main"]
    assert [one["current"] for one in first["slots"]] == [True]
    assert second["at"]["line"] == line_of(FIB, "return n < 2")
    assert (third["at"]["line"], third["locals"]["n"]["value"]) == (first["at"]["line"], "4")
    assert third["breakpoints"][0]["hits"] == 2
    assert end == {"event": "ended", "cause": "exited", "status": 0, "message": "", "output": "5"}


def test_condition_watch_and_a_line_of_the_guest() -> None:
    """The condition sees the guest's variable; a watch and GDB's own commands do, too."""
    stop, told, end = debug(
        *("--run", "fib", "--args", "6", "--break", f"fib.c:{line_of(FIB, 'return n < 2')} if n == 2"),
        *("--watch", "n + 40", "--execute", "print n"),
    )
    assert stop["watches"] == {"n + 40": "42"}
    assert told["text"].strip().endswith("= 2")
    assert end["output"] == "8"


def test_values_are_written() -> None:
    """A variable of the guest, by an expression of its own."""
    stop, told, _ = debug(
        *("--run", "fib", "--args", "6", "--break", f"fib.c:{line_of(FIB, 'return n < 2')} if n == 2"),
        *("--set", "n = n + 39", "--execute", "print n"),
    )
    assert stop["locals"]["n"]["value"] == "2"
    assert told["text"].strip().endswith("= 41")


def test_values_open_into_what_they_are_made_of() -> None:
    """A guest's pointer into its own memory, its global variables, and a structure of the kernel."""
    stop, then, _ = debug(
        *("--run", str(SHAPES), "--break", "area", "--watch", "first.next->tag[1]", "--watch", "second"),
        *("--open", "n", "--open", "n->next", "--open", "n->next->at", "--open", "second"),
        *("--set", "first.next->at.y = 40 + 2", "--step", "1"),
    )
    node = stop["locals"]["n"]["members"]
    assert node["name"]["detail"] == '→ "first"'
    assert node["next"]["members"]["at"]["members"]["x"]["value"] == "3"
    assert stop["watches"]["first.next->tag[1]"] == "8"
    assert stop["watched"]["second"]["members"]["at"]["value"] == "{x = 3, y = 4}"
    assert then["watched"]["second"]["members"]["at"]["value"] == "{x = 3, y = 42}"

    stop, _ = debug(
        "--run", "hello", "--break", "kernel:mma_executor_end", "--open", "executor", "--open", DEEP
    )
    kernel = stop["locals"]["executor"]["members"]
    assert kernel["context"]["members"]["registers"]["type"] == "uint32_t [8]"
    assert int(kernel["context"]["members"]["sp"]["value"]) > 0x20000000


def test_registers_are_written() -> None:
    """The CPU's, a peripheral's, and one field of it."""
    _, *told = debug(
        *("--halt", "--set", "r11=0x1234", "--set", "tim2.arr = 40 + 2", "--set", "TIM2.CR1.UDIS=1"),
        *("--execute", "print/x $r11", "--execute", "print *(int *)0x4000002C"),
        *("--execute", "print *(int *)0x40000000 & 3"),
    )
    assert [one["text"].strip().rpartition("= ")[2] for one in told] == ["0x1234", "42", "2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nowhere", "sets nothing. Write what, =, and a value"),
        ("fantasy = 1", 'No symbol "fantasy"'),
        ("TIM2.NONE = 1", "TIM2 has no register NONE"),
        ("TIM2.CR1.NONE = 1", "no field NONE"),
        ("TIM2.ARR = 0x100000000", "does not fit"),
    ],
)
def test_what_cannot_be_written_is_said(text: str, words: str) -> None:
    command = [sys.executable, "-m", "console.cli", "debug", "stm32f4", "--halt", "--json", "--set", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (1, 2)
    assert words in done.stderr


def test_a_trap_stops_in_the_guests_source() -> None:
    """Which, where, and why; the end is as without a debugger."""
    stop, end = debug("--run", "trap", "--stop-on-trap")
    assert stop["why"].startswith("trap: integer divide by zero in ")
    assert (stop["at"]["file"], stop["at"]["line"]) == (str(TRAP), line_of(TRAP, "return cake / guests"))
    assert (end["cause"], end["message"].partition(" in ")[0]) == ("trapped", "Trap: integer divide by zero")


def test_the_kernel_by_itself() -> None:
    """Without an executor: from the first instruction to a function of the kernel."""
    (stop,) = debug("--halt", "--break", "kernel:mma_main")
    assert (stop["at"]["function"], stop["at"]["owner"]) == ("mma_main", "kernel")
    assert stop["at"]["file"].endswith("kernel/main.c")


def test_an_executor_that_never_stops_says_how_it_ended() -> None:
    """Not met, with its end."""
    (end,) = debug("--run", "hello", "--break", "nowhere", status=1)
    assert (end["event"], end["cause"]) == ("ended", "exited")
