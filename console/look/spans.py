"""Coloured text without colours: spans name a tone, the theme says what it looks like.

What a screen says is built from these by plain functions, so it can be tested without a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size


class Tone(Enum):
    """What a piece of text is, for the eye. The value is the suffix of its CSS component class."""

    TEXT = "text"
    STRONG = "strong"
    DIM = "dim"
    ACCENT = "accent"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    INFO = "info"
    TRACK = "track"  # the empty part of a bar
    HEAD = "head"  # headings and column titles
    MARK = "mark"  # what a search found, the cursor's mark


class Span(NamedTuple):
    """Some text of one tone. `click` is a Textual action that a mouse click runs."""

    text: str
    tone: Tone = Tone.TEXT
    click: str = ""


Line = tuple[Span, ...]

EMPTY: Line = ()


def line(*parts: Span | str) -> Line:
    """A line of spans and plain texts."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def plain(spans: Iterable[Span]) -> str:
    """The text alone."""
    return "".join(span.text for span in spans)


def width(spans: Iterable[Span]) -> int:
    """Terminal cells that a line takes."""
    return sum(cell_len(span.text) for span in spans)


def dim(text: str) -> Span:
    """Less important."""
    return Span(text, Tone.DIM)


def strong(text: str) -> Span:
    """More important."""
    return Span(text, Tone.STRONG)


def fit(spans: Sequence[Span], size: int, *, right: bool = False) -> Line:
    """Exactly `size` cells: padded with blanks, or cut with an ellipsis."""
    taken = width(spans)
    if taken == size:
        return tuple(spans)
    if taken < size:
        pad = Span(" " * (size - taken))
        return (pad, *spans) if right else (*spans, pad)
    if size < 1:
        return EMPTY
    kept: list[Span] = []
    left = size - 1
    for span in spans:
        room = min(left, cell_len(span.text))
        kept.append(Span(set_cell_size(span.text, room), span.tone, span.click))
        left -= room
        if left <= 0:
            break
    kept.append(Span("…", kept[-1].tone if kept else Tone.DIM))
    return tuple(kept)


def wrap(text: str, size: int) -> list[str]:
    """Break a text at blanks into pieces of at most `size` cells; longer words are broken hard."""
    if size < 1:
        return [text]
    pieces: list[str] = []
    for paragraph in text.split("\n"):
        current = ""
        for word in paragraph.split(" "):
            while cell_len(word) > size:
                if current:
                    pieces.append(current)
                    current = ""
                head, *rest = chop_cells(word, size)
                pieces.append(head)
                word = "".join(rest)
            if not current:
                current = word
            elif cell_len(current) + 1 + cell_len(word) <= size:
                current += " " + word
            else:
                pieces.append(current)
                current = word
        pieces.append(current)
    return pieces
