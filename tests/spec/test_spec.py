"""WebAssembly's instructions and traps, by our own cases; and, where MMA_TESTSUITE names a checkout of
WebAssembly/testsuite, by the specification's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from player import play

OWN = sorted(Path(__file__).parent.glob("*.wast"))
OFFICIAL = sorted(Path(os.environ["MMA_TESTSUITE"]).glob("*.wast")) if "MMA_TESTSUITE" in os.environ else []

KNOWN = {
    "table_grow.wast": "a table without a maximum grows by at most 64 elements",
    "elem.wast": "modules that import each other's tables",
    "load1.wast": "modules that import each other's memories",
    "linking.wast": "modules that import each other",
    "linking0.wast": "modules that import each other",
    "linking3.wast": "modules that import each other",
}
"""Official scripts with assertions that can't pass here, and why."""


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_own_cases(path: Path) -> None:
    report = play(path.read_text(encoding="utf-8"))
    assert not report.failures
    left_out = [name for name in report.counts if name.startswith("left out")]
    assert not left_out
    assert report.counts["assert_return"] > 0


@pytest.mark.parametrize("path", OFFICIAL, ids=lambda path: path.stem)
def test_official(path: Path) -> None:
    if path.name in KNOWN:
        pytest.xfail(KNOWN[path.name])
    try:
        report = play(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (ValueError, IndexError):
        pytest.skip("not a script of ours to read")
    assert not report.failures[:5]
