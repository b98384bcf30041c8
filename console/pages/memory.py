"""The memory map as lines: a bar for each memory, what a region or a symbol is, the sizes of two builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.look.figures import bytes_text, size_text
from console.look.spans import Line, Span, Tone, dim, width
from console.memory.view import Area, Kind, MemoryView, Region, Symbol

TONES = {
    Kind.CODE: Tone.DIM,
    Kind.DATA: Tone.DIM,
    Kind.KERNEL_STACK: Tone.INFO,
    Kind.GUEST_CODE: Tone.ACCENT,
    Kind.GUEST_STACK: Tone.INFO,
    Kind.GUEST_MEMORY: Tone.GOOD,
    Kind.GUEST_LOG: Tone.WARN,
    Kind.GUEST_RESULT: Tone.WARN,
    Kind.FREE: Tone.TRACK,
}
_GLYPHS = {Kind.FREE: "░"}
_LEGEND = (
    ("kernel", Tone.DIM),
    ("code", Tone.ACCENT),
    ("stack", Tone.INFO),
    ("memory", Tone.GOOD),
    ("log, result", Tone.WARN),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the list: a region, or a symbol within one."""

    key: str
    name: str
    owner: str
    kind: Kind
    address: int
    size: int
    peak: int | None = None
    before: int | None = None
    type: str = ""
    openable: bool = False


def entries(view: MemoryView, inside: str = "") -> Sequence[Entry]:
    """All regions; or, inside one of them, its symbols."""
    if inside:
        region = next((one for one in view.regions if one.key == inside), None)
        return [_symbol(region, one) for one in region.symbols] if region is not None else ()
    return [
        Entry(
            one.key,
            one.name,
            one.owner,
            one.kind,
            one.address,
            one.size,
            one.peak,
            one.before,
            openable=bool(one.symbols),
        )
        for one in view.regions
    ]


def _symbol(region: Region, one: Symbol) -> Entry:
    key = f"{one.address:x}:{one.name}"
    return Entry(
        key, one.name, region.owner, region.kind, one.address, one.size, before=one.before, type=one.type
    )


def map_lines(view: MemoryView, cells: int, chosen: Entry | None = None) -> Sequence[Line]:
    """One bar a memory, to scale, the chosen part marked below; then what the colours mean."""
    lines: list[Line] = []
    for area in view.areas:
        used = area.size - area.free
        head = (
            Span(f" {area.name:<6}", Tone.STRONG),
            Span(f"{size_text(used)}"),
            dim(f" of {bytes_text(area.size)}, {size_text(area.free)} free"),
        )
        right = dim(f"{area.address:#010x} – {area.address + area.size:#010x} ")  # noqa: RUF001
        gap = max(1, cells - width(head) - width((right,)))
        lines.append((*head, Span(" " * gap), right) if width(head) + 26 < cells else head)
        lines.append((Span(" "), *_bar(area, cells - 2)))
        lines.append((Span(" "), *_pointer(area, cells - 2, chosen)))
    if lines:
        legend = [Span(" ")]
        for name, tone in _LEGEND:
            legend += [Span("█ ", tone), dim(f"{name}  ")]
        lines[-1] = _merged(lines[-1], tuple([*legend, Span("░ ", Tone.TRACK), dim("free")]), cells)
    return lines


def _merged(pointer: Line, legend: Line, cells: int) -> Line:
    """The legend, where the mark of the last bar is not in its way."""
    return legend if not any(span.text.strip() for span in pointer) else pointer


def _bar(area: Area, cells: int) -> Line:
    """Each cell shows who has most of its bytes; whoever has any bytes at all is seen somewhere."""
    step = area.size / max(1, cells)
    owners: list[Kind] = []
    regions = list(area.regions)
    at = 0
    for cell in range(cells):
        low, high = area.address + cell * step, area.address + (cell + 1) * step
        while at < len(regions) - 1 and regions[at].address + regions[at].size <= low:
            at += 1
        best, most = Kind.FREE, -1.0
        for one in regions[at:]:
            if one.address >= high:
                break
            share = min(high, one.address + one.size) - max(low, one.address)
            if one.kind is not Kind.FREE:
                share *= 4  # what is taken matters more to who looks than what is free
            if share > most:
                best, most = one.kind, share
        owners.append(best)
    spans: list[Span] = []
    for kind in owners:
        glyph, tone = _GLYPHS.get(kind, "█"), TONES[kind]
        if spans and spans[-1].tone is tone and spans[-1].text[0] == glyph:
            spans[-1] = Span(spans[-1].text + glyph, tone)
        else:
            spans.append(Span(glyph, tone))
    return tuple(spans)


def _pointer(area: Area, cells: int, chosen: Entry | None) -> Line:
    if chosen is None or not area.address <= chosen.address < area.address + area.size:
        return (Span(" " * cells),)
    start = int((chosen.address - area.address) / area.size * cells)
    length = max(1, round(chosen.size / area.size * cells))
    return (Span(" " * start), Span("▔" * min(length, cells - start), Tone.MARK))


def field_lines(view: MemoryView, cells: int, address: int) -> Sequence[Line]:
    """The values that the bytes hold, each with its address and type; the one at `address` is marked."""
    room = min(max((len(one.path) for one in view.fields), default=0), max(16, cells // 2))
    wide = min(max((len(one.text) for one in view.fields), default=0), 24)
    lines: list[Line] = []
    changed = view.bytes.changed if view.bytes is not None else frozenset()
    start = view.bytes.address if view.bytes is not None else 0
    for one in view.fields:
        here = one.address <= address < one.address + one.size
        lit = any(one.address - start <= at < one.address - start + one.size for at in changed)
        name = one.path if len(one.path) <= room else "…" + one.path[len(one.path) - room + 1 :]
        lines.append(
            (
                Span("▌" if here else " ", Tone.MARK),
                dim(f"{one.address:08x}  "),
                Span(name.ljust(room), Tone.STRONG if here else Tone.TEXT),
                Span(f"  {one.text:<{wide}}", Tone.MARK if lit else Tone.ACCENT if one.leads else Tone.TEXT),
                dim(f"  {one.type}"),
            )
        )
    return lines


def field_row(view: MemoryView, address: int) -> int:
    """The line of the value at an address; -1 for none."""
    return next(
        (n for n, one in enumerate(view.fields) if one.address <= address < one.address + one.size), -1
    )


def what_is(view: MemoryView, address: int) -> str:
    """What a byte is part of, in words: `filter-1 memory + 0x40`."""
    found = view.at(address)
    if found is None:
        return ""
    region, symbol = found
    field = view.field(address)
    if field is not None:
        return f"{field.path}: {field.type} = {field.text}"
    if symbol is not None:
        type_ = f": {symbol.type}" if symbol.type else ""
        return f"{symbol.name} + {address - symbol.address:#x}{type_}"
    name = f"{region.owner} {region.kind.value}" if region.owner not in ("", "kernel") else region.name
    return f"{name} + {address - region.address:#x}"
