"""C, Zig and WebAssembly text in colours: comments, texts, numbers, words of the language. Pure.

A line at a time: what is open at its end (a comment over several lines) is handed to the next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from console.look.spans import Line, Span, Tone

_C = """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool
    _Noreturn _Static_assert bool true false NULL
"""
_ZIG = """
    align allowzero and anyframe anytype asm break callconv catch comptime const continue defer else enum
    errdefer error export extern false fn for if inline noalias noinline noreturn null opaque or orelse packed
    pub resume return struct suspend switch test threadlocal true try type undefined union unreachable
    usingnamespace var void volatile while bool isize usize f16 f32 f64 anyerror
"""
_WAT = """
    module func param result local global memory table elem data type import export mut start offset item
    declare funcref externref i32 i64 f32 f64 v128 block loop if then else end pagesize
"""
_TONES = {
    "comment": Tone.DIM,
    "text": Tone.GOOD,
    "number": Tone.WARN,
    "hash": Tone.INFO,
    "word": Tone.INFO,
    "name": Tone.ACCENT,
}


@dataclass(frozen=True, slots=True)
class Language:
    """`tokens` has a group for each kind; `begin` and `end` enclose long comments, if there are."""

    tokens: re.Pattern[str]
    begin: str = ""
    end: str = ""


def _words(text: str) -> str:
    return "|".join(text.split())


_STRING = r"(?P<text>\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?)"
_NUMBER = r"(?P<number>\b(?:0[xX][0-9a-fA-F_]+|0b[01_]+|\d[\d_]*(?:\.\d+)?)[uUlLfF]*\b)"

LANGUAGES = {
    "c": Language(
        re.compile(
            rf"(?P<comment>//.*|/\*.*?(?:\*/|$))|{_STRING}|{_NUMBER}"
            rf"|(?P<hash>^\s*\#\s*\w+)|(?P<word>\b(?:{_words(_C)}|\w+_t)\b)|(?P<name>\bmma_\w+(?=\())"
        ),
        "/*",
        "*/",
    ),
    "zig": Language(
        re.compile(
            rf"(?P<comment>//.*)|(?P<text>\\\\.*|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?)|{_NUMBER}"
            rf"|(?P<hash>@\w+)|(?P<word>\b(?:{_words(_ZIG)}|[iu]\d+)\b)|(?P<name>\bmma\.\w+)"
        )
    ),
    "wat": Language(
        re.compile(
            rf"(?P<comment>;;.*|\(;.*?(?:;\)|$))|(?P<text>\"(?:\\.|[^\"\\])*\"?)"
            rf"|(?P<word>(?<![\w.$])(?:{_words(_WAT)})(?![\w.]))|(?P<name>\$[^\s()\";]+)"
            rf"|(?P<hash>\b(?:[if](?:32|64)|local|global|memory|table|call|br)(?:\.\w+|_\w+)+|\b(?:call|br|return|drop)\b)"
            rf"|(?P<number>(?<![\w.])[+-]?(?:0x[0-9a-fA-F_]+|\d[\d_]*(?:\.\d+)?)(?![\w.]))"
        ),
        "(;",
        ";)",
    ),
}
"""By the suffix of a file; what is written in none of these is without colours."""
_ALIKE = {"h": "c", "S": ""}


def language_of(path: str) -> str:
    """The language of a file by its name; empty where it is none of ours."""
    suffix = path.rpartition("/")[2].rpartition(".")[2]
    return suffix if suffix in LANGUAGES else _ALIKE.get(suffix, "")


class Token(NamedTuple):
    """A coloured piece of a line, from `start` up to `end`, in characters."""

    start: int
    end: int
    tone: Tone


@lru_cache(maxsize=4096)
def tokens(text: str, inside: bool, language: str) -> tuple[tuple[Token, ...], bool]:
    """Of one line, which begins `inside` a comment or not; and whether the next one does."""
    rules = LANGUAGES.get(language)
    if rules is None:
        return (), False
    found: list[Token] = []
    place = 0
    if inside:
        end = text.find(rules.end)
        if end < 0:
            return (Token(0, len(text), Tone.DIM),), True
        place = end + len(rules.end)
        found.append(Token(0, place, Tone.DIM))
    for match in rules.tokens.finditer(text, place):
        kind = match.lastgroup or ""
        found.append(Token(match.start(), match.end(), _TONES[kind]))
        if kind == "comment" and rules.begin and match[0].startswith(rules.begin):
            open_still = len(match[0]) < len(rules.begin + rules.end) or not match[0].endswith(rules.end)
            if open_still:
                return tuple(found), True
    return tuple(found), False


def insides(lines: Sequence[str], language: str) -> list[bool]:
    """Whether each line begins inside a comment."""
    found, inside = [], False
    for text in lines:
        found.append(inside)
        inside = tokens(text, inside, language)[1]
    return found


def highlight(lines: Sequence[str], language: str = "c") -> list[Line]:
    """All lines of a file."""
    found: list[Line] = []
    inside = False
    for raw in lines:
        text = raw.expandtabs(4)
        pieces, inside = tokens(text, inside, language)
        spans: list[Span] = []
        place = 0
        for start, end, tone in pieces:
            if start > place:
                spans.append(Span(text[place:start]))
            spans.append(Span(text[start:end], tone))
            place = end
        if place < len(text):
            spans.append(Span(text[place:]))
        found.append(tuple(spans))
    return found
