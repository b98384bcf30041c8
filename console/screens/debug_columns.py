"""Columns of the debugger's lists: variables with what they are made of, the call stack, breakpoints."""

from __future__ import annotations

from console.debug.view import Break, Frame, Value
from console.look.spans import Line, Span, Tone, dim
from console.widgets.table import Column


def _value(row: Value, cells: int) -> Line:
    tone = Tone.MARK if row.changed else Tone.STRONG
    return (Span(row.text, tone), dim(f"  {row.detail}" if row.detail else ""))


def _name(row: Value, cells: int) -> Line:
    mark = "▾ " if row.opened else "▸ " if row.opens else "  "
    return (dim("  " * row.depth + mark), Span(row.name, Tone.INFO if row.argument else Tone.TEXT))


VARIABLES: tuple[Column[Value], ...] = (
    Column("NAME", _name, 12, grow=1),
    Column("VALUE", _value, 12, grow=3),
    Column("TYPE", lambda row, _: (dim(row.type),), 8, grow=1, needs=50),
)


def _frame(row: Frame, cells: int) -> Line:
    arguments = dim(f"({row.arguments})") if row.arguments else dim("")
    return (Span(row.spot.function or "?"), arguments)


STACK: tuple[Column[Frame], ...] = (
    Column("#", lambda row, _: (dim(str(row.level)),), 2, right=True),
    Column("FUNCTION", _frame, 12, grow=3),
    Column("AT", lambda row, _: (Span(row.spot.where, Tone.ACCENT),), 12, grow=1),
    Column("OF", lambda row, _: (dim(row.spot.owner),), 8, grow=1, needs=56),
)


def _mark(row: Break, cells: int) -> Line:
    return (Span("●", Tone.BAD) if row.enabled else Span("○", Tone.DIM),)


def _what(row: Break, cells: int) -> Line:
    condition = dim(f" if {row.condition}") if row.condition else dim("")
    return (Span(row.what), condition)


BREAKS: tuple[Column[Break], ...] = (
    Column("", _mark, 1),
    Column("WHAT", _what, 14, grow=3),
    Column("AT", lambda row, _: (Span(row.where, Tone.DIM if row.waiting else Tone.ACCENT),), 14, grow=2),
    Column("KIND", lambda row, _: (dim(row.kind),), 10, needs=70),
    Column("HITS", lambda row, _: (Span(str(row.hits)) if row.hits else dim("0"),), 4, right=True),
)
