"""Where what we ship comes from: licences, exact versions, known holes."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "packaging"))

import audit  # noqa: E402
import licences  # noqa: E402


def rows() -> dict[str, str]:
    """The page's packages with their licences."""
    _, _, rest = licences.PAGE.read_text().partition(licences.BEGIN)
    lines = [
        line.strip("| ").split(" | ")
        for line in rest.partition(licences.END)[0].splitlines()
        if " | " in line
    ]
    return {name: words for name, words in lines if name not in ("package", "---")}


def test_no_package_has_a_licence_that_nobody_has_looked_at() -> None:
    assert {"GPL-3.0-only", ""}.isdisjoint(licences.FREE)
    for name, words in rows().items():
        assert set(words.split(", ")) <= licences.FREE | licences.KNOWN.get(name, set()), name


def test_the_page_has_every_locked_package_with_its_licence() -> None:
    """Of those that are installed here in the locked version; others may say something else."""
    assert rows().keys() | {"hidapi"} == locked().keys(), "make lock"
    told = 0
    for name, one in licences.shipped().items():
        if name in locked() and locked()[name][0] == one.version:
            assert rows()[name] == ", ".join(licences.licences(one)), "make lock"
            told += 1
    assert told > 0


def test_the_firmware_has_no_code_of_others() -> None:
    """docs/licences.md says so; who adds some says whose."""
    words = re.compile(rb"copyright|licen[cs]e|SPDX", re.IGNORECASE)
    sources = [path for path in (ROOT / "firmware").rglob("*") if path.suffix in (".c", ".h", ".S", ".ld")]
    assert len(sources) > 50
    assert not [path for path in sources if words.search(path.read_bytes())]


def locked() -> dict[str, tuple[str, str]]:
    """By name: the version, and all of the entry."""
    found = {}
    for entry in re.split(r"\n(?=\S)", audit.LOCK.read_text()):
        if pinned := re.match(r"([\w.-]+)(?:\[[\w,]+\])?==(\S+)", entry):
            found[pinned[1].lower().replace("_", "-").replace(".", "-")] = (pinned[2], entry)
    return found


def test_the_lock_has_all_that_is_needed_with_its_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    have = locked()
    for text in [*project["dependencies"], *project["optional-dependencies"]["probes"]]:
        need = Requirement(text)
        version, _ = have[need.name.lower().replace(".", "-")]
        assert need.specifier.contains(version), f"{text}: make lock"
    assert not [name for name, (_, entry) in have.items() if "--hash=sha256:" not in entry]


@pytest.mark.parametrize(
    ("dependencies", "status", "words"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "No known hole in 1 "),
        ([{"name": "a", "skip_reason": "not found"}], 3, "nothing was checked"),
        (
            [
                {"name": "b", "version": "1", "vulns": []},
                {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]},
            ],
            1,
            "a 1: PYSEC-1, mended in 2",
        ),
        (
            [{"name": "b", "version": "1", "vulns": []}, {"name": "a", "skip_reason": "?"}],
            0,
            "Not known there: a",
        ),
    ],
)
def test_an_audit_says_what_it_could_not_check(
    dependencies: list[dict[str, Any]], status: int, words: str
) -> None:
    found, told = audit.judge(dependencies)
    assert found == status
    assert words in told
