"""The console in a real terminal (tmux), over a genuine master, an emulated board and the host."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux: apt-get install tmux"),
]


# tmux with libutempter may lose the SIGCHLD of a window's command that ends, and then takes it to run
# for ever: a shell waits for the command, says how it ended, and keeps the terminal open.
KEEPER = '"$@"; echo "ended with status $?"; read -r _'


class Terminal:
    """A tmux server of its own, with one window that runs a command and then says how it ended."""

    def __init__(self, command: list[str], size: tuple[int, int], folder: Path) -> None:
        self._name = f"mma-{uuid.uuid4().hex[:8]}"
        width, height = map(str, size)
        kept = ["sh", "-c", KEEPER, "sh", *command]
        self._tmux("new-session", "-d", "-x", width, "-y", height, "-c", str(folder), *kept)

    def _tmux(self, *words: str) -> str:
        environment = {**os.environ, "TERM": "xterm-256color"}
        done = subprocess.run(
            ["tmux", "-L", self._name, *words], capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout

    def keys(self, *keys: str) -> None:
        """Press keys one by one, as a quick person would; escape with a key at once would be alt."""
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(0.3 if key == "Escape" else 0.08)

    @property
    def screen(self) -> str:
        """What is on it now."""
        return self._tmux("capture-pane", "-p")

    @property
    def processes(self) -> set[int]:
        """The window's command and all that it started."""
        (shell,) = self._tmux("list-panes", "-F", "#{pane_pid}").split()
        found, todo = set[int](), [int(shell)]
        while todo:
            pid = todo.pop()
            found.add(pid)
            children = Path(f"/proc/{pid}/task/{pid}/children")
            todo += [int(child) for child in children.read_text().split()] if children.exists() else []
        return found - {int(shell)}

    def wait(self, done: Callable[[str], bool], seconds: float = 60.0) -> str:
        """The screen, once it says what it must."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.screen
            if done(text):
                return text
            time.sleep(0.05)
        raise AssertionError(f"this was still on the screen:\n{self.screen}")

    def close(self) -> None:
        """End it, whatever runs."""
        subprocess.run(["tmux", "-L", self._name, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The console on a small terminal, its board and the host up and offered."""
    command = [sys.executable, "-m", "console.cli", "console", "--target", "stm32f4@qemu", "--target", "host"]
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsleep 3\nsed -i 's/+ 1;/+ 2;/' \"$2\"\n")
    editor.chmod(0o755)
    kept = f"XDG_STATE_HOME={tmp_path}/state"  # what another run of the console kept is not restored here
    made = Terminal(["env", kept, f"VISUAL={editor}", *command], (80, 24), tmp_path)
    try:
        made.wait(lambda text: "2 agents" in text and text.count("● up") >= 2, 60)
        yield made
    finally:
        made.close()


def launch(terminal: Terminal, module: str, *, before: str = "fits") -> None:
    """Through the dialog: type the module's name, wait for the verdict, enter."""
    terminal.keys("n")
    terminal.wait(lambda text: "Launch ─" in text)
    terminal.keys(*module)
    terminal.wait(lambda text: before in text and "bytes of WebAssembly" in text)


def test_the_main_job(terminal: Terminal) -> None:
    """Launch with an argument, see the result; kill; a trap with its reason; nothing is left behind."""
    launch(terminal, "fib")
    terminal.keys("Tab", "2", "0")
    terminal.keys("Enter")  # sooner than the verdict on the argument: it is waited for
    text = terminal.wait(lambda text: "✓ finished" in text)
    assert "6765" in text

    launch(terminal, "spin")
    terminal.keys("Enter")
    terminal.wait(lambda text: "● running" in text)
    terminal.keys("x")
    terminal.wait(lambda text: "Kill a task" in text)
    terminal.keys("y")
    terminal.wait(lambda text: "■ killed" in text)

    launch(terminal, "trap")
    terminal.keys("Enter")
    text = terminal.wait(lambda text: "✗ failed" in text)
    assert "trap.c:6" in text

    terminal.keys("4")
    terminal.wait(lambda text: " following" in text)
    terminal.keys("/")
    terminal.wait(lambda text: "words that a line must have" in text)
    terminal.keys(*"fib")
    terminal.wait(lambda text: "fib(20) = 6765" in text and "spin-" not in text)
    terminal.keys("Escape", "2")
    terminal.wait(lambda text: "accepted" in text and "● open" in text)

    terminal.keys("!")
    terminal.wait(lambda text: "POST http" in text)
    terminal.keys("/", *"kill")
    terminal.wait(lambda text: "Kill  task.kill" in text)
    terminal.keys("Escape")

    processes = terminal.processes
    assert len(processes) > 1
    terminal.keys("q")
    terminal.wait(lambda text: "ended with status 0" in text, 60)
    assert [pid for pid in processes if Path(f"/proc/{pid}").exists()] == []


def test_debug_an_executor(terminal: Terminal) -> None:
    """Break in an executor that is yet to come, read its local, step in its source, resume: TASK_FINISHED."""
    terminal.keys("5", "a")
    terminal.wait(lambda text: "▶ running" in text)
    terminal.keys("B", *"fib", "Enter")
    terminal.wait(lambda text: "waits for an exec" in text)
    launch(terminal, "fib")
    terminal.keys("Tab", "2")
    terminal.wait(lambda text: "Fits on stm32f4@qemu" in text)
    time.sleep(0.5)  # the verdict on the argument
    terminal.keys("Enter")
    terminal.wait(lambda text: "Launch ─" not in text and "fib-" in text and "TASK" in text)
    terminal.keys("5")
    text = terminal.wait(lambda text: "breakpoint in fib of fib-" in text and "held" in text)
    assert "▶   4 │ static uint32_t fib(uint32_t n) {" in text
    terminal.keys("x", *"vvvvv")  # the breakpoint at the cursor goes; round to the variables
    terminal.wait(
        lambda text: "─variables─" in text and re.search(r"^ +n +2 +uint32_t", text, re.M) is not None
    )
    terminal.keys("o")
    terminal.wait(lambda text: "stepped in fib" in text and "▶   5 │" in text)
    terminal.keys("c", "3")
    text = terminal.wait(lambda text: "✓ finished" in text)
    assert re.search(r"finished.* 1$", text, re.M), text


def test_the_memory_of_a_board(terminal: Terminal) -> None:
    """The map, a region's symbols, bytes of a running board."""
    terminal.keys("6")
    terminal.wait(lambda text: "kernel/executor" in text and "free" in text)
    terminal.keys("m", *"mma_executors", "Enter")
    terminal.wait(lambda text: "mma_executors[0].context.sp: uint32_t = " in text)
    terminal.keys("Escape")
    terminal.wait(lambda text: "mma_executors[0]." not in text)


def test_edit_build_run(terminal: Terminal, tmp_path: Path) -> None:
    """Edit fib's source and save: a text that does not compile touches nothing; one that does runs anew, with
    the same argument and another result. The user's own editor leads to the same."""
    source = tmp_path / "fib.c"
    shutil.copyfile(Path(__file__).parents[2] / "firmware" / "sdk" / "examples" / "fib.c", source)
    terminal.keys("7")
    terminal.wait(lambda text: "fib.c" in text and "here" in text)
    terminal.keys("Enter")
    terminal.wait(lambda text: "static uint32_t fib(uint32_t n) {" in text)
    terminal.keys("F5")
    terminal.wait(lambda text: "Launch ─" in text and "bytes of WebAssembly" in text)
    terminal.keys("2", "0", "Enter")
    terminal.wait(lambda text: "✓ finished" in text and "6765" in text)

    terminal.keys("7")
    terminal.wait(lambda text: "static uint32_t fib(uint32_t n) {" in text)
    terminal.keys("C-g")
    terminal.wait(lambda text: "its number" in text)
    terminal.keys("5", "Enter")
    terminal.wait(lambda text: re.search(r" 5:1$", text, re.M) is not None)
    terminal.keys("End", "BSpace", *" + nothing", r"\;")
    terminal.wait(lambda text: "● unsaved" in text)
    terminal.keys("C-s")
    terminal.wait(lambda text: "✗ 1 error" in text and "use of undeclared identifier 'nothing'" in text)
    terminal.keys(*["BSpace"] * 8, "1", r"\;")
    terminal.keys("C-s")
    terminal.wait(lambda text: re.search(r"✓ TASK_RUNNING \d+\.\d\d s  build \d+ · fit", text) is not None)
    terminal.keys("Escape")
    terminal.wait(lambda text: "enter Detail" in text)  # single keys are commands again
    terminal.keys("3")
    terminal.wait(
        lambda text: "17710" in text
    )  # 6765, and one for each of the 10945 calls that make two more

    terminal.keys("7")
    terminal.wait(lambda text: "all saved" in text)
    terminal.keys("Enter")
    terminal.wait(lambda text: " + 1;" in text)
    terminal.keys("F4")
    terminal.wait(lambda text: " + 2;" in text)
    terminal.keys("Escape")
    terminal.wait(lambda text: "enter Detail" in text)  # single keys are commands again
    terminal.keys("3")
    terminal.wait(lambda text: "28655" in text)
