"""Why a task does not fit an offer, and what would: to the byte, from facts alone.

The master decides by the same sums: an offer's resources against the task's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from console.cluster.mesos import Offer, Resources, Shortfall, format_ranges, mem_bytes, mem_scalar
from console.fit.budgets import Ask
from hal.budget import Parts

LEAST_LOG = 32
"""Bytes of log ring that `least` has."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be run. `mem` bytes are split into `parts` on that kind of target; `trouble` says why there
    are none. `least` bytes would do, where more was asked for."""

    name: str
    ask: Ask
    mem: int = 0
    parts: Parts | None = None
    trouble: str = ""
    least: int = 0

    @property
    def resources(self) -> Resources:
        """What it asks of the master."""
        held = self.ask.resources()
        scalars = {**held.scalars, "mem": mem_scalar(self.mem)} if self.mem else held.scalars
        return Resources(scalars, held.ranges, held.sets)


@dataclass(frozen=True, slots=True)
class Holder:
    """A living task on the offer's target, and what it holds there."""

    name: str
    resources: Resources

    def amount(self, name: str) -> float:
        """Of a scalar; `mem` in bytes."""
        value = self.resources.scalars.get(name, 0.0)
        return mem_bytes(value) if name == "mem" else value


@dataclass(frozen=True, slots=True)
class Why:
    """The answer: what the offer lacks, a sentence each, and what would help. `short` is how many bytes of
    memory are missing, `left` how many stay when it fits."""

    wish: Wish
    lacks: tuple[str, ...] = ()
    would: tuple[str, ...] = ()
    short: int = 0
    left: int = 0

    @property
    def fits(self) -> bool:
        """It can be launched from this offer."""
        return not self.lacks


def why(
    wish: Wish,
    offer: Offer,
    *,
    whole: Resources | None = None,
    holders: Sequence[Holder] = (),
    others: Iterable[Offer] = (),
) -> Why:
    """Judge one offer. `whole` is all that its target has, given away or not, where that is known; `others`
    are further open offers of this kind of target."""
    if wish.trouble:
        return Why(wish, (wish.trouble,))
    wanted = wish.resources
    lacking = wanted.shortfalls(offer.resources)
    offered = mem_bytes(offer.resources.scalars.get("mem", 0.0))
    if not lacking:
        return Why(wish, left=offered - mem_bytes(mem_scalar(wish.mem)))
    never = {one.name for one in wanted.shortfalls(whole)} if whole is not None else set[str]()
    would: list[str] = []
    for lack in lacking:
        if lack.name not in never:
            would += _ends(wanted, offer.resources, lack.name, holders)
        would += _less(wish, offer, lack.name)
        if lack.name in never and whole is not None:
            would.append(_never(lack.name, offer.target, whole))
    fitting = [one.target for one in others if one.id != offer.id and not wanted.shortfalls(one.resources)]
    if fitting:
        would.append(f"The offer of {' or '.join(dict.fromkeys(fitting))}, which has enough.")
    short = max(0, mem_bytes(wanted.scalars.get("mem", 0.0)) - offered)
    return Why(wish, tuple(_sentence(lack, wish, offered) for lack in lacking), tuple(would), short)


def _sentence(lack: Shortfall, wish: Wish, offered: int) -> str:
    if lack.name != "mem":
        return f"{lack.text}."
    needed = mem_bytes(mem_scalar(wish.mem))
    return f"{needed - offered:,} bytes short: it takes {needed:,}, {offered:,} are offered."


def _never(name: str, target: str, whole: Resources) -> str:
    """The target never has so much."""
    if name == "mem":
        return f"A larger board: {target} has {mem_bytes(whole.scalars.get('mem', 0.0)):,} bytes in all."
    if name in whole.scalars:
        return f"Another board: {target} has {name} {whole.scalars[name]:g} in all."
    return f"Another board: {target} has no such {name}."


def _ends(wanted: Resources, offered: Resources, name: str, holders: Sequence[Holder]) -> list[str]:
    """Whose end would give back what is missing."""
    if name not in wanted.scalars:
        return [
            f"The end of {one.name}, which holds {name} {what}."
            for one in holders
            if (what := _common(wanted, one.resources, name))
        ]
    missing = Holder("", wanted).amount(name) - Holder("", offered).amount(name)
    able = sorted((one for one in holders if one.amount(name) > 0), key=lambda one: one.amount(name))
    enough = next((one for one in able if one.amount(name) >= missing), None)
    if enough is not None:
        return [f"The end of {enough.name}, which holds {_words(name, enough.amount(name))}."]
    if able and sum(one.amount(name) for one in able) >= missing:
        chosen: list[Holder] = []
        while sum(one.amount(name) for one in chosen) < missing:
            chosen.append(able.pop())
        together = _words(name, sum(one.amount(name) for one in chosen))
        return [f"The end of {' and '.join(one.name for one in chosen)}, which hold {together} together."]
    return []


def _words(name: str, amount: float) -> str:
    return f"{int(amount):,} bytes" if name == "mem" else f"{name} {amount:g}"


def _common(wanted: Resources, held: Resources, name: str) -> str:
    """What of a range or a set both have, as Mesos writes it."""
    names = sorted(wanted.sets.get(name, frozenset()) & held.sets.get(name, frozenset()))
    if names:
        return ", ".join(names)
    pairs = [
        (max(a, c), min(b, d))
        for a, b in wanted.ranges.get(name, ())
        for c, d in held.ranges.get(name, ())
        if max(a, c) <= min(b, d)
    ]
    return format_ranges(pairs) if pairs else ""


def _less(wish: Wish, offer: Offer, name: str) -> list[str]:
    """What it could ask instead, if that is enough for it."""
    if name == "cpus":
        cpus = offer.resources.scalars.get("cpus", 0.0)
        return [f"A CPU share of at most {cpus:g}."] if cpus >= 0.001 else []
    if name != "mem":
        return []
    offered = mem_bytes(offer.resources.scalars.get("mem", 0.0))
    if wish.least and wish.least <= offered:
        return [f"Less: {wish.least:,} bytes are enough for it, with a log of {LEAST_LOG} bytes."]
    return []
