"""`mma new executor` and `mma build`: folders that build as they are, problems as lines and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.cli import invoke
from console.commands.new import _EXAMPLES, _LANGUAGES
from console.guests.templates import EXAMPLES, LANGUAGES, create
from hal import aot
from hal.guest import build


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_template_builds_without_a_warning(language: str, example: str, tmp_path: Path) -> None:
    source, *others = create("mine-1", language, example, tmp_path)
    built = build(source)
    aot.validate(built.module)
    assert built.warnings == ()
    readme = (tmp_path / "mine-1" / "README.md").read_text()
    assert f"mma run mine-1.{language} --target host " in readme
    assert {path.name for path in others} >= {"README.md"}


def test_the_command_offers_what_there_is() -> None:
    assert set(LANGUAGES) == set(_LANGUAGES)
    assert set(EXAMPLES) == set(_EXAMPLES)


def test_new_then_build_then_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["new", "executor", "mine", "--in", str(tmp_path), "--json"]) == 0
    source = Path(json.loads(capsys.readouterr().out)["source"])
    assert source == tmp_path / "mine" / "mine.c"

    module = tmp_path / "mine.wasm"
    assert invoke(["build", str(source), "-o", str(module), "--json"]) == 0
    (result,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert result["met"]
    assert result["bytes"] == len(module.read_bytes())

    source.write_text(source.read_text().replace("return 0", "return nought"))
    assert invoke(["build", str(source), "--json"]) == 1
    problem, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert problem["event"] == "problem"
    assert (problem["file"], problem["line"], problem["column"]) == (str(source), 7, 12)
    assert problem["severity"] == "error"
    assert not result["met"]

    assert invoke(["build", str(source)]) == 1
    assert capsys.readouterr().err == f"{source}:7:12: error: use of undeclared identifier 'nought'\n"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("../up", 2, "is no name of an executor"), ("", 2, "is no name"), ("there", 1, "is there already")],
)
def test_names_that_will_not_do(
    name: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    assert invoke(["new", "executor", name, "--in", str(tmp_path)]) == code
    assert words in capsys.readouterr().err
    assert list((tmp_path / "there").iterdir()) == []
