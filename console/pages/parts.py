"""Building stones of pages: headings, facts in two columns, wrapped texts, bytes in hex."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.look.spans import EMPTY, Line, Span, Tone, dim, width, wrap


def heading(text: str, note: str = "") -> list[Line]:
    """A heading after a blank line, with a note beside it."""
    return [EMPTY, (Span(text.upper(), Tone.HEAD), Span(f"  {note}" if note else "", Tone.DIM))]


def facts(pairs: Iterable[tuple[str, str | Line]], cells: int, indent: int = 2) -> list[Line]:
    """Names and values in two columns; long values are wrapped, empty ones left out."""
    given = [(name, value) for name, value in pairs if value]
    if not given:
        return []
    column = min(18, max(len(name) for name, _ in given)) + 2
    lines: list[Line] = []
    for name, value in given:
        before = Span(" " * indent + name.ljust(column), Tone.DIM)
        if isinstance(value, tuple):
            lines.append((before, *value))
            continue
        room = cells - indent - column
        for place, piece in enumerate(wrap(value, room) if " " in value else [elided(value, room)]):
            lines.append((before if place == 0 else Span(" " * (indent + column)), Span(piece)))
    return lines


def elided(word: str, room: int) -> str:
    """A long name without its middle: both ends tell it from others."""
    if len(word) <= room or room < 8:
        return word
    head = (room - 1) // 2
    return f"{word[:head]}…{word[len(word) - (room - 1 - head) :]}"


def text(words: str, cells: int, tone: Tone = Tone.TEXT, indent: int = 2) -> list[Line]:
    """A wrapped text."""
    return [(Span(" " * indent + piece, tone),) for piece in wrap(words, cells - indent)]


def data(content: bytes, cells: int, limit: int = 512) -> list[Line]:
    """Bytes as their text where they are one, else as a hex dump of the first `limit`."""
    try:
        words = content.decode()
    except UnicodeDecodeError:
        words = "\0"
    if all(char.isprintable() or char in "\n\t" for char in words):
        return text(words.rstrip("\n").expandtabs(4), cells, Tone.STRONG)
    row = 16 if cells >= 76 else 8
    lines: list[Line] = []
    for start in range(0, min(len(content), limit), row):
        piece = content[start : start + row]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in piece)
        dump = piece.hex(" ").ljust(row * 3)
        lines.append((dim(f"  {start:04x}  "), Span(dump), Span(" " + shown, Tone.ACCENT)))
    if len(content) > limit:
        lines.append((dim(f"  … and {len(content) - limit:,} bytes more"),))
    return lines


def title(left: Sequence[Span], right: Sequence[Span], cells: int) -> Line:
    """A first line: something at the left, something at the right."""
    gap = max(2, cells - width(left) - width(right))
    return (*left, Span(" " * gap), *right)


def nothing(*words: str) -> list[Line]:
    """What to say where there is nothing: the first line says it, the others say what to do."""
    first, *others = words
    return [(Span(first, Tone.STRONG),), *((dim(word),) for word in others)]
