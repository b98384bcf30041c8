"""Values as Mesos writes them in flags: resources, attributes, durations, bytes.

Sources: src/common/values.cpp, resources.cpp and attributes.cpp; stout/duration.hpp and bytes.hpp.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.json_format import MessageToDict, Parse, ParseDict, ParseError

from agent.errors import ConfigError
from agent.proto import mesos_pb2 as mesos

DURATIONS: Mapping[str, float] = MappingProxyType(
    {
        **{"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "secs": 1.0},
        **{"mins": 60.0, "hrs": 3600.0, "days": 86400.0, "weeks": 604800.0},
    }
)
_BYTES: Mapping[str, int] = MappingProxyType(
    {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
)
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_RANGE = re.compile(r"(\d+)-(\d+)")
_NAME = re.compile(r"(?P<name>[^:;()\s]+)\s*(?:\(\s*(?P<role>[^:;()\s]+)\s*\))?\s*:(?P<value>.*)", re.DOTALL)


def parse_value(text: str) -> mesos.Value:
    """A scalar, [ranges], {set} or text, by its looks."""
    value = mesos.Value()
    packed = "".join(text.split())
    if packed.startswith("[") and packed.endswith("]"):
        value.type = mesos.Value.RANGES
        value.ranges.SetInParent()
        for part in filter(None, packed[1:-1].split(",")):
            match = _RANGE.fullmatch(part)
            if match is None or int(match[1]) > int(match[2]):
                raise ConfigError(f"{part!r} in {text!r} is no range.", remedy="Write [0-3,8-9].")
            value.ranges.range.add(begin=int(match[1]), end=int(match[2]))
    elif packed.startswith("{") and packed.endswith("}"):
        value.type = mesos.Value.SET
        value.set.item.extend(sorted(set(filter(None, packed[1:-1].split(",")))))
    elif _NUMBER.fullmatch(packed):
        value.type = mesos.Value.SCALAR
        value.scalar.value = float(packed)
    elif packed[:1] in ("[", "{"):
        raise ConfigError(f"{text!r} has no closing bracket.", remedy="Write [0-3,8-9] or {a,b}.")
    else:
        value.type = mesos.Value.TEXT
        value.text.value = text.strip()
    return value


def parse_resources(text: str) -> tuple[mesos.Resource, ...]:
    """`cpus:0.5;gpio:[0-3];sensors(lab):{temp0}`, or Mesos's JSON list; a role in parentheses makes a static
    reservation. ConfigError for what is neither."""
    if text.lstrip().startswith("["):
        return _resources_json(text)
    found = []
    for part in filter(str.strip, re.split(r"[;\n]", text)):
        match = _NAME.fullmatch(part.strip())
        value = parse_value(match["value"]) if match else mesos.Value(type=mesos.Value.TEXT)
        if match is None or value.type == mesos.Value.TEXT:
            raise ConfigError(
                f"{part.strip()!r} is no resource.", remedy="Write cpus:0.5;gpio:[0-3];sensors:{temp0}."
            )
        found.append(_resource(match["name"], match["role"], value))
    return tuple(found)


def _resource(name: str, role: str | None, value: mesos.Value) -> mesos.Resource:
    resource = mesos.Resource(name=name, type=value.type)
    if value.type == mesos.Value.SCALAR:
        if value.scalar.value < 0:
            raise ConfigError(f"The resource {name} is less than nothing.", remedy="Write 0 to offer none.")
        resource.scalar.CopyFrom(value.scalar)
    elif value.type == mesos.Value.RANGES:
        resource.ranges.CopyFrom(value.ranges)
    else:
        resource.set.CopyFrom(value.set)
    if role is not None and role != "*":
        resource.reservations.add(role=role, type=mesos.Resource.ReservationInfo.STATIC)
    return resource


def _resources_json(text: str) -> tuple[mesos.Resource, ...]:
    try:
        listed = json.loads(text)
        found = []
        for item in listed:
            role = item.pop("role", None)
            resource = ParseDict(item, mesos.Resource())
            kind = mesos.Value.Type.Name(resource.type).lower()
            if not resource.HasField(kind):
                raise ValueError(f"{resource.name} has no {kind}")
            if role not in (None, "*"):
                resource.reservations.add(role=role, type=mesos.Resource.ReservationInfo.STATIC)
            found.append(resource)
    except (ValueError, ParseError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"The JSON of the resources makes no sense: {error}.",
            remedy='Write [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}}].',
        ) from error
    return tuple(found)


def parse_attributes(text: str) -> Mapping[str, str]:
    """`rack:7;place:roof`: the values by name, as they were written."""
    found: dict[str, str] = {}
    for part in filter(str.strip, re.split(r"[;\n]", text)):
        name, colon, value = (piece.strip() for piece in part.partition(":"))
        if not (colon and name and value):
            raise ConfigError(f"{part.strip()!r} is no attribute.", remedy="Write rack:7;place:roof.")
        if parse_value(value).type == mesos.Value.SET:
            raise ConfigError(f"The attribute {name} is a set; Mesos has none.", remedy="Write a text.")
        found[name] = value
    return MappingProxyType(found)


def parse_duration(text: str) -> float:
    """`1.5mins` in seconds."""
    number = None if text.startswith("-") else _NUMBER.match(text)
    unit = text[number.end() :] if number else ""
    if number is None or unit not in DURATIONS:
        raise ConfigError(f"{text!r} is no duration.", remedy="Write 10secs, 1.5mins or 250ms.")
    return float(number[0]) * DURATIONS[unit]


def parse_bytes(text: str) -> int:
    """`2GB` in bytes."""
    number = re.match(r"\d+", text)
    unit = text[number.end() :] if number else ""
    if number is None or unit not in _BYTES:
        raise ConfigError(f"{text!r} is no number of bytes.", remedy="Write 64MB or 2GB.")
    return int(number[0]) * _BYTES[unit]


def show_duration(seconds: float) -> str:
    """In the largest unit that makes at least one."""
    name, size = "secs", 1.0
    for unit, each in DURATIONS.items():
        if seconds >= each or unit == "ns":
            name, size = unit, each
    return f"{seconds / size:.10g}{name}" if seconds else "0ns"


def show_bytes(count: int) -> str:
    """In the largest unit that leaves nothing over."""
    name, size = "B", 1
    for unit, each in _BYTES.items():
        if count and count % each == 0:
            name, size = unit, each
    return f"{count // size}{name}"


def show_value(value: mesos.Value | mesos.Resource | mesos.Attribute) -> str:
    """As it is written in a flag."""
    if value.type == mesos.Value.SCALAR:
        return f"{value.scalar.value:.10g}"
    if value.type == mesos.Value.RANGES:
        return "[" + ",".join(f"{span.begin}-{span.end}" for span in value.ranges.range) + "]"
    if value.type == mesos.Value.SET:
        return "{" + ",".join(value.set.item) + "}"
    return value.text.value if isinstance(value, mesos.Value | mesos.Attribute) else ""


def show_resources(resources: tuple[mesos.Resource, ...]) -> str:
    """As --resources takes them."""
    parts = []
    for resource in resources:
        role = f"({resource.reservations[-1].role})" if resource.reservations else ""
        parts.append(f"{resource.name}{role}:{show_value(resource)}")
    return ";".join(parts)


def parse_domain(text: str) -> mesos.DomainInfo:
    """As mesos-agent --domain: {"fault_domain": {"region": {"name": …}, "zone": {"name": …}}}."""
    try:
        found: mesos.DomainInfo = Parse(text, mesos.DomainInfo())
    except ParseError as error:
        raise ConfigError(f"{text!r} is no domain: {error}.", remedy=_DOMAIN) from error
    if not found.fault_domain.region.name or not found.fault_domain.zone.name:
        raise ConfigError(f"{text!r} names no region and zone.", remedy=_DOMAIN)
    return found


_DOMAIN = 'Write {"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "roof"}}}.'


def show_domain(domain: mesos.DomainInfo) -> str:
    """The same again."""
    return json.dumps(MessageToDict(domain, preserving_proto_field_name=True))
