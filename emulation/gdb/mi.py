"""Lines of GDB/MI (GDB manual, chapter 27.2 "GDB/MI Output Syntax") as Python values.

Not pygdbmi's parser: 0.11 loops for ever on the `script={"..."}` of a breakpoint with commands, and takes
about a second of the event loop for 1 MiB of memory contents. The tests compare the two on what both read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

Value: TypeAlias = "str | list[Value] | dict[str, Value]"


class Kind(Enum):
    """The character that begins a record."""

    RESULT = "^"
    EXEC = "*"
    STATUS = "+"
    NOTIFY = "="
    CONSOLE = "~"
    TARGET = "@"
    LOG = "&"
    PROMPT = "("
    OTHER = ""
    """Not MI: what a program that GDB runs in its own terminal would print."""


class Fields:
    """A tuple of named MI values; every reader has a default, for GDB leaves out what it does not know."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Value] | None = None) -> None:
        self.values: Mapping[str, Value] = values or {}

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def __repr__(self) -> str:
        return f"Fields({self.values!r})"

    def text(self, key: str, default: str = "") -> str:
        """The string, or the default where there is none."""
        value = self.values.get(key, default)
        return value if isinstance(value, str) else default

    def number(self, key: str) -> int | None:
        """The string as an integer, decimal or 0x...; None where there is none."""
        try:
            return int(self.text(key), 0)
        except ValueError:
            return None

    def integer(self, key: str, default: int = 0) -> int:
        """As number(), with a default."""
        number = self.number(key)
        return default if number is None else number

    def flag(self, key: str) -> bool:
        """GDB writes y, 1 or true."""
        return self.text(key) in ("y", "1", "true")

    def fields(self, key: str) -> Fields:
        """The tuple of that name, empty where there is none."""
        value = self.values.get(key)
        return Fields(value) if isinstance(value, dict) else Fields()

    def items(self, key: str) -> list[Fields]:
        """The tuples in the list of that name; also where GDB repeats a name instead of using a list."""
        value = self.values.get(key)
        if isinstance(value, dict):
            return [Fields(value)]
        return [Fields(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def texts(self, key: str) -> list[str]:
        """The strings in the list of that name."""
        value = self.values.get(key)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Record:
    """One line: `name` is done, error, stopped ...; `text` is the words of a stream record."""

    kind: Kind
    name: str = ""
    token: int | None = None
    fields: Fields = field(default_factory=Fields)
    text: str = ""


_HEAD = re.compile(r"(?P<token>\d+)?(?P<kind>[\^*+=])(?P<name>[\w-]+)(?P<rest>,|$)")
_STRING = re.compile(r'"(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_NAME = re.compile(r"\s*,?\s*(?P<name>[\w.-]+)=")
_ESCAPE = re.compile(r"(?:\\[0-7]{3})+|\\(.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_DEPTH = 64
"""Deeper nesting than GDB's: a variable's structure is inside one string."""


def parse(line: str) -> Record:
    """The record in one line without its end. Never fails: what is not MI comes back as Kind.OTHER."""
    head = _HEAD.match(line)
    if head is not None:
        try:
            fields = Fields(_tuple(line, head.end(), len(line), 0)[0]) if head["rest"] else Fields()
        except ValueError:
            return Record(Kind.OTHER, text=line)
        token = int(head["token"]) if head["token"] else None
        return Record(Kind(head["kind"]), head["name"], token, fields)
    if line[:1] in ("~", "@", "&") and (string := _STRING.match(line, 1)):
        return Record(Kind(line[0]), text=unescape(string["text"]))
    if line.startswith("(gdb)"):
        return Record(Kind.PROMPT)
    return Record(Kind.OTHER, text=line)


def unescape(text: str) -> str:
    """Undo the escapes of a C string; octal bytes are UTF-8."""
    return _ESCAPE.sub(_escape, text) if "\\" in text else text


def _escape(match: re.Match[str]) -> str:
    letter: str | None = match[1]
    if letter is not None:
        return _LETTERS.get(letter, letter)
    octal = match[0].split("\\")[1:]
    return bytes(int(digits, 8) & 0xFF for digits in octal).decode(errors="replace")


def quote(text: str) -> str:
    """An argument of an MI command; as a C string where it must be."""
    if text and not re.search(r'[\s"\\]', text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _tuple(line: str, at: int, end: int, depth: int) -> tuple[dict[str, Value], int]:
    """`name=value,...` up to `}` or the end. A name that GDB repeats gets a list."""
    values: dict[str, Value] = {}
    repeated: set[str] = set()
    while at < end and line[at] != "}":
        match = _NAME.match(line, at)
        if match is None:
            raise ValueError(line[at : at + 20])
        name = match["name"]
        value, at = _value(line, match.end(), end, depth)
        if name not in values:
            values[name] = value
        elif name in repeated:
            known = values[name]
            assert isinstance(known, list)
            known.append(value)
        else:
            repeated.add(name)
            values[name] = [values[name], value]
    return values, at + 1


def _value(line: str, at: int, end: int, depth: int) -> tuple[Value, int]:
    if depth > _DEPTH or at >= end:
        raise ValueError("nested too deeply or cut off")
    first = line[at]
    if first == '"':
        string = _STRING.match(line, at)
        if string is None:
            raise ValueError("unfinished string")
        return unescape(string["text"]), string.end()
    if first == "{" and line[at + 1 : at + 2] != '"':
        return _tuple(line, at + 1, end, depth + 1)
    if first in "[{":  # `script={"one","two"}` is a list too, in GDB's MI 3
        return _list(line, at + 1, end, depth + 1)
    raise ValueError(line[at : at + 20])


def _list(line: str, at: int, end: int, depth: int) -> tuple[list[Value], int]:
    """Values, or `name=value` results whose names are dropped: they are all the same."""
    values: list[Value] = []
    while at < end and line[at] not in "]}":
        if line[at] == ",":
            at += 1
            continue
        named = None if line[at] in '"{[' else _NAME.match(line, at)
        value, at = _value(line, named.end() if named else at, end, depth)
        values.append(value)
    if at >= end:
        raise ValueError("unfinished list")
    return values, at + 1
