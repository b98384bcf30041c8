"""Before a launch: does it fit, where, and by how many bytes not. The launch dialog's arithmetic.

A draft is what was typed. Judging it compiles the module and asks each target's compiler for the sizes,
then compares them with what the target has, and what of it is free now.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from console.cluster.mesos import Resources, TaskSpec, mem_bytes, mem_scalar
from console.errors import UsageError
from console.fit.budgets import LABELS, Ask, parse_ask
from console.fit.grants import Ungranted, ungranted
from console.live.seam import Backend
from console.state.model import Link, State, Target
from console.state.rows import fleet_rows
from hal.budget import Parts
from hal.errors import BudgetError, HalError
from hal.target import Budget


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed into the dialog; empty where it was left to us."""

    module: Path
    arguments: str = ""
    cpus: str = ""
    mem: str = ""
    stack: str = ""
    memory: str = ""
    log: str = ""
    gpio: str = ""
    sensors: str = ""

    def argument_words(self) -> tuple[str, ...]:
        """As a shell would split them. UsageError for an open quote."""
        try:
            return tuple(shlex.split(self.arguments))
        except ValueError as error:
            raise UsageError(f"The arguments cannot be read: {error}.", remedy="Close the quotes.") from None

    def ask(self) -> Ask:
        """The budgets. UsageError says which is wrong."""
        try:
            cpus = float(self.cpus) if self.cpus.strip() else 0.1
        except ValueError:
            raise UsageError(f"{self.cpus!r} is no share of a core.", remedy="Write 0.1, say.") from None
        return parse_ask(
            mem=self.mem.strip() or None,
            cpus=cpus,
            stack=self.stack.strip() or None,
            memory=self.memory.strip() or None,
            log=self.log.strip() or None,
            gpio=self.gpio.strip() or None,
            sensors=[self.sensors] if self.sensors.strip() else [],
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a draft fits on a target. `parts` is None when its size there is unknown.

    `never` are reasons why it cannot run there, `waits` what it would wait for. `left` bytes stay free.
    """

    target: str
    parts: Parts | None = None
    mem: int = 0
    free: int = 0
    never: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        """It can be launched, though it may have to wait."""
        return self.mem > 0 and not self.never

    @property
    def left(self) -> int:
        """Free bytes after it was launched."""
        return self.free - self.mem


@dataclass(frozen=True, slots=True)
class Plan:
    """A draft that makes sense, and where it fits."""

    draft: Draft
    module: bytes
    ask: Ask
    arguments: tuple[str, ...]
    fits: Mapping[str, Fit]
    ungranted: tuple[Ungranted, ...] = ()
    """What it calls in vain, wherever it runs."""

    def spec(self, target: str) -> TaskSpec:
        """The task to submit; its memory is always said, so that the master can account for it."""
        ask = replace(self.ask, mem=self.fits[target].mem)
        name = self.draft.module.stem
        source = self.draft.module.resolve()
        return TaskSpec(name, self.module, target, ask.resources(), self.arguments, ask.labels(), source)


async def make_plan(backend: Backend, draft: Draft, state: State) -> Plan:
    """Judge a draft. UsageError, ModuleError, ToolchainError say what is wrong with it everywhere."""
    ask, arguments = draft.ask(), draft.argument_words()
    module = await backend.load(draft.module)
    free = {row.target.name: row.free for row in fleet_rows(state)}
    fits = {}
    for target in state.targets.values():
        fits[target.name] = await _fit(backend, module, ask, arguments, target, state, free[target.name])
    denied = await asyncio.to_thread(ungranted, module, ask)
    return Plan(draft, module, ask, arguments, fits, denied)


async def _fit(
    backend: Backend,
    module: bytes,
    ask: Ask,
    arguments: tuple[str, ...],
    target: Target,
    state: State,
    free: int,
) -> Fit:
    if target.description is None or target.link not in (Link.UP, Link.ELSEWHERE):
        return Fit(target.name, never=(f"it is {target.link.value}",))
    budget = Budget(total=ask.mem, cpus=ask.cpus, stack=ask.stack, memory=ask.memory, log=ask.log)
    try:
        if target.link is Link.ELSEWHERE:
            parts = await backend.size_by(target.description.attributes, module, arguments, budget)
        else:
            parts = await backend.size(module, target.name, arguments, budget)
    except BudgetError as error:
        return Fit(target.name, free=free, never=(error.message,))
    except HalError as error:
        return Fit(target.name, free=free, never=(str(error),))
    return _judged(ask, parts, target, state, free)


def _judged(ask: Ask, parts: Parts | None, target: Target, state: State, free: int) -> Fit:
    """Compared with what the target has, and with what of it is free now."""
    mem = mem_bytes(mem_scalar(ask.mem or (parts.total if parts else 0)))
    never: list[str] = []
    waits: list[str] = []
    if mem > target.mem_bytes:
        never.append(f"{mem - target.mem_bytes:,} bytes more than it has")
    elif mem > free:
        waits.append(f"{mem - free:,} bytes short now")
    wanted = ask.resources()
    whole = Resources.of_target(target.description) if target.description else Resources()
    never += [lack.text for lack in wanted.shortfalls(whole) if lack.name != "mem"]
    offer = state.offer_of(target.name)
    if offer is not None and not never:
        waits += [lack.text for lack in wanted.shortfalls(offer.resources) if lack.name != "mem"]
    return Fit(target.name, parts, mem, free, tuple(never), tuple(waits))


def ask_of(spec: TaskSpec) -> Ask:
    """What a task asked for when it was launched."""
    held = spec.resources
    sizes = {name: int(spec.labels[f"mma.{name}"]) for name in LABELS if f"mma.{name}" in spec.labels}
    mem = held.scalars.get("mem")
    return Ask(
        mem=None if mem is None else mem_bytes(mem),
        cpus=held.scalars.get("cpus", 0.1),
        gpio=held.ranges.get("gpio", ()),
        sensors=held.sets.get("sensors", frozenset()),
        **sizes,
    )


async def clone_fits(backend: Backend, spec: TaskSpec, state: State) -> Mapping[str, Fit]:
    """Where a task could run once more. On its own kind of target it asks for the same memory; on another its
    code has another size, so it asks for what it takes there."""
    ask, home = ask_of(spec), state.targets.get(spec.target)
    free = {row.target.name: row.free for row in fleet_rows(state)}
    fits = {}
    for target in state.targets.values():
        there = ask if _board(target) == _board(home) else replace(ask, mem=None)
        name = target.name
        fits[name] = await _fit(backend, spec.module, there, spec.arguments, target, state, free[name])
    return fits


def cloned(spec: TaskSpec, fit: Fit) -> TaskSpec:
    """The same task for the target of a fit."""
    ask = replace(ask_of(spec), mem=fit.mem)
    return replace(spec, target=fit.target, resources=ask.resources(), labels=ask.labels())


def _board(target: Target | None) -> str:
    return target.description.attributes.get("board", "") if target and target.description else ""
