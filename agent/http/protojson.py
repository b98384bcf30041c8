"""Protobuf as JSON in Mesos's dialect (stout/protobuf.hpp; asV1Protobuf of src/common/http.cpp).

Not proto3's: field names as in the .proto, 64 bit integers as numbers, fields with a default are always
told (unless deprecated), and v1 says "agent" where the messages say "slave".
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Json = dict[str, Any]
_NOT_IN_V1 = frozenset({"mesos.SlaveInfo.checkpoint"})
_WITH_EMPTY = frozenset(
    f"mesos.agent.Response.{name}" for name in ("GetTasks", "GetExecutors", "GetFrameworks")
)
"""Messages whose lists are told even when they are empty."""
_DEPTH = 64
"""How deep JSON from outside may nest."""


class JsonError(Exception):
    """The text is no JSON of the message; the words are Mesos's."""


# -- out -------------------------------------------------------------------------------------------------


def to_json(message: Message, *, v1: bool = False) -> Json:
    """The message; `v1` renames slave to agent in fields and enum values."""
    shown: Json = {}
    for field, name in _shown_fields(message.DESCRIPTOR, v1):
        value = getattr(message, field.name)
        if field.is_repeated:
            if len(value) or message.DESCRIPTOR.full_name in _WITH_EMPTY:
                shown[name] = _repeated(field, value, v1)
        elif _told(field) or message.HasField(field.name):
            shown[name] = _value(field, value, v1)
    return shown


@lru_cache
def _shown_fields(descriptor: Descriptor, v1: bool) -> tuple[tuple[FieldDescriptor, str], ...]:
    fields = [field for field in descriptor.fields if not (v1 and field.full_name in _NOT_IN_V1)]
    return tuple((field, field.name.replace("slave", "agent") if v1 else field.name) for field in fields)


@lru_cache
def _told(field: FieldDescriptor) -> bool:
    """Told even when it is not set."""
    return bool(field.has_default_value) and not field.GetOptions().deprecated


def _map_value(field: FieldDescriptor) -> FieldDescriptor | None:
    """The field of a map's values; None when `field` is no map."""
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["value"]


def _repeated(field: FieldDescriptor, values: Any, v1: bool) -> Any:
    of = _map_value(field)
    if of is None:
        return [_value(field, value, v1) for value in values]
    return {str(key): _value(of, values[key], v1) for key in sorted(values)}


def _value(field: FieldDescriptor, value: Any, v1: bool) -> Any:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return to_json(value, v1=v1)
    if field.enum_type is not None:
        name = field.enum_type.values_by_number[value].name
        return name.replace("SLAVE", "AGENT") if v1 else name
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    return number(value) if isinstance(value, float) else value


def number(value: float) -> float | str:
    """The number, or the name of what is none in JSON: a limit may be "Infinity"."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


# -- in --------------------------------------------------------------------------------------------------


def from_json(text: bytes, message: Message, *, v1: bool = False) -> None:
    """Fill `message`; what it has no field for is ignored. JsonError in Mesos's words."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        if b"\\u" in text:
            value = _whole(value)
    except (ValueError, RecursionError) as error:
        raise JsonError(f"Failed to parse body into JSON: {_why(error)}") from error
    if not isinstance(value, dict):
        raise JsonError("Expecting a JSON object")
    _fill(message, value, v1, _DEPTH)
    missing: list[str] = cast(Any, message).FindInitializationErrors()
    if missing:
        raise JsonError(f"Missing required fields: {', '.join(sorted(missing))}")


def _whole(value: Any) -> Any:
    """Lone surrogates are JSON but no text; Mesos's own parser makes U+FFFD of them."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return value


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"syntax error at line {error.lineno} near: {error.doc[error.pos :][:40]}"
    return (
        "the text is no UTF-8" if isinstance(error, UnicodeDecodeError) else "it is no JSON or nests too deep"
    )


@lru_cache
def _fields(descriptor: Descriptor, v1: bool) -> Mapping[str, FieldDescriptor]:
    return {name: field for field, name in _shown_fields(descriptor, v1)}


def _fill(message: Message, value: Json, v1: bool, depth: int) -> None:
    if depth == 0:
        raise JsonError("Failed to parse body into JSON: it nests too deep")
    known = _fields(message.DESCRIPTOR, v1)
    for name, item in value.items():
        field = known.get(name)
        if field is not None and item is not None:
            _set(message, field, item, v1, depth - 1)


def _set(message: Message, field: FieldDescriptor, value: Any, v1: bool, depth: int) -> None:
    if isinstance(value, list):
        if not field.is_repeated:
            raise _unexpected("array", field)
        for item in value:
            if isinstance(item, list):
                raise _unexpected("array", field)
            if item is not None:
                _set(message, field, item, v1, depth)
    elif isinstance(value, dict):
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            raise _unexpected("object", field)
        _set_message(message, field, value, v1, depth)
    else:
        plain = _scalar(field, value, v1)
        if plain is None:
            return
        if field.is_repeated:
            getattr(message, field.name).append(plain)
        else:
            setattr(message, field.name, plain)


def _set_message(message: Message, field: FieldDescriptor, value: Json, v1: bool, depth: int) -> None:
    here = getattr(message, field.name)
    of = _map_value(field)
    if of is not None:
        for key, item in value.items():
            if of.message_type is None or not isinstance(item, dict):
                raise _unexpected("object", field)
            _fill(here[key], item, v1, depth)
    elif field.is_repeated:
        _fill(here.add(), value, v1, depth)
    else:
        here.SetInParent()
        _fill(here, value, v1, depth)


_INTEGERS: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
}


def _scalar(field: FieldDescriptor, value: Any, v1: bool) -> Any:
    """A JSON string, number or boolean for a field; None for an enum value that nobody knows."""
    kind = field.type
    if isinstance(value, bool):
        if kind != FieldDescriptor.TYPE_BOOL:
            raise _unexpected("boolean", field)
        return value
    if isinstance(value, str):
        convert = _TEXTS.get(kind)
        if convert is not None:
            return convert(field, value, v1)
        if kind == FieldDescriptor.TYPE_BOOL and value in ("true", "false"):
            return value == "true"
        if kind == FieldDescriptor.TYPE_MESSAGE or kind == FieldDescriptor.TYPE_BOOL:
            raise _unexpected("string", field)
        try:
            value = float(value) if kind not in _INTEGERS else int(value[:40])
        except ValueError as error:
            raise JsonError(
                f"Failed to parse '{value[:80]}' as a JSON number for field '{field.name}'"
            ) from error
    return _number(field, value)


def _number(field: FieldDescriptor, value: float) -> Any:
    if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return float(value)
    bounds = _INTEGERS.get(field.type)
    if bounds is None:
        raise _unexpected("number", field)
    if isinstance(value, float) and not math.isfinite(value):
        raise _unexpected("number", field)
    low, high = bounds
    # Where C++ would wrap around, the nearest value that there is.
    return min(max(int(value), low), high)


def _enum(field: FieldDescriptor, value: str, v1: bool) -> int | None:
    assert field.enum_type is not None
    known = field.enum_type.values_by_name
    found = known.get(value.replace("AGENT", "SLAVE") if v1 else value) or known.get(value)
    if found is None and field.is_required:
        raise JsonError(f"Failed to find enum for '{value[:80]}'")
    return None if found is None else int(found.number)


def _bytes(field: FieldDescriptor, value: str, v1: bool) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise JsonError(f"Failed to base64 decode bytes field '{field.name}': {error}") from error


def _string(field: FieldDescriptor, value: str, v1: bool) -> str:
    return value


_TEXTS: Mapping[int, Callable[[FieldDescriptor, str, bool], Any]] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_ENUM: _enum,
}


def _unexpected(what: str, field: FieldDescriptor) -> JsonError:
    return JsonError(f"Not expecting a JSON {what} for field '{field.name}'")
