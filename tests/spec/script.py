"""Reads WebAssembly test scripts (.wast): S-expressions, values, and module texts.

The format is that of the specification's own tests (interpreter/README.md of WebAssembly/spec): modules,
and assertions on what their exports return or how they trap.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import wasmtime

_TOKEN = re.compile(
    r"\s+|;;[^\n]*"
    r'|"(?:[^"\\]|\\.)*"|\(;|\(|\)|[^\s()";]+|;',
    re.DOTALL,
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_CONFUSING = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
"""What changes the direction of writing: wasmtime's reader refuses such texts."""


@dataclass
class Form:
    """A parenthesised list: its items, and where it stands in the text."""

    start: int
    end: int = 0
    items: list[Form | str] = field(default_factory=list)

    @property
    def head(self) -> str:
        """Its first word."""
        return self.items[0] if self.items and isinstance(self.items[0], str) else ""

    @property
    def words(self) -> list[str]:
        """Its items that are words."""
        return [item for item in self.items if isinstance(item, str)]

    @property
    def forms(self) -> list[Form]:
        """Its items that are lists."""
        return [item for item in self.items if isinstance(item, Form)]


def parse(text: str) -> list[Form]:
    """All forms of a script."""
    root = Form(0)
    stack = [root]
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if not found:
            raise ValueError(f"not a token: {text[place : place + 20]!r}")
        token = found[0]
        if token == "(;":
            place = _comment_end(text, place)
            continue
        place = found.end()
        if token[0].isspace() or token.startswith(";;"):
            continue
        if token == "(":
            form = Form(found.start())
            stack[-1].items.append(form)
            stack.append(form)
        elif token == ")":
            stack.pop().end = found.end()
        else:
            stack[-1].items.append(token)
    return root.forms


def _comment_end(text: str, place: int) -> int:
    depth = 0
    for found in re.finditer(r"\(;|;\)", text[place:]):
        depth += 1 if found[0] == "(;" else -1
        if not depth:
            return place + found.end()
    return len(text)


def string(token: str) -> bytes:
    """The bytes of a string token."""
    out = bytearray()
    data = token[1:-1].encode("utf-8", "surrogateescape")
    simple = {ord("n"): 10, ord("t"): 9, ord("r"): 13, ord('"'): 34, ord("'"): 39, ord("\\"): 92}
    place = 0
    while place < len(data):
        if data[place] != ord("\\"):
            out.append(data[place])
            place += 1
        elif data[place + 1] in simple:
            out.append(simple[data[place + 1]])
            place += 2
        elif data[place + 1] == ord("u"):
            end = data.index(b"}", place)
            out += chr(int(data[place + 3 : end], 16)).encode("utf-8", "surrogatepass")
            place = end + 1
        else:
            out.append(int(data[place + 1 : place + 3], 16))
            place += 3
    return bytes(out)


def name(token: str | Form) -> str:
    """An export's name."""
    return string(str(token)).decode("utf-8", "surrogateescape")


def module_bytes(form: Form, text: str) -> bytes:
    """The binary of a module form: text, `binary`, or `quote`. wasmtime.WasmtimeError if it is none."""
    words = form.words[1:]
    if words[:1] == ["definition"]:
        words = words[1:]
    if words and words[0].startswith("$"):
        words = words[1:]
    if words[:1] == ["binary"]:
        return b"".join(string(word) for word in words[1:])
    if words[:1] == ["quote"]:
        source = b"".join(string(word) for word in words[1:])
        return bytes(wasmtime.wat2wasm(b"(module " + source + b")"))
    source_text = re.sub(r"^\(module\s+definition", "(module", text[form.start : form.end])
    if any(character in source_text for character in _CONFUSING):
        source_text = _STRING.sub(lambda found: _plain(found[0]), source_text)
    return bytes(wasmtime.wat2wasm(source_text.encode("utf-8", "surrogateescape")))


def _plain(token: str) -> str:
    """A string token with escapes for what is not ASCII."""
    return "".join(
        one if one.isascii() else "".join(f"\\{byte:02x}" for byte in one.encode("utf-8", "surrogateescape"))
        for one in token
    )


# -- values -----------------------------------------------------------------------------------------


def bits(form: Form) -> int:
    """A constant's bits. References: 0 is null, extern n is n + 1. KeyError for what is no constant."""
    word = form.words[-1].replace("_", "")
    match form.head:
        case "i32.const":
            return int(word, 0) & 0xFFFFFFFF
        case "i64.const":
            return int(word, 0) & 0xFFFFFFFFFFFFFFFF
        case "f32.const":
            return float_bits(word, 8, 23)
        case "f64.const":
            return float_bits(word, 11, 52)
        case "ref.null":
            return 0
        case "ref.extern" | "ref.host":
            return int(word, 0) + 1
    raise KeyError(form.head)


def float_bits(word: str, exponent: int, fraction: int) -> int:
    """The bits of a float's text, rounded once, to nearest."""
    sign = int(word.startswith("-")) << (exponent + fraction)
    word = word.lstrip("+-").lower()
    infinity = ((1 << exponent) - 1) << fraction
    if word == "inf":
        return sign | infinity
    if word.startswith("nan"):
        return sign | infinity | (int(word[4:], 16) if ":" in word else 1 << (fraction - 1))
    if fraction == 52:
        value = float.fromhex(word) if "x" in word else float(word)
        return sign | int(struct.unpack("<Q", struct.pack("<d", value))[0])
    return sign | _round(_exact(word), exponent, fraction)


def _exact(word: str) -> Fraction:
    if "x" not in word:
        return Fraction(word)
    found = re.fullmatch(r"0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?", word)
    if not found:
        raise ValueError(word)
    return Fraction(int(found[1] + found[2] or "0", 16)) * Fraction(2) ** (
        int(found[3] or 0) - 4 * len(found[2])
    )


def _round(value: Fraction, exponent: int, fraction: int) -> int:
    bias = (1 << (exponent - 1)) - 1
    power = 1 - bias
    while value >= Fraction(2) ** (power + 1):
        power += 1
    whole, rest = divmod(value / Fraction(2) ** (power - fraction), 1)
    mantissa = int(whole)
    mantissa += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and mantissa & 1)
    return mantissa + ((power + bias - 1) << fraction)  # a carry, and subnormals, come out right


def matches(wanted: Form, got: int) -> bool:
    """A result is as wanted, by the rules for NaNs and references."""
    words = wanted.words
    if wanted.head == "either":
        return any(matches(form, got) for form in wanted.forms)
    if words[-1] in ("nan:canonical", "nan:arithmetic"):
        exponent, fraction = (8, 23) if wanted.head == "f32.const" else (11, 52)
        size = got & ((1 << (exponent + fraction)) - 1)
        quiet = (((2 << exponent) - 1) << (fraction - 1)) & ((1 << (exponent + fraction)) - 1)
        return size == quiet if words[-1] == "nan:canonical" else size & quiet == quiet
    if words in (["ref.func"], ["ref.extern"]):
        return got != 0
    return bits(wanted) == got


def line_of(text: str, form: Form) -> int:
    """The line where a form begins, from 1."""
    return text.count("\n", 0, form.start) + 1


def commands(text: str) -> Iterator[tuple[int, Form]]:
    """(line, form) of every command of a script."""
    for form in parse(text):
        yield line_of(text, form), form
