"""Scenarios: TOML pages of cases, each a task with a timeline of stimuli and faults, and how it must end.

docs/ci.md is the reference. This reads and checks; nothing here touches a target.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.ci.timeline import Step, parse_step
from console.cluster.mesos import TaskState
from console.commands.run import split_arguments
from console.errors import UsageError
from console.fit.budgets import Ask, parse_ask
from console.fleet.opening import TargetName, parse_names
from console.guests.modules import find
from emulation.errors import MachineError
from emulation.wires import Wire
from hal.boards import load_board
from hal.errors import BoardError

_SCENARIO_KEYS = {"name", "targets", "seed", "timeout", "retries", "icount"}
_TASK_KEYS = {"module", "args", "mem", "cpus", "stack", "memory", "log", "gpio", "sensors", "expect"}
_CASE_KEYS = _TASK_KEYS | {"name", "targets", "timeout", "quarantine", "beside", "step", "boards", "wires"}
_BOARD_KEYS = _TASK_KEYS | {"board"}
_EXPECT_KEYS = {
    "state",
    "reason",
    "message",
    "result",
    "log",
    "no_log",
    "pins",
    "stack_peak",
    "memory_peak",
    "cpu_us",
    "instructions",
}


@dataclass(frozen=True, slots=True)
class Expect:
    """How a case must end. None and empty ones are not looked at.

    `log` are texts that lines of the executor's log must hold, in this order; `no_log` texts that none may.
    `pins` are levels of outputs at the end. The rest are upper bounds: bytes, microseconds of CPU, and
    instructions of the whole board from the launch to the end.
    """

    state: TaskState = TaskState.FINISHED
    reason: str | None = None
    message: str | None = None
    result: str | None = None
    log: tuple[str, ...] = ()
    no_log: tuple[str, ...] = ()
    pins: Mapping[int, bool] = field(default_factory=dict)
    stack_peak: int | None = None
    memory_peak: int | None = None
    cpu_us: int | None = None
    instructions: int | None = None


HERE = "here"
"""What wires call the board of the case's own target."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another board of a case, in the emulator of the case's target. `board` None is one of the same kind;
    `module` None runs nothing there. Of `expect` log, no_log and pins are looked at."""

    name: str
    board: str | None
    module: Path | None
    arguments: tuple[str, ...]
    ask: Ask
    expect: Expect
    state: TaskState | None
    """Of its task at the end; None: it still runs, or finished."""


@dataclass(frozen=True, slots=True)
class Case:
    """One task and what happens around it. `timeout` is in host seconds; `line` is where it stands."""

    name: str
    module: Path
    arguments: tuple[str, ...]
    ask: Ask
    targets: tuple[TargetName, ...]
    timeout: float
    expect: Expect
    steps: tuple[Step, ...] = ()
    beside: tuple[Path, ...] = ()
    """Modules that run on the same board meanwhile, and must still run at its end."""
    quarantine: str = ""
    """Why its failures do not count; they are told all the same."""
    others: tuple[Other, ...] = ()
    """What runs there does so before the task begins."""
    wires: tuple[Wire, ...] = ()
    line: int = 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """A page. `icount` N: instructions take 2**N ns of virtual time, where the emulator can."""

    name: str
    path: Path
    seed: int
    retries: int
    icount: int | None
    cases: tuple[Case, ...]


def load(path: Path, *, targets: Sequence[str] = (), seed: int | None = None) -> Scenario:
    """Read a page. `targets` and `seed` replace the page's. UsageError says what is wrong and where."""
    try:
        text = path.read_text(encoding="utf-8")
        page = tomllib.loads(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path} cannot be read: {reason}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    try:
        return _scenario(path, text, page, tuple(targets), seed)
    except _Wrong as error:
        raise UsageError(f"{path}: {error}") from error


class _Wrong(Exception):
    """A sentence about a place of the page."""


def _scenario(
    path: Path, text: str, page: Mapping[str, Any], targets: tuple[str, ...], seed: int | None
) -> Scenario:
    _known(page, {"scenario", "case"}, "The page")
    head = _table(page.get("scenario", {}), "[scenario]")
    _known(head, _SCENARIO_KEYS, "[scenario]")
    cases = page.get("case", [])
    if not isinstance(cases, list) or not cases:
        raise _Wrong("It has no [[case]].")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "[[case]]"]
    lines += [1] * (len(cases) - len(lines))  # written inline
    found = []
    for table, line in zip(cases, lines, strict=False):
        found.append(_case(path.parent, _table(table, "A case"), head, targets, line))
    names = [case.name for case in found]
    for name in names:
        if names.count(name) > 1:
            raise _Wrong(f"Two cases are called {name!r}.")
    return Scenario(
        name=_text(head, "name", path.stem),
        path=path,
        seed=_number(head, "seed", 0) if seed is None else seed,
        retries=_number(head, "retries", 0),
        icount=_number(head, "icount", -1) if "icount" in head else None,
        cases=tuple(found),
    )


def _case(
    folder: Path, table: Mapping[str, Any], head: Mapping[str, Any], targets: tuple[str, ...], line: int
) -> Case:
    name = _text(table, "name", "")
    if not name:
        raise _Wrong(f"The case at line {line} has no name.")
    where = f"case {name!r}"
    _known(table, _CASE_KEYS, where)
    try:
        names = parse_names(targets or _texts(table, "targets") or _texts(head, "targets") or ("stm32f4",))
        ask = _ask(table)
        module = _find(folder, _text(table, "module", ""), where)
        beside = tuple(_find(folder, one, where) for one in _texts(table, "beside"))
        steps = tuple(parse_step(_table(step, "a step")) for step in table.get("step", []))
        expect = _expect(_table(table.get("expect", {}), "expect"))
        timeout = float(table.get("timeout", head.get("timeout", 60)))
        arguments = _arguments(table.get("args", []))
        boards = _table(table.get("boards", {}), "boards")
        others = tuple(_other(folder, name, _table(one, name)) for name, one in boards.items())
        wires = tuple(Wire.parse(one, HERE) for one in _texts(table, "wires"))
        _check_names(others, wires, steps)
    except (UsageError, MachineError, BoardError, ValueError, TypeError) as error:
        raise _Wrong(f"{where}: {error}") from error
    if timeout <= 0:
        raise _Wrong(f"{where}: a timeout of {timeout:g} s leaves no time.")
    return Case(
        name=name,
        module=module,
        arguments=arguments,
        ask=ask,
        targets=names,
        timeout=timeout,
        expect=expect,
        steps=tuple(sorted(steps, key=lambda step: step.at)),
        beside=beside,
        quarantine=_text(table, "quarantine", ""),
        line=line,
        others=others,
        wires=wires,
    )


def _ask(table: Mapping[str, Any]) -> Ask:
    return parse_ask(
        mem=_size(table, "mem"),
        cpus=float(table.get("cpus", 0.1)),
        stack=_size(table, "stack"),
        memory=_size(table, "memory"),
        log=_size(table, "log"),
        gpio=_size(table, "gpio"),
        sensors=_texts(table, "sensors"),
    )


def _other(folder: Path, name: str, table: Mapping[str, Any]) -> Other:
    where = f"board {name!r}"
    if name == HERE or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise UsageError(f"A board cannot be called {name!r}.", remedy="Write a word: lamp.")
    _known(table, _BOARD_KEYS, where)
    expect = _table(table.get("expect", {}), "expect")
    _known(expect, {"state", "log", "no_log", "pins"}, f"expect of {where}")
    board = _optional(table, "board")
    if board is not None:
        load_board(board)
    return Other(
        name=name,
        board=board,
        module=_find(folder, _text(table, "module", ""), where) if "module" in table else None,
        arguments=_arguments(table.get("args", [])),
        ask=_ask(table),
        expect=_expect(expect),
        state=_expect(expect).state if "state" in expect else None,
    )


def _check_names(others: Sequence[Other], wires: Sequence[Wire], steps: Sequence[Step]) -> None:
    names = {HERE, *(other.name for other in others)}
    for named in (*(name for wire in wires for name in (wire.source, wire.sink)), *(one.on for one in steps)):
        if named and named not in names:
            raise UsageError(f"There is no board {named!r}.", remedy=f"There is: {', '.join(sorted(names))}.")


def _find(folder: Path, text: str, where: str) -> Path:
    """A module beside the page, else as `mma run` finds it."""
    if not text:
        raise _Wrong(f"{where} names no module.")
    beside = folder / text
    return beside if beside.is_file() else find(text)


def _expect(table: Mapping[str, Any]) -> Expect:
    _known(table, _EXPECT_KEYS, "expect")
    state = _text(table, "state", TaskState.FINISHED.value)
    if state not in {one.value for one in TaskState if one.terminal}:
        raise UsageError(f"{state!r} is no state that a task ends in.", remedy="Write TASK_FINISHED, say.")
    pins = {int(pin): bool(level) for pin, level in _table(table.get("pins", {}), "pins").items()}
    bounds = {
        key: _number(table, key, 0)
        for key in ("stack_peak", "memory_peak", "cpu_us", "instructions")
        if key in table
    }
    return Expect(
        state=TaskState(state),
        reason=_optional(table, "reason"),
        message=_optional(table, "message"),
        result=_optional(table, "result"),
        log=_texts(table, "log"),
        no_log=_texts(table, "no_log"),
        pins=pins,
        **bounds,
    )


def _arguments(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(split_arguments(value))
    if isinstance(value, list):
        return tuple(str(one) for one in value)
    raise _Wrong("args must be text or a list.")


def _known(table: Mapping[str, Any], keys: set[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise _Wrong(
                f"{where} has {key!r}, which means nothing here. It may have: {', '.join(sorted(keys))}."
            )


def _table(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Wrong(f"{what} must be a table.")
    return value


def _text(table: Mapping[str, Any], key: str, otherwise: str) -> str:
    value = table.get(key, otherwise)
    if not isinstance(value, str):
        raise _Wrong(f"{key} must be text.")
    return value


def _optional(table: Mapping[str, Any], key: str) -> str | None:
    return _text(table, key, "") if key in table else None


def _size(table: Mapping[str, Any], key: str) -> str | None:
    """Text, or a number as text: mem = 8192 and mem = "8K"."""
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Wrong(f"{key} must be text or a whole number.")
    return str(value)


def _number(table: Mapping[str, Any], key: str, otherwise: int) -> int:
    value = table.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Wrong(f"{key} must be a whole number.")
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, ())
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise _Wrong(f"{key} must be text or a list of texts.")
    return tuple(value)


def slug(text: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^A-Za-z0-9._@+-]+", "-", text).strip("-") or "case"
