"""Cuts out of a module text what no target has, so that the rest of it can be played.

The newest scripts use typed references and garbage collection beside everything else, and their modules
import from each other. Here fields that use such proposals go, with all that names them; and imports of
constants and plain functions become definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import wasmtime
from player import HOSTS
from script import Form, module_bytes, name, parse

from hal.aot.binary import read
from hal.aot.validate import validate_core
from hal.errors import ModuleError

SPECTEST = """(module
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (memory (export "memory") 1 2))"""
"""What scripts may import besides functions, by interpreter/README.md of WebAssembly/spec."""

_BEYOND = re.compile(
    r"\((ref|rec|sub|struct|array|tag)\s|\b(any|eq|i31|exn|struct|array|null\w*)ref\b"
    r"|ref\.null\s+(?!func\b|extern\b)|(call_ref|return_call|br_on_|ref\.as_|throw|try_table|i31\.)"
)
_TABLE_START = re.compile(r"^\(table\b[^()]*\((ref|global)\.")
_GLOBAL_START = re.compile(r"^\(global\b.*\(global\.get\b", re.DOTALL)
_STATE = re.compile(r"\b(global|memory|table|call|call_indirect|\w+\.load\w*|\w+\.store\w*)\b")
_NAME = re.compile(r"\$[^\s()]+")


@dataclass(frozen=True, slots=True)
class Source:
    """A module of a script, and the text that it stands in."""

    form: Form
    text: str


class Modules:
    """The modules of a script, in order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._registered = {"spectest": Source(parse(SPECTEST)[0], SPECTEST)}
        self._named: dict[str, Source] = {}

    def binary(self, form: Form) -> bytes:
        """The binary of a module form, cut to what targets have.

        KeyError, ModuleError, wasmtime.WasmtimeError if nothing is left of it.
        """
        source = Source(form, self._text)
        self._named[""] = source
        if form.words[1:2] and form.words[1].startswith("$"):
            self._named[form.words[1]] = source
        try:
            return _checked(module_bytes(form, self._text))
        except (KeyError, ModuleError, wasmtime.WasmtimeError) as error:
            trimmed = trim(source, self._registered)
            if trimmed is None:
                raise
            try:
                return _checked(bytes(wasmtime.wat2wasm(trimmed.encode("utf-8", "surrogateescape"))))
            except (KeyError, ModuleError, wasmtime.WasmtimeError):
                raise error from None

    def register(self, form: Form) -> None:
        """The command `register`."""
        who = form.words[2] if len(form.words) > 2 else ""
        if who in self._named:
            self._registered[name(form.words[1])] = self._named[who]


def _checked(binary: bytes) -> bytes:
    validate_core(binary)
    for one in read(binary).imports:
        if (one.module, one.name) not in HOSTS:
            raise KeyError(f"import {one.module}.{one.name}")
    return binary


def trim(source: Source, registered: Mapping[str, Source]) -> str | None:
    """The module's text with less in it; None if there is nothing to cut, or not without harm."""
    words = source.form.words[1:]
    if {"binary", "quote", "definition"} & set(words[:2]):
        return None
    before = [source.text[form.start : form.end] for form in source.form.forms]
    fields = [_defined(form, source, registered) for form in source.form.forms]
    gone = {place for place, field in enumerate(fields) if _beyond(field)}
    lost: set[str] = set()
    while True:
        lost |= {found for place in gone if (found := _own_name(fields[place]))}
        more = {place for place, field in enumerate(fields) if lost & set(_NAME.findall(field))} - gone
        if not more:
            break
        gone |= more
    kept = [field for place, field in enumerate(fields) if place not in gone]
    if kept == before or not _in_order(fields, before, gone):
        return None
    imports = [field for field in kept if _is_import(field)]
    return "(module\n" + "\n".join([*imports, *(field for field in kept if field not in imports)]) + "\n)"


def _beyond(field: str) -> bool:
    return bool(_BEYOND.search(field) or _TABLE_START.match(field) or _GLOBAL_START.match(field))


def _own_name(field: str) -> str:
    found = re.match(r"\(\w+\s+(\$[^\s()]+)", field)
    return found[1] if found else ""


def _is_import(field: str) -> bool:
    return bool(re.match(r'\(import\b|\(\w+\s+(\$\S+\s+)?(\(export\s+"[^"]*"\)\s*)*\(import\b', field))


def _in_order(fields: list[str], before: list[str], gone: set[int]) -> bool:
    """No function keeps its import after one that became a definition: their numbers would change places."""
    replaced = False
    for place, (field, was) in enumerate(zip(fields, before, strict=True)):
        replaced |= field != was and place not in gone
        if replaced and _is_import(field):
            return False
    return True


def _defined(form: Form, source: Source, registered: Mapping[str, Source]) -> str:
    """The field's text; for an import of what a registered module has, a definition of the same."""
    text = source.text[form.start : form.end]
    if form.head == "import":
        where, what, told = name(form.items[1]), name(form.items[2]), form.forms[0]
        kept = [word for word in told.words[1:2] if word.startswith("$")]
    else:
        found = [one for one in form.forms if one.head == "import"]
        if not found:
            return text
        where, what, told = name(found[0].items[1]), name(found[0].items[2]), form
        kept = [word for word in form.words[1:2] if word.startswith("$")]
        kept += [source.text[one.start : one.end] for one in form.forms if one.head == "export"]
    if where not in registered:
        return text
    for body in _exported(registered[where], told.head, what):
        return f"({told.head} {' '.join([*kept, body])})"
    return text


def _exported(source: Source, head: str, what: str) -> Iterator[str]:
    """How the module defines an export, without its names, if that depends on nothing else there."""
    for form in source.form.forms:
        exports = [one for one in form.forms if one.head == "export"]
        if form.head != head or what not in [name(one.items[1]) for one in exports]:
            continue
        items = form.items[2:] if form.words[1:2] and form.words[1].startswith("$") else form.items[1:]
        parts = [
            item if isinstance(item, str) else source.text[item.start : item.end]
            for item in items
            if item not in exports
        ]
        body = " ".join(parts)
        if source.text is SPECTEST or (head == "func" and not _STATE.search(body)):
            yield body
