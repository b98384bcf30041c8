"""The panels of the debugger, as lines: registers, instructions, peripherals, slots, memory, console."""

from __future__ import annotations

from collections.abc import Sequence

from console.debug.view import Bytes, DebugView, Phase, Register, Value
from console.look.figures import age_text
from console.look.spans import EMPTY, Line, Span, Tone, dim, fit, width, wrap
from console.pages.parts import text, title

PHASES = {
    Phase.DETACHED: ("○", Tone.DIM),
    Phase.ATTACHING: ("◐", Tone.WARN),
    Phase.RUNNING: ("▶", Tone.GOOD),
    Phase.STOPPED: ("■", Tone.WARN),
    Phase.LOST: ("✗", Tone.BAD),
}
_SAID = {
    "typed": ("> ", Tone.ACCENT),
    "gdb": ("  ", Tone.TEXT),
    "target": ("◂ ", Tone.INFO),
    "sent": ("· ", Tone.DIM),
    "note": ("◆ ", Tone.GOOD),
    "trouble": ("! ", Tone.WARN),
}


def why_line(view: DebugView, now: float, cells: int) -> Line:
    """What it does and why; how long the board has been held, and what Mesos makes of that."""
    mark, tone = PHASES[view.phase]
    left: list[Span] = [Span(f" {mark} {view.phase.value}", tone)]
    if view.phase is Phase.STOPPED:
        left.append(Span(f"  {view.sentence}", Tone.STRONG))
    elif view.sentence and view.phase is not Phase.RUNNING:
        left.append(Span(f"  {view.sentence}"))
    if view.target and cells >= 100:
        left.append(dim(f"  {view.target}"))
    right: list[Span] = []
    more: list[Span] = []  # where there is room beside the reason
    if view.phase is Phase.STOPPED and view.held_since:
        held = max(0.0, now - view.held_since)
        late = held >= (view.gives_up or view.ping_limit)
        right.append(Span(f"held {age_text(held)}", Tone.WARN if late else Tone.TEXT))
        if view.gives_up:  # worth more than all else: its tasks are at stake
            rest = f"{max(0.0, view.gives_up - held):.0f} s"
            told = f"the master gives it up in {rest}" if cells >= 100 else f"given up in {rest}"
            right.append(Span(f" · {told}", Tone.WARN))
        elif cells >= 130:
            more.append(
                dim(f" · the gateway answers pings (limit {view.ping_limit:g} s): Mesos keeps the agent")
            )
    if view.on_trap:
        more.append(dim(" · on trap"))
    if width(left) + width(right) + width(more) + 2 <= cells:
        right += more
    right.append(Span(" "))
    return title(fit(tuple(left), max(0, min(width(left), cells - width(right) - 2))), right, cells)


def registers_page(view: DebugView, cells: int) -> Sequence[Line]:
    """In as many columns as there is room for; changed ones are lit."""
    if not view.registers:
        return _empty("Registers are read when it stops.")
    room = max(len(one.name) for one in view.registers) + 13
    columns = max(1, (cells - 1) // room)
    rows = -(-len(view.registers) // columns)
    lines: list[Line] = []
    for row in range(rows):
        spans: list[Span] = []
        for one in view.registers[row::rows]:
            spans += [Span(" " + one.name.ljust(room - 12), Tone.DIM), _lit(one), Span(" ")]
        lines.append(tuple(spans))
    return lines


def _lit(one: Value) -> Span:
    return Span(one.text.ljust(10), Tone.MARK if one.changed else Tone.TEXT)


def code_page(view: DebugView, cells: int) -> Sequence[Line]:
    """Instructions of the function with their source lines; the present one is marked."""
    if not view.code:
        return _empty("Instructions are read when it stops.")
    lines: list[Line] = []
    line = -1
    source = view.source.lines if view.source is not None else ()
    for one in view.code:
        if one.line != line:
            line = one.line
            if line and line <= len(source) and cells >= 50:
                lines.append((dim(f"      {line:>4} "), Span(source[line - 1].strip(), Tone.INFO)))
        here = one.address == view.spot.address
        stopped = any(one.address in brk.addresses for brk in view.breaks)
        mark = Span("●" if stopped else " ", Tone.BAD)
        arrow = Span("▶ " if here else "  ", Tone.MARK)
        operation, _, operands = one.text.expandtabs(8).partition(" ")
        lines.append(
            (
                mark,
                arrow,
                Span(f"{one.address:08x} ", Tone.ACCENT if here else Tone.DIM),
                dim(f"{one.opcodes.hex():<9}" if cells >= 60 else ""),
                Span(f"{operation:<7} ", Tone.STRONG if here else Tone.TEXT),
                Span(operands.strip()),
            )
        )
    return lines


def code_row(view: DebugView, cells: int) -> int:
    """Which line of the page has the present instruction."""
    for number, line in enumerate(code_page(view, cells)):
        if any(span.text == "▶ " for span in line):
            return number
    return 0


def slots_page(view: DebugView, cells: int) -> Sequence[Line]:
    """The kernel's slots; the one that ran last is marked."""
    if not view.slots:
        return _empty(
            "No executor is in a slot." if view.phase is Phase.STOPPED else "Slots are read when it stops."
        )
    found: list[Line] = []
    for one in view.slots:
        mark = Span(" ▶ " if one.current else "   ", Tone.MARK)
        tone = Tone.GOOD if one.state == "running" else Tone.DIM
        found.append((mark, dim(f"{one.number}  "), Span(f"{one.state:<9}", tone), Span(one.task or "–")))  # noqa: RUF001
    return found


def peripherals_page(view: DebugView, cells: int) -> Sequence[Line]:
    """One peripheral's registers with their fields; or which there are."""
    if not view.peripheral:
        if not view.peripherals:
            return _unmodelled(view) or _empty("No SVD file for this board.")
        lines: list[Line] = [(dim(" p chooses one:"),), EMPTY]
        lines += [(Span("  " + piece),) for piece in wrap("  ".join(view.peripherals), cells - 4)]
        return lines + _unmodelled(view)
    if not view.device_registers:
        return _empty(f"{view.peripheral} is read when it stops.")
    found: list[Line] = []
    for one in view.device_registers:
        found += _register(one, cells)
    return found + _unmodelled(view)


def _register(one: Register, cells: int) -> list[Line]:
    name = Span(f" {one.name:<10}", Tone.STRONG)
    if one.value is None:
        return [(name, dim(f"{one.address:08x}  not read")), *text(one.why_not, cells, Tone.DIM, indent=3)]
    value = Span(f"{one.value:#010x}", Tone.MARK if one.changed else Tone.TEXT)
    lines: list[Line] = [(name, dim(f"{one.address:08x}  "), value, dim(f"  {one.description}"))]
    row: list[Span] = [Span("   ")]
    for bits in one.fields:
        meaning = f" {bits.meaning}" if bits.meaning else ""
        tone = Tone.MARK if bits.changed else Tone.GOOD if bits.value else Tone.DIM
        spans = [
            dim(f"{bits.name}="),
            Span(f"{bits.value:#x}{meaning}  " if bits.value > 9 else f"{bits.value}{meaning}  ", tone),
        ]
        if width(row) + width(spans) > cells:
            lines.append(tuple(row))
            row = [Span("   ")]
        row += spans
    return [*lines, tuple(row)] if len(row) > 1 else lines


def _unmodelled(view: DebugView) -> list[Line]:
    """Of the chosen peripheral, or of all."""
    rows = [
        one for one in view.unmodelled if one.what.startswith(f"{view.peripheral}.") or not view.peripheral
    ]
    if not rows:
        return []
    noted = "reads give 0, writes are lost"
    lines: list[Line] = [EMPTY, (Span(" not modelled by the emulator", Tone.HEAD), dim(f"  {noted}"))]
    for one in rows:
        verb = f"{one.verb} " if one.verb else ""
        where = f" from {one.pc:#010x}" if one.pc else ""
        lines.append((Span(f" {one.count:>7,} × ", Tone.WARN), dim(f"{verb:<6}"), Span(one.what), dim(where)))  # noqa: RUF001
    return lines


def memory_page(view: DebugView, cells: int) -> Sequence[Line]:
    """The bytes that are looked at."""
    if view.memory is None:
        return _empty("m looks at an address, a register ($sp) or a variable (&name).")
    head: Line = (dim(f" {view.memory.what} at {view.memory.address:#010x}"),)
    return [head, *hex_lines(view.memory, cells)]


def hex_lines(memory: Bytes, cells: int, cursor: int = -1, around: range = range(0)) -> list[Line]:
    """A hex dump; changed bytes are lit, the byte at the cursor (an offset) is marked, and those `around` it
    that belong to the same value."""
    row = 32 if cells >= 150 else 16 if cells >= 78 else 8
    lines: list[Line] = []
    for start in range(0, len(memory.data), row):
        spans = [Span(f" {memory.address + start:08x}  ", Tone.DIM)]
        chars: list[Span] = [Span(" ")]
        for at in range(start, min(start + row, len(memory.data))):
            byte = memory.data[at]
            tone = Tone.MARK if at in memory.changed else Tone.DIM if byte == 0 else Tone.TEXT
            if at in around:
                tone = Tone.ACCENT
            if at == cursor:
                tone = Tone.BAD
            gap = "  " if at % 8 == 7 else " "
            spans.append(Span(f"{byte:02x}", tone))
            spans.append(Span(gap))
            chars.append(Span(chr(byte) if 0x20 <= byte < 0x7F else "·", tone))
        missing = row - (min(start + row, len(memory.data)) - start)
        spans.append(Span(" " * (missing * 3 + missing // 8)))
        lines.append((*spans, *chars))
    return lines


def console_page(view: DebugView, cells: int, *, sent: bool = False) -> Sequence[Line]:
    """What was typed, what GDB said, what was noticed. `sent` shows also what we sent to GDB."""
    lines: list[Line] = []
    for one in view.said:
        if one.kind == "sent" and not sent:
            continue
        mark, tone = _SAID.get(one.kind, ("  ", Tone.TEXT))
        for place, piece in enumerate(wrap(one.text.expandtabs(8), max(10, cells - 4))):
            lines.append((Span(f" {mark if place == 0 else '  '}", tone), Span(piece, tone)))
    return lines or _empty("> takes commands for GDB; tab completes them.")


def _empty(words: str) -> list[Line]:
    return [EMPTY, (dim(f"  {words}"),)]
