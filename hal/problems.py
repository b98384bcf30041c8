"""What compilers complain of, as facts: clang's, zig's and the WebAssembly assembler's lines, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, cast

Severity = Literal["error", "warning", "note"]

_HEAD = re.compile(
    r"^(?P<path>[^\n]+?):(?P<line>\d+):(?P<column>\d+):"
    r"(?P<ranges>(?:\{\d+:\d+-\d+:\d+\})*):? "
    r"(?P<severity>fatal error|error|warning|note): (?P<text>.*)$"
)
_RANGE = re.compile(r"\{(\d+):(\d+)-(\d+):(\d+)\}")
_HINT = "did you mean"


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint. `line` and `column` count from 1; a line of 0 is unknown, such as a linker's.
    `end` is the column after its last character on that line, 0 where the compiler does not say."""

    path: str
    line: int
    column: int
    severity: Severity
    text: str
    end: int = 0

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}: " if self.line else f"{self.path}: "
        return f"{where}{self.severity}: {self.text}"


def parse(output: str) -> tuple[Problem, ...]:
    """The problems in what clang (with -fdiagnostics-print-source-range-info) or zig wrote, in its order.
    Notes are left out, but for a better name that they suggest."""
    found: list[Problem] = []
    for line in output.splitlines():
        match = _HEAD.match(line)
        if match is None:
            continue
        if match["severity"] == "note":
            if match["text"].startswith(_HINT) and found:
                found[-1] = replace(found[-1], text=f"{found[-1].text}; {match['text']}")
            continue
        severity = cast("Severity", match["severity"].removeprefix("fatal "))
        row, column = int(match["line"]), int(match["column"])
        end = _end(match["ranges"], row, column)
        found.append(Problem(match["path"], row, column, severity, match["text"], end))
    return tuple(found)


def _end(ranges: str, line: int, column: int) -> int:
    """Of the range that begins at the problem, else 0."""
    for first, start, last, end in (map(int, match.groups()) for match in _RANGE.finditer(ranges)):
        if (first, start, last) == (line, column, line):
            return end
    return 0


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Those that stop a build."""
    return tuple(problem for problem in problems if problem.severity == "error")


def listed(problems: Iterable[Problem], most: int = 5) -> str:
    """The first errors as lines for a person, and how many more there are."""
    lines = [str(problem) for problem in errors(problems)]
    more = [f"... and {len(lines) - most} more errors"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])
