"""`mma flash`: what it says, the key that a board keeps, exit codes, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import Bench, make_bench
from dap_double import serve

from console.cli import invoke
from hal import firmware, keys
from hal.boards import load_board
from hal.probe.flash import flat


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys and kept flashes of this test only."""
    monkeypatch.setenv("MMA_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_dry_run_says_what_it_would_do(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    old, name = bytes(bench.chip.flash), bench.board.name
    assert invoke(["flash", name, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert f"{name} on probe BENCH0001 would erase" in out
    assert "The development key keeps nobody out" in err
    assert bytes(bench.chip.flash) == old
    assert bench.chip.resets == 0
    assert not bench.chip.stopped()


def test_a_board_keeps_its_key(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    name, built = bench.board.name, flat(firmware.build(bench.board).elf, bench.board)
    assert invoke(["flash", name, "--key", "attic", "--json"]) == 0
    key = keys.read(keys.folder() / "attic.key")
    assert bytes(bench.chip.flash[: len(built)]) == built.replace(keys.DEVELOPMENT, key.secret)
    result = lines(capsys.readouterr().out)[-1]
    assert result["met"] is True
    assert result["probe"] == "BENCH0001"
    assert (result["key"], result["bytes"]) == ("attic", len(built))

    bench.chip.flash[1000] ^= 0xFF  # an older kernel, say
    assert invoke(["flash", name]) == 0
    assert "It keeps the key attic." in capsys.readouterr().out
    assert bytes(bench.chip.flash[: len(built)]) == built.replace(keys.DEVELOPMENT, key.secret)

    (keys.folder() / "attic.key").unlink()
    bench.chip.erased.clear()
    assert invoke(["flash", name]) == 1
    assert "The board has a key that is not in" in capsys.readouterr().err
    assert bench.chip.erased == []
    assert invoke(["flash", name, "--key", "cellar"]) == 0
    assert keys.read(keys.folder() / "cellar.key").secret in bench.chip.flash


def test_restore_writes_a_kept_flash(bench: Bench, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "kept.bin").write_bytes(b"as it was" * 100)
    assert invoke(["flash", bench.board.name, "--restore", str(home / "kept.bin")]) == 0
    assert bench.chip.flash[:900] == b"as it was" * 100
    assert invoke(["flash", bench.board.name, "--restore", str(home / "none.bin")]) == 2
    assert invoke(["flash", bench.board.name, "--restore", str(home / "kept.bin"), "--key", "a"]) == 2


def test_exit_codes(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    name = bench.board.name
    bench.chip.cpuid = 0
    assert invoke(["flash", name]) == 1
    assert "This is no" in capsys.readouterr().err
    bench.plug("BENCH0002")
    assert invoke(["flash", name]) == 2
    assert "Choose one by --probe SERIAL" in capsys.readouterr().err
    bench.probes.clear()
    assert invoke(["flash", name]) == 3
    assert invoke(["flash", "lm3s6965evb"]) == 3
    assert "openocd" in capsys.readouterr().err
    assert invoke(["flash", "nothing"]) == 2


def test_probes_are_among_the_boards(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["boards", "--json"]) == 0
    assert {"probe": "BENCH0001", "title": "mma double"} in lines(capsys.readouterr().out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_writes_puts_the_old_back(home: Path, number: int) -> None:
    """Over pyOCD's own probe server, as a probe at another computer is reached."""
    bench = make_bench("stm32f4")
    old = bytes(bench.chip.flash)
    erased = threading.Event()
    bench.dap.before = lambda access: erased.set() if bench.chip.erased else None
    server = serve(bench.probes[0])
    command = [sys.executable, "-m", "console.cli", "flash", "stm32f4", "--probe"]
    firmware.build(load_board("stm32f4"))
    process = subprocess.Popen(
        [*command, f"remote:localhost:{server.port}"], env=os.environ, stderr=subprocess.PIPE, text=True
    )
    try:
        assert erased.wait(60)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        server.stop()
    assert process.returncode == 130, err
    assert "What was on the board before is back.\n\nInterrupted." in err
    assert bytes(bench.chip.flash) == old
    assert not bench.chip.stopped()
    assert not list(home.glob("state/**/*.bin"))
