"""A log line as spans: its time on either clock, who says it, its text with what is searched for lit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from rich.cells import cell_len

from console.look.figures import clock_text
from console.look.spans import Line, Span, Tone
from console.state.logbook import ALL
from console.state.loglines import LogLine, Origin

_TONES = {
    Origin.EXECUTOR: Tone.TEXT,
    Origin.DEVICE: Tone.INFO,
    Origin.LINK: Tone.DIM,
    Origin.MESOS: Tone.DIM,
    Origin.COAP: Tone.DIM,
}
_BAD_COAP = re.compile(r" [45]\.\d\d |\(again\)|^[<>] RST ")
_MARKS = {Origin.MESOS: "◆ ", Origin.COAP: "⇄ "}


class Times(Enum):
    """Which clock a log shows."""

    HOST = "this computer's clock"
    BOARD = "the board's own clock"
    BOTH = "both clocks"


def before_text(line: LogLine, cells: int, source: str, times: Times) -> Line:
    """The columns before the text in a window of `cells`: time, and whose line it is unless all are one's."""
    if cells < 50:
        return ()
    spans = [Span(f"{text}  ", Tone.DIM) for text in _times(line, cells, times)]
    room = 24 if cells >= 100 else 16
    if source == ALL or line.subject != source:
        name = line.subject or line.target
        if cell_len(name) > room:
            name = name[: room - 1] + "…"
        tone = Tone.ACCENT if line.origin is Origin.EXECUTOR else Tone.DIM
        spans.append(Span(name.ljust(room) + "  ", tone))
    return tuple(spans)


def _times(line: LogLine, cells: int, times: Times) -> Iterator[str]:
    if times is not Times.BOARD:
        yield clock_text(line.time, millis=cells >= 100)
    if times is not Times.HOST:
        yield board_clock(line.virtual)


def board_clock(virtual: float | None) -> str:
    """Virtual seconds since power on, 11 cells; nothing but blanks where there is no such clock."""
    return " " * 11 if virtual is None else f"{virtual:9.3f} s"


def shown_text(line: LogLine) -> str:
    """The text with the mark of what is no executor's and no device's word."""
    return _MARKS.get(line.origin, "") + line.text


def _tone(line: LogLine) -> Tone:
    """A message that was sent again, or refused by the device, is worth a look."""
    if line.origin is Origin.COAP and _BAD_COAP.search(line.text):
        return Tone.WARN
    return _TONES[line.origin]


def text_spans(line: LogLine, text: str, wanted: str) -> Iterator[Span]:
    """`text`, which is all or a part of the line's; `wanted` in lower case is lit wherever it is."""
    tone = _tone(line)
    start, low = 0, text.casefold()
    if wanted and len(low) == len(text):  # else letters that fold to several would be counted wrongly
        while (found := low.find(wanted, start)) >= 0:
            yield Span(text[start:found], tone)
            start = found + len(wanted)
            yield Span(text[found:start], Tone.MARK)
    yield Span(text[start:], tone)


def file_line(line: LogLine) -> str:
    """As it is written into a file."""
    stamp = clock_text(line.time, millis=True)
    board = f"{board_clock(line.virtual)}  " if line.virtual is not None else ""
    return f"{stamp}  {board}{line.subject or line.target}  {line.origin.value}  {line.text}"
