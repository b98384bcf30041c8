"""Renode's command line: every word of ours, as each family of releases takes it.

The options are those of `src/UI/Options.cs` in Renode's sources: of 1.13.3, of 1.15.0 to 1.16.1
(--disable-xwt became the other name of --disable-gui, --server-mode came in 1.16.1) and of August 2026.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emulation.renode_start import PortHolder, command_line

_COMMON = {"--plain", "--port", "--execute", "--config", "--hide-monitor", "--hide-log", "--hide-analyzers"}
_COMMON |= {"--pid-file", "--robot-server-port", "--robot-debug-on-error", "--version", "--console"}
_COMMON |= {"--keep-temporary-files"}
FAMILIES = {
    "1.13": _COMMON | {"--disable-xwt"},
    "1.15": _COMMON | {"--disable-xwt", "--disable-gui"},
    "1.16": _COMMON | {"--disable-xwt", "--disable-gui", "--server-mode", "--server-mode-port"},
    "2026": _COMMON | {"--disable-xwt", "--disable-gui", "--server-mode", "--server-mode-port", "--ui"},
}
_WITH_VALUE = {"--config", "--pid-file", "--robot-server-port"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_takes_every_word(family: str) -> None:
    program, *words = command_line("renode", Path("/folder"), 4242)
    assert program == "renode"
    given: dict[str, str] = {}
    while words:
        word = words.pop(0)
        assert word in FAMILIES[family], f"{word} is unknown to {family}"
        assert word not in given
        given[word] = words.pop(0) if word in _WITH_VALUE else ""
    assert {
        "--disable-xwt",
        "--hide-log",
        "--plain",
    } <= given.keys()  # no window, and no log that fills a pipe
    assert not {"--console", "--port"} & given.keys()  # --disable-xwt hides the Monitor, which excludes them
    assert given["--config"] == "/folder/config"  # instances must not share one
    assert int(given["--robot-server-port"]) == 4242  # 1.13 does not know 0 for any


def test_held_ports_are_given_once() -> None:
    with PortHolder() as ports:
        assert len({ports.reserve() for _ in range(20)}) == 20
