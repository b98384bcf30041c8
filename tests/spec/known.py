"""Steps of test scripts that can't pass on a board, by line, and why: they are not played there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """Lines of one script."""

    why: str
    lines: frozenset[int]


PARTIAL = "an executor ends with its trap, so nobody sees what it stored before"
ROOM = "it grows to more memory than the board has"
IMPORTS = "modules that import each other's tables"

OFFICIAL = "testsuite"

ON_BOARDS = {
    ("spec", "bounds"): Known(PARTIAL, frozenset({59, 61, 68, 72})),
    ("spec", "memory"): Known(ROOM, frozenset({65, 66, 67, 68, 69, 70, 71, 72, 73, 74})),
    (OFFICIAL, "block"): Known(ROOM, frozenset({384})),
    (OFFICIAL, "call"): Known(ROOM, frozenset({359})),
    (OFFICIAL, "call_indirect"): Known(ROOM, frozenset({603})),
    (OFFICIAL, "elem"): Known(IMPORTS, frozenset({959, 960, 972, 973, 974, 1029})),
    (OFFICIAL, "if"): Known(ROOM, frozenset({601})),
    (OFFICIAL, "nop"): Known(ROOM, frozenset({381, 382})),
}
"""By folder and name of the script."""
