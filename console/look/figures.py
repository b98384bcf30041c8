"""Numbers for the eye: bytes, ages, clocks, bars and sparklines. Pure, and always of a predictable width."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from console.look.spans import Line, Span, Tone

_SPARKS = " ▁▂▃▄▅▆▇█"


def size_text(size: int) -> str:
    """Bytes to the byte with thousands separated: `61,440`; above a mebibyte in short: `11.7 GiB`."""
    if size < 10_000_000:
        return f"{size:,}"
    return short_size(size)


def bytes_text(size: int) -> str:
    """With its unit: `61,440 bytes`, `11.7 GiB`."""
    return f"{size:,} bytes" if size < 10_000_000 else short_size(size)


def short_size(size: float) -> str:
    """At most 8 cells: `512 B`, `61.4 KiB`, `11.7 GiB`."""
    if size < 1024:
        return f"{int(size)} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024
        if size < 1024 or unit == "TiB":
            break
    return f"{size:.0f} {unit}" if size >= 100 else f"{size:.1f} {unit}"


def age_text(seconds: float) -> str:
    """At most 6 cells: `7s`, `3m12s`, `2h05m`, `4d11h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def duration_text(seconds: float) -> str:
    """How long something took: `3 ms`, `1.25 s`, `3m12s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    return age_text(seconds)


def trip_text(seconds: float) -> str:
    """A round trip, 6 cells at most: `0.4 ms`, `31 ms`, `1.2 s`."""
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def bars(count: int, tone: Tone) -> Line:
    """How good something is, out of four."""
    return (Span("▂▄▆█"[:count], tone), Span("▂▄▆█"[count:], Tone.TRACK))


def clock_text(moment: float, *, millis: bool = False) -> str:
    """Local time of day: `12:04:31` or `12:04:31.250`."""
    text = time.strftime("%H:%M:%S", time.localtime(moment))
    return f"{text}.{int(moment * 1000) % 1000:03}" if millis else text


def share_text(share: float) -> str:
    """A share of a core, 4 cells at most: `0%`, `37%`, `2.5%`."""
    percent = share * 100
    return f"{percent:.1f}%" if 0 < percent < 9.95 else f"{percent:.0f}%"


def load_tone(share: float) -> Tone:
    """How full something is: fine, nearly full, full."""
    return Tone.BAD if share >= 0.95 else Tone.WARN if share >= 0.8 else Tone.ACCENT


def bar(share: float, cells: int, tone: Tone | None = None) -> Line:
    """A bar of `cells` cells, to the half cell; anything above nothing shows at least half a cell."""
    halves = round(min(1.0, max(0.0, share)) * cells * 2)
    if share > 0 and halves == 0:
        halves = 1
    if share < 1 and halves == cells * 2:
        halves -= 1
    full, half = divmod(halves, 2)
    drawn = Span("━" * full + ("╸" if half else ""), load_tone(share) if tone is None else tone)
    return (drawn, Span("─" * (cells - full - half), Tone.TRACK))


def segments(parts: Sequence[tuple[int, Tone]], total: int, cells: int) -> Line:
    """Parts of a whole, one after another, each with at least one cell unless nothing; the rest free."""
    spans: list[Span] = []
    used = 0
    for size, tone in parts:
        if size <= 0 or total <= 0:
            continue
        room = max(1, round(size / total * cells))
        room = min(room, cells - used)
        spans.append(Span("█" * room, tone))
        used += room
    spans.append(Span("░" * (cells - used), Tone.TRACK))
    return tuple(spans)


def sparkline(samples: Sequence[float], cells: int, top: float = 1.0) -> Line:
    """The newest `cells` samples, 0 to `top`; anything above nothing is at least the lowest mark."""
    shown = samples[-cells:]
    text = "".join(_spark(sample / top if top > 0 else 0.0) for sample in shown)
    return (Span("▁" * (cells - len(shown)), Tone.TRACK), Span(text, Tone.ACCENT))


def _spark(share: float) -> str:
    if share <= 0.001:
        return _SPARKS[1]
    return _SPARKS[min(8, max(2, 1 + round(share * 7)))]


def joined(parts: Iterable[str], separator: str = " · ") -> str:
    """Non-empty parts between separators."""
    return separator.join(part for part in parts if part)


def counted(number: int, noun: str, many: str = "") -> str:
    """`1 task`, `3 tasks`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"
