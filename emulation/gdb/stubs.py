"""What is known of debug stubs, as data.

Every stub halts its target when GDB attaches: the protocol has no other way to begin. They differ in what
follows when GDB leaves.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stub:
    """One kind of stub. `resets` are monitor commands that reset the target and leave it stopped.

    `writes_peripherals`: memory writes reach peripheral registers; where not, use Machine.write_memory.

    `first` are packets that it is told before GDB speaks to it.

    After a detach all let the target run on. `runs_on_loss`: so they do when the connection just ends; None
    where that is not known. `reverse` says what it takes to run backwards.
    """

    name: str
    resets: tuple[str, ...] = ()
    runs_on_loss: bool | None = None
    writes_peripherals: bool = True
    first: tuple[bytes, ...] = ()
    reverse: str = "This stub does not tell that it can run backwards."


QEMU = Stub(
    "QEMU",
    ("system_reset",),
    runs_on_loss=False,
    writes_peripherals=False,
    first=(b"Qqemu.PhyMemMode:1",),
    reverse="QEMU runs backwards only while it replays: record a run with -icount shift=N,rr=record,rrfile=F,"
    "rrsnapshot=S and an empty qcow2 drive, then debug it with rr=replay.",
)
"""Seen with 7.2: after a lost connection the target goes on as it was, and stops at the next connection.
It looks at memory through the MPU, with the rights of the code that runs and those of a page's first byte:
the kernel is hidden from executors, and some executors from themselves. PhyMemMode looks past it.
Writes change RAM and flash, but it drops those to peripherals without an error; reads reach them."""

RENODE = Stub(
    "Renode",
    ("machine Reset",),
    runs_on_loss=True,
    reverse="Renode runs backwards from 1.16.1 on, one core.",
)
"""A machine without a `reset` macro stays dead after its reset."""

PYOCD = Stub("pyOCD", ("reset halt",), runs_on_loss=True, reverse="A real board cannot run backwards.")
OTHER = Stub("the debug stub")
