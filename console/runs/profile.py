"""An execution profile: which function of the kernel and of the executors ran how many instructions.

Written as a table, as collapsed stacks (flamegraph.pl's and speedscope's input) or as speedscope's own JSON
(https://www.speedscope.app/file-format-schema.json).
"""

from __future__ import annotations

import bisect
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

KERNEL = "kernel"
UNKNOWN = "(no symbol)"

Stack = tuple[str, ...]
"""Who it belongs to, and its functions, outermost first."""


@dataclass(frozen=True, slots=True)
class Function:
    """Code of `owner`, the kernel or a task, at `address`."""

    address: int
    size: int
    owner: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """A function's own instructions, without those of what it called."""

    owner: str
    name: str
    instructions: int
    share: float


def kernel_functions(elf: Path) -> list[Function]:
    """Of the firmware's symbol table."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        symbols = table.iter_symbols() if isinstance(table, SymbolTableSection) else ()
        return [
            Function(symbol["st_value"] & ~1, symbol["st_size"], KERNEL, symbol.name)
            for symbol in symbols
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]
        ]


def stacks_of(counts: Mapping[int, int], functions: Iterable[Function]) -> dict[Stack, int]:
    """Instructions by (owner, function), from how often each address ran. Where functions of executors
    followed one another at a place, the one that came last has all of it."""
    known = sorted({one.address: one for one in functions}.values(), key=lambda one: one.address)
    begins = [one.address for one in known]
    found: Counter[Stack] = Counter()
    for address, count in counts.items():
        at = bisect.bisect_right(begins, address) - 1
        inside = at >= 0 and address < known[at].address + known[at].size
        found[(known[at].owner, known[at].name) if inside else (UNKNOWN,)] += count
    return dict(found)


def rows(stacks: Mapping[Stack, int]) -> list[Row]:
    """By the innermost function, the busiest first."""
    own: Counter[tuple[str, str]] = Counter()
    for stack, count in stacks.items():
        own[stack[0], stack[-1]] += count
    total = sum(own.values()) or 1
    return [Row(*who, count, count / total) for who, count in own.most_common()]


def table(found: Sequence[Row], most: int) -> list[str]:
    """Lines for a person: the `most` busiest functions, and the rest in one."""
    total = sum(row.instructions for row in found)
    lines = [f"{'instructions':>14}  {'share':>6}  {'of':<14}  function"]
    for row in found[:most]:
        lines.append(f"{row.instructions:14,}  {row.share:6.1%}  {row.owner:<14}  {row.name}")
    rest = sum(row.instructions for row in found[most:])
    if rest:
        share = rest / total
        lines.append(f"{rest:14,}  {share:6.1%}  {'':<14}  {len(found) - most} more functions")
    lines.append(f"{total:14,}  {1:6.1%}")
    return lines


def collapsed(stacks: Mapping[Stack, int]) -> str:
    """`owner;function;function COUNT`, a line each."""
    lines = sorted(f"{';'.join(part.replace(';', ':') for part in stack)} {n}" for stack, n in stacks.items())
    return "".join(f"{line}\n" for line in lines)


def speedscope(stacks: Mapping[Stack, int], name: str) -> str:
    """A sampled profile whose weights are instructions."""
    names = sorted({part for stack in stacks for part in stack})
    index = {part: number for number, part in enumerate(names)}
    ordered = sorted(stacks.items())
    total = sum(stacks.values())
    profile = {
        "type": "sampled",
        "name": name,
        "unit": "none",
        "startValue": 0,
        "endValue": total,
        "samples": [[index[part] for part in stack] for stack, _ in ordered],
        "weights": [count for _, count in ordered],
    }
    return json.dumps(
        {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "shared": {"frames": [{"name": part} for part in names]},
            "profiles": [profile],
            "name": name,
            "exporter": "mma profile",
        }
    )
