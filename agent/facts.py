"""What a target is, in Mesos's words: resources, attributes, capabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from agent.proto import mesos_pb2 as mesos
from agent.values import parse_value
from hal.target import MEBIBYTE, Description, Items, Ranges, Resource, Scalar

CAPABILITIES = (
    mesos.SlaveInfo.Capability.MULTI_ROLE,
    mesos.SlaveInfo.Capability.HIERARCHICAL_ROLE,
    mesos.SlaveInfo.Capability.RESERVATION_REFINEMENT,
    mesos.SlaveInfo.Capability.RESOURCE_PROVIDER,
    mesos.SlaveInfo.Capability.AGENT_OPERATION_FEEDBACK,
    mesos.SlaveInfo.Capability.AGENT_DRAINING,
    mesos.SlaveInfo.Capability.TASK_RESOURCE_LIMITS,
)
"""What these agents can do. Without the first three, frameworks that have roles get no offers of ours. With
RESOURCE_PROVIDER reservations come as operations, one by one. RESIZE_VOLUME makes no sense without files."""

TARGET_ATTRIBUTE = "target"
"""Names the target behind an agent, as on the command line: its hostname is the gateway's."""


def round_scalar(value: float) -> float:
    """To the three decimals that Mesos compares (llround of 1000 times the value)."""
    return round(value * 1000) / 1000


def mem_bytes(value: float) -> int:
    """Mesos `mem` (MB of 2**20, three decimals) as the nearest whole number of bytes, halves up."""
    return (round(value * 1000) * MEBIBYTE + 500) // 1000


def resources_of(description: Description) -> list[mesos.Resource]:
    """The target's resources, rounded; what would be zero or empty is left out, since a master drops the
    whole registration for a scalar that it rounds to nothing."""
    found = (_resource(item) for item in description.resources)
    return [resource for resource in found if resource is not None]


@lru_cache(maxsize=1024)
def _resource(item: Resource) -> mesos.Resource | None:
    """Boards of one kind share their messages, which nobody changes: a fleet would be full of copies."""
    resource = mesos.Resource(name=item.name)
    if isinstance(item, Scalar):
        value = round_scalar(item.value)
        if value <= 0:
            return None
        resource.type = mesos.Value.SCALAR
        resource.scalar.value = value
    elif isinstance(item, Ranges):
        if not item.ranges:
            return None
        resource.type = mesos.Value.RANGES
        for begin, end in item.ranges:
            resource.ranges.range.add(begin=begin, end=end)
    elif isinstance(item, Items):
        if not item.items:
            return None
        resource.type = mesos.Value.SET
        resource.set.item.extend(sorted(item.items))
    return resource


def attributes_of(description: Description, extra: Mapping[str, str]) -> list[mesos.Attribute]:
    """The target's name and facts as TEXT, then what the operator adds (which wins), typed by its looks."""
    facts = {TARGET_ATTRIBUTE: description.name, **description.attributes}
    texts = {name: (text, False) for name, text in facts.items()}
    texts |= {name: (text, True) for name, text in extra.items()}
    return [_attribute(name, *text) for name, text in sorted(texts.items())]


@lru_cache(maxsize=1024)
def _attribute(name: str, text: str, typed: bool) -> mesos.Attribute:
    """Shared like _resource()'s."""
    value = mesos.Value(type=mesos.Value.TEXT, text=mesos.Value.Text(value=text))
    if typed:
        value = parse_value(text)
    attribute = mesos.Attribute(name=name, type=value.type)
    if value.type == mesos.Value.SCALAR:
        attribute.scalar.CopyFrom(value.scalar)
    elif value.type == mesos.Value.RANGES:
        attribute.ranges.CopyFrom(value.ranges)
    else:
        attribute.text.CopyFrom(value.text)
    return attribute


# -- reading what a task holds -----------------------------------------------------------------------


def scalar_of(resources: Iterable[mesos.Resource], name: str) -> float:
    """The sum of the scalars called `name` over all reservations."""
    return round_scalar(sum(item.scalar.value for item in resources if item.name == name))


def ranges_of(resources: Iterable[mesos.Resource], name: str) -> list[tuple[int, int]]:
    """The inclusive pairs called `name`."""
    return [(span.begin, span.end) for item in resources if item.name == name for span in item.ranges.range]


def items_of(resources: Iterable[mesos.Resource], name: str) -> frozenset[str]:
    """The items of the sets called `name`."""
    return frozenset(item for resource in resources if resource.name == name for item in resource.set.item)
