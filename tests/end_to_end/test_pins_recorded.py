"""`mma run --vcd` and `mma ci --vcd`: what a task does to its pins, over the board's own time."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]
EMULATORS = [
    "qemu",
    pytest.param(
        "renode",
        marks=pytest.mark.skipif(
            shutil.which(os.environ.get("RENODE") or "renode") is None,
            reason="Renode is not installed: put the portable release (renode.io) on the PATH or in RENODE",
        ),
    ),
]


def mma(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)


def edges(file: Path) -> list[tuple[int, str]]:
    """Of pin 0: nanoseconds and levels, but for the unknown one at first."""
    text = file.read_text()
    (key,) = re.findall(r"\$var wire 1 (\S+) gpio0 \$end", text)
    found, now = [], 0
    for line in text.partition("$enddefinitions $end")[2].splitlines():
        if line.startswith("#"):
            now = int(line[1:])
        elif line[1:] == key and line[0] in "01":
            found.append((now, line[0]))
    return found


@pytest.mark.parametrize("emulator", EMULATORS)
def test_a_blinking_pin(emulator: str, tmp_path: Path) -> None:
    words = ("--gpio", "0", "-t", f"stm32f4@{emulator}", "--vcd", "pins.vcd")
    done = mma(tmp_path, "run", "blink", "--args", "0 3 50", *words)
    if done.returncode == 3:  # an old one
        assert "loses writes to watched memory. Pins are recorded from 1.16.1 on" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    found = edges(tmp_path / "pins.vcd")
    assert [level for _, level in found] == ["1", "0"] * 3
    lengths = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(found)]
    assert all(length >= 49_000_000 for length in lengths)
    if emulator == "renode":  # QEMU's time is the host's
        assert all(length == pytest.approx(50e6, rel=0.01) for length in lengths)


def test_a_case_s_recording_has_it(tmp_path: Path) -> None:
    page = '[[case]]\nname = "lamp"\nmodule = "blink"\nargs = "0 2 20"\ngpio = "0"\n'
    (tmp_path / "page.toml").write_text(page)
    done = mma(tmp_path, "ci", "page.toml", "-t", "stm32f4@qemu", "--vcd", "--keep", "all", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "passed"
    (file,) = (tmp_path / "mma-artifacts").rglob("pins.vcd")
    assert [level for _, level in edges(file)] == ["1", "0"] * 2


def test_a_target_without_emulated_pins_is_told(tmp_path: Path) -> None:
    done = mma(tmp_path, "run", "blink", "-t", "host", "--vcd", "pins.vcd")
    assert done.returncode == 2
    assert "host has no emulated pins. Leave --vcd out." in done.stderr
