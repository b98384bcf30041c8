"""From GDB's tuples to our dataclasses."""

from __future__ import annotations

from emulation.gdb.events import Stopped
from emulation.gdb.facts import Breakpoint, Frame, Instruction, Place, SourceLine, Thread, Variable, Watched
from emulation.gdb.mi import Fields


def frame(fields: Fields) -> Frame | None:
    """A `frame={...}`; None where it is empty."""
    address = fields.number("addr")
    if address is None:
        return None
    return Frame(
        fields.integer("level"),
        address,
        fields.text("func"),
        fields.text("file"),
        fields.text("fullname"),
        fields.number("line"),
        tuple(map(argument, fields.items("args"))),
    )


def argument(fields: Fields) -> Variable:
    """One of a frame's `args`."""
    return Variable(fields.text("name"), _value(fields), fields.text("type"), argument=True)


def variable(fields: Fields) -> Variable:
    """One of `variables`."""
    return Variable(fields.text("name"), _value(fields), fields.text("type"), fields.flag("arg"))


def _value(fields: Fields) -> str | None:
    return fields.text("value") if "value" in fields else None


def thread(fields: Fields, current: str) -> Thread:
    """One of `threads`."""
    return Thread(
        fields.text("id"),
        fields.text("name") or fields.text("target-id"),
        fields.text("state") == "running",
        frame(fields.fields("frame")),
        fields.text("id") == current,
    )


def breakpoint_(fields: Fields) -> Breakpoint:
    """A `bkpt={...}`."""
    return Breakpoint(
        number=fields.text("number"),
        kind=fields.text("type"),
        what=fields.text("original-location") or fields.text("what") or fields.text("pending"),
        enabled=fields.flag("enabled"),
        temporary=fields.text("disp") == "del",
        hits=fields.integer("times"),
        ignore=fields.integer("ignore"),
        condition=fields.text("cond"),
        address=fields.number("addr"),
        function=fields.text("func"),
        path=fields.text("fullname") or fields.text("file"),
        line=fields.number("line"),
        pending="pending" in fields,
        places=tuple(map(_place, fields.items("locations"))),
    )


def _place(fields: Fields) -> Place:
    return Place(
        fields.text("number"),
        fields.number("addr"),
        fields.flag("enabled"),
        fields.text("func"),
        fields.text("fullname") or fields.text("file"),
        fields.number("line"),
    )


def watched(fields: Fields, expression: str = "") -> Watched:
    """The answer of -var-create, or one of `children`."""
    return Watched(
        fields.text("name"),
        fields.text("exp") or expression,
        fields.text("type"),
        fields.text("value"),
        fields.integer("numchild"),
        fields.flag("dynamic"),
    )


def instruction(fields: Fields) -> Instruction:
    """One of `asm_insns`; GDB writes opcodes as the words that the processor reads, least byte first."""
    words = [bytes.fromhex(word) for word in fields.text("opcodes").split()]
    return Instruction(
        fields.integer("address"),
        " ".join(fields.text("inst").split()),
        b"".join(words),
        fields.text("func-name"),
        fields.integer("offset"),
    )


def source_line(fields: Fields) -> SourceLine:
    """One `src_and_asm_line`."""
    return SourceLine(
        fields.text("fullname") or fields.text("file"),
        fields.text("file"),
        fields.number("line"),
        tuple(map(instruction, fields.items("line_asm_insn"))),
    )


def stopped(fields: Fields) -> Stopped:
    """A `*stopped` record. The watched expression is under one of three names, by kind of watchpoint."""
    watch = next(
        (fields.fields(name) for name in ("wpt", "hw-awpt", "hw-rwpt") if name in fields.values), Fields()
    )
    value = fields.fields("value")
    return Stopped(
        fields.text("reason"),
        frame(fields.fields("frame")),
        fields.text("thread-id"),
        fields.text("bkptno") or watch.text("number"),
        fields.text("signal-name"),
        watch.text("exp"),
        value.text("old"),
        value.text("new") or value.text("value"),
        fields.text("return-value"),
    )
