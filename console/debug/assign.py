"""Writes what is shown: a variable, a register of the CPU, a register or field of a peripheral."""

from __future__ import annotations

import re

from console.debug.guest import Guest
from console.errors import UsageError
from emulation.gdb.errors import GdbError
from emulation.gdb.peripherals import Peripherals
from emulation.gdb.session import Session
from hal.layout import Kind

_PARTS = re.compile(r"(?P<left>(?:[^=<>!]|->)+?)\s*=\s*(?P<right>[^=].*)")


async def assign(
    live: Session,
    peripherals: Peripherals | None,
    text: str,
    frame: int = 0,
    guest: Guest | None = None,
) -> None:
    """`count = n + 1`, `r4 = 0x10`, `GPIOA.ODR = 1`, `RCC.CR.HSEON = 1`: the right side is C, as GDB reads it
    in a frame of the stack, counted from the innermost. What lies in a guest's memory is found by its module:
    `first.next->at.x = 3`.

    UsageError for what is none of these; GdbError and SvdError say why it cannot be written.
    """
    found = _PARTS.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text.strip()!r} sets nothing.", remedy="Write what, =, and a value: count = 5.")
    left, right = found["left"], found["right"]
    head, _, rest = left.partition(".")
    if peripherals is not None and rest:
        names = {one.name.lower(): one.name for one in peripherals.device.peripherals}
        if head.lower() in names:
            return await _to_device(live, peripherals, names[head.lower()], rest, right)
    held = await guest.find(left) if guest is not None else None
    if guest is not None and held is not None and held.offset is not None:
        what = "double" if held.type.kind is Kind.FLOAT else "unsigned long long"
        value = await live.data.evaluate(f"({what})({right})", frame=frame)
        return await live.data.write(guest.address(held), guest.encoded(held, value))
    try:
        await live.data.evaluate(f"{left} = {right}", frame=frame)
    except GdbError:
        registers = {one.name for one in await live.data.registers()}
        if left not in registers:
            raise
        await live.data.evaluate(f"${left} = {right}", frame=frame)


async def _to_device(live: Session, peripherals: Peripherals, name: str, rest: str, right: str) -> None:
    register, _, field = rest.upper().partition(".")
    value = int(await live.data.evaluate(f"(unsigned long long)({right})"), 0)
    if field:
        await peripherals.write_field(name, register, field, value)
    else:
        await peripherals.write(name, register, value)
