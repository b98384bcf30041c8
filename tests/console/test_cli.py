"""The command line as a shell sees it: exit codes, one sentence an error, and what it does not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli import COMMANDS, invoke, mma


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = invoke(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert out.startswith(f"Usage: mma {name}")


def test_help_lists_every_command_and_imports_none() -> None:
    script = (
        "import sys; from console.cli import invoke; code = invoke(['--help']);"
        "heavy = {'textual', 'rich', 'aiohttp', 'aiocoap', 'wasmtime', 'google.protobuf', 'asyncio', 'hal'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stderr.strip() == "[]"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_agent_hal_and_emulation_never_import_the_screen() -> None:
    script = (
        "import importlib, pkgutil, sys, agent, hal, emulation\n"
        "for package in (agent, hal, emulation):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if module.name.endswith(('generate', 'supervise')): continue  # programs\n"
        "        importlib.import_module(module.name)\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('textual', 'console', 'click')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "no command 'frobnicate'"),
        (["boardz"], "Did you mean 'boards'?"),
        (["run"], "Missing argument 'MODULE'"),
        (["run", "fib"], "Missing option '-t' / '--target'"),
        (["run", "fib", "--target", "toaster"], "There is no target 'toaster'"),
        (["run", "fib", "--target", "host", "--mem", "lots"], "'lots' is not a size"),
        (["run", "fib", "--target", "host", "--timeout", "0"], "leaves no time"),
        (["run", "fib", "--target", "host", "--expect", "TASK_HAPPY"], "TASK_HAPPY"),
        (["run", "fib", "--target", "host", "--args", "'a"], "closing quote"),
        (["run", "fib", "--target", "host", "--master", "zk://h:x/m"], "no ZooKeeper server"),
        (["ps", "--master", "zk://me:hush@h/m"], "has a password in it"),
        (["ps", "--master", "h:1,h:x"], "is no master's address"),
        (["firmware", "size", "stm32f5"], "Did you mean stm32f4?"),
        (["master", "--flag", "="], "is no flag"),
        (["agent", "-m", "h:1", "-t", "host", "--attribute", "x"], "is no attribute"),
        (["agent", "-m", "h:1", "-t", "host", "-t", "host"], "named twice"),
        (["debug", "host"], "no debugger"),
        (["console", "--target", "stm32f4"], "needs a terminal"),
    ],
)
def test_wrong_usage_is_exit_2_and_a_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.wasm", b"", "does not begin with"),
        ("text.wasm", b"hello\n", "does not begin with"),
        ("cut.wasm", b"\0asm\1\0\0\0\1\5", "not valid"),
        ("note.txt", b"hello\n", "Name a .wasm, .wat, .c or .zig file"),
        ("import.wat", b'(module (import "env" "f" (func)) (func (export "main")))', "imports env.f"),
        ("bad.c", b"int main(void) { return x; }\n", "bad.c:1:25"),
    ],
)
def test_a_bad_module_is_exit_1_and_a_sentence(
    name: str, content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    code, out, err = run(capsys, "run", str(path), "--target", "stm32f4")
    assert (code, out) == (1, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_a_bad_module_as_json_and_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.xml"
    code, out, err = run(capsys, "run", "nowhere.c", "-t", "host", "--json", "--junit", str(report))
    last = json.loads(out.splitlines()[-1])
    assert (code, err) == (1, "")
    assert (last["event"], last["state"]) == ("result", None)
    assert "There is no file nowhere.c" in last["message"]
    assert 'failures="1"' in report.read_text()


def test_boards_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "boards", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    rows = {row["board"]: row for row in found if "port" not in row}
    assert code == 0
    assert rows["stm32f4"]["ram_bytes"] == 128 << 10
    assert "stm32f4@qemu" in rows["stm32f4"]["targets"]


def test_firmware_size_as_json_has_goals(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "firmware", "size", "stm32f4", "--json")
    figures = {line["metric"]: line for line in map(json.loads, out.splitlines())}
    flash = figures["kernel.flash"]
    assert code == (0 if flash["met"] and figures["kernel.ram"]["met"] else 1)
    assert flash["goal"] == 24 << 10
    assert set(flash) == {"bench", "board", "metric", "value", "unit", "goal", "met"}


def test_doctor_names_what_the_default_needs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor", "--json")
    findings = {line["name"]: line for line in map(json.loads, out.splitlines())}
    assert {"python", "compiler (zig)", "qemu-system-arm", "mesos master"} <= set(findings)
    assert code == int(any(line["state"] == "missing" for line in findings.values()))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "completion", shell)
    assert code == 0
    assert "_MMA_COMPLETE" in out


def test_targets_and_modules_complete() -> None:
    import click

    from console.commands.shared.completion import complete_module, complete_target

    context, parameter = click.Context(mma), click.Option(["--x"])
    assert complete_target(context, parameter, "stm32f4@q") == ["stm32f4@qemu"]
    assert "fib" in [item.value for item in complete_module(context, parameter, "fi")]


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m console.cli --help | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize(("value", "coloured"), [("1", False), ("", True)])
def test_no_color(value: str, coloured: bool) -> None:
    # `script` gives it a terminal: without one there is no colour anyway.
    done = subprocess.run(
        ["script", "-qec", f"{sys.executable} -m console.cli boards", "/dev/null"],
        env={**os.environ, "NO_COLOR": value, "TERM": "xterm-256color"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=True,
    )
    assert (b"\x1b[" in done.stdout) == coloured
