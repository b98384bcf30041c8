"""C in colours, a line at a time: comments, texts, numbers, words of the language. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from console.spans import Line, Span, Tone

_WORDS = (
    "auto",
    "break",
    "case",
    "char",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "register",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "typedef",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    "_Bool",
    "_Noreturn",
    "bool",
    "true",
    "false",
    "NULL",
)
_TOKEN = re.compile(
    r"(?P<comment>//.*|/\*.*?(?:\*/|$))"
    r"|(?P<text>\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?)"
    r"|(?P<number>\b(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)[uUlLfF]*\b)"
    r"|(?P<hash>^\s*\#\s*\w+)"
    r"|(?P<word>\b(?:" + "|".join(_WORDS) + r"|\w+_t)\b)"
)
_TONES = {
    "comment": Tone.DIM,
    "text": Tone.GOOD,
    "number": Tone.WARN,
    "hash": Tone.INFO,
    "word": Tone.INFO,
}


def highlight(lines: Sequence[str]) -> list[Line]:
    """All lines of a file; comments over several lines are followed."""
    found: list[Line] = []
    inside = False
    for text in lines:
        spans, inside = _one(text.expandtabs(4), inside)
        found.append(spans)
    return found


def _one(text: str, inside: bool) -> tuple[Line, bool]:
    spans: list[Span] = []
    place = 0
    if inside:
        end = text.find("*/")
        if end < 0:
            return (Span(text, Tone.DIM),), True
        place = end + 2
        spans.append(Span(text[:place], Tone.DIM))
    for match in _TOKEN.finditer(text, place):
        if match.start() > place:
            spans.append(Span(text[place : match.start()]))
        kind = match.lastgroup or ""
        spans.append(Span(match[0], _TONES[kind]))
        place = match.end()
        if kind == "comment" and match[0].startswith("/*") and not match[0].endswith("*/"):
            return tuple(spans), True
    if place < len(text):
        spans.append(Span(text[place:]))
    return tuple(spans), False
