"""What an operator lets of a target be offered: --resources and --default_role over its own facts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from agent.errors import ConfigError
from agent.proto import mesos_pb2 as mesos
from agent.values import show_value

_SHARED = frozenset({"cpus"})
"""Shares of time: an operator may promise more of them than there is, as on any Mesos agent."""


def limited(
    name: str, device: Sequence[mesos.Resource], wanted: Sequence[mesos.Resource], default_role: str = "*"
) -> list[mesos.Resource]:
    """The resources of target `name`. What `wanted` names takes the place of the device's own: less of it,
    divided among roles, none (0), or something that the device knows nothing of. What it does not name
    stays as it is. ConfigError when it promises what the device does not have."""
    named = {item.name for item in wanted}
    own = {item.name: item for item in device}
    found = [item for item in device if item.name not in named]
    for each in named & own.keys():
        _check(name, own[each], [item for item in wanted if item.name == each])
    found += [item for item in wanted if not _empty(item)]
    return [_to_role(item, default_role) for item in found]


def _empty(item: mesos.Resource) -> bool:
    """Mesos drops a whole registration for a scalar that it rounds to nothing."""
    if item.type == mesos.Value.SCALAR:
        return round(item.scalar.value * 1000) <= 0
    return not (item.ranges.range or item.set.item)


def _to_role(item: mesos.Resource, role: str) -> mesos.Resource:
    if role == "*" or item.reservations:
        return item
    reserved = mesos.Resource()
    reserved.CopyFrom(item)
    reserved.reservations.add(role=role, type=mesos.Resource.ReservationInfo.STATIC)
    return reserved


def _check(name: str, own: mesos.Resource, wanted: Sequence[mesos.Resource]) -> None:
    for item in wanted:
        if item.type != own.type:
            raise _too_much(name, own, f"{item.name} is of another kind")
    if own.type == mesos.Value.SCALAR:
        total = sum(item.scalar.value for item in wanted)
        if own.name not in _SHARED and round(total * 1000) > round(own.scalar.value * 1000):
            raise _too_much(name, own, f"{total:g} is more")
    elif own.type == mesos.Value.RANGES:
        spans = sorted((span.begin, span.end) for item in wanted for span in item.ranges.range)
        for begin, end in spans:
            if not any(each.begin <= begin and end <= each.end for each in own.ranges.range):
                raise _too_much(name, own, f"{begin}-{end} is not among them")
        if any(after[0] <= before[1] for before, after in pairwise(spans)):
            raise _too_much(name, own, "a number is given twice")
    else:
        items = [each for item in wanted for each in item.set.item]
        if strange := set(items) - set(own.set.item):
            raise _too_much(name, own, f"{', '.join(sorted(strange))} is not among them")
        if len(set(items)) != len(items):
            raise _too_much(name, own, "an item is given twice")


def _too_much(name: str, own: mesos.Resource, problem: str) -> ConfigError:
    return ConfigError(
        f"{name} has {own.name}:{show_value(own)}; {problem}.", remedy="Ask less of it by --resources."
    )
