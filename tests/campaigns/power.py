"""Cuts a board's power at every step of an executor's life and of a crash, and looks whether the next boot is
sane.

The board is one in QEMU, an stm32f4 unless named. A cut stops it at whatever instruction it is (GDB's stub),
takes what its RAM holds, lets that decay as SRAM does without power (from not at all to noise), and boots a
new machine with it. The next boot must answer, hold no executor, have all its arena free, another boot id, no
crash record but the true one, and then run an executor to its right result. Seeded: the same seed makes the
same decay and the same number of steps into a crash.

    python tests/campaigns/power.py --cuts 200 --seed 1 --board hifive1
"""

from __future__ import annotations

import argparse
import hashlib
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2
from aiocoap import CON, DELETE, POST, PUT, Code, Message

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "firmware"))

from kernel_client import Debugger, Kernel, compile_guest, to_frame  # noqa: E402

from hal.abi import EndCause, ResetCause, State  # noqa: E402
from hal.boards import load_board  # noqa: E402
from hal.firmware import Firmware, build  # noqa: E402

DECAY = (0.0, 0.0, 1e-5, 1e-3, 0.5)
"""Parts of the RAM's bytes that come back as others."""
NOWHERE = 0xE0000000
"""Where no code may run: a kernel that gets there crashes."""
GUEST = """
void start(void) {
    uint32_t x = 7;
    for (int i = 0; i < 1000; i++) { x = x * 1664525 + 1013904223; WORD(MEMORY) = x; }
    say(0, 4); publish(0, 4); finish(0);
}"""
RESULT = 7
for _ in range(1000):
    RESULT = (RESULT * 1664525 + 1013904223) & 0xFFFFFFFF

Step = Callable[["Life"], None]


@dataclass
class Outcome:
    """What was tried, and what was not as it must be."""

    cuts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def report(self) -> str:
        tried = ", ".join(f"{name} {count}" for name, count in self.cuts.items())
        causes = ", ".join(f"{name} {count}" for name, count in sorted(self.causes.items()))
        lines = [f"cuts       {sum(self.cuts.values())}: {tried}", f"boots by   {causes}"]
        found = [f"  {complaint}" for complaint in self.complaints]
        return "\n".join([*lines, f"complaints {len(self.complaints)}", *found])


class Life:
    """A board, and an executor on it as far as the steps have come."""

    def __init__(self, firmware: Firmware, folder: Path) -> None:
        self.gdb = folder / "gdb"
        self.gdb.unlink(missing_ok=True)
        self.kernel = Kernel(firmware, ("-gdb", f"unix:{self.gdb},server,nowait"))
        self.place: dict[int, Any] = {}
        self.stream = b""
        self.entry = 0

    def message(self, code: Code, path: str, payload: bytes = b"", **options: Any) -> Message:
        message = Message(
            code=code, payload=payload, _mtype=CON, _mid=next(self.kernel._ids) & 0xFFFF, _token=b"w"
        )
        message.opt.uri_path = tuple(path.split("/"))
        for name, value in options.items():
            setattr(message.opt, name, value)
        if code in (POST, DELETE):
            self.kernel.prove(message)
        return message

    def create(self) -> Message:
        return self.message(POST, "x", cbor2.dumps({0: b"campaign", 1: 1600, 2: 512, 3: 512, 4: 64, 5: 16}))

    def block(self, number: int) -> Message:
        size = self.kernel.block
        part, more = self.stream[number * size : number * size + size], (number + 1) * size < len(self.stream)
        return self.message(PUT, self.path, part, block1=(number, more, size.bit_length() - 5))

    @property
    def path(self) -> str:
        return f"x/{self.place[0]}"

    def act(self, what: int) -> Message:
        digest = hashlib.sha256(self.stream).digest()
        return self.message(POST, self.path, cbor2.dumps({0: what, 1: digest, 2: self.entry}))

    def delete(self) -> Message:
        return self.message(DELETE, self.path)

    def do(self, message: Message) -> Message:
        return self.kernel.exchange(message.encode(), message.mid)

    def created(self, answer: Message) -> None:
        self.place = cbor2.loads(answer.payload)
        folder = Path(self.kernel.folder.name)
        _, image, self.entry = compile_guest(self.kernel.firmware.board, GUEST, self.place, folder)
        image = image.ljust(3 * self.kernel.block - 36, b"\0")  # three blocks
        self.stream = struct.pack("<II", self.place[1], len(image)) + image


STEPS: tuple[tuple[str, Callable[[Life], Message]], ...] = (
    ("create", Life.create),
    ("block 0", lambda life: life.block(0)),
    ("block 1", lambda life: life.block(1)),
    ("block 2", lambda life: life.block(2)),
    ("start", lambda life: life.act(1)),
    ("kill", lambda life: life.act(2)),
    ("delete", Life.delete),
    ("reset", lambda life: life.message(POST, "reset")),
)


def read_ram(debugger: Debugger, firmware: Firmware) -> bytes:
    debugger.command("Qqemu.PhyMemMode:1")  # not as the executor sees it that may be running
    ram = firmware.board.ram
    pieces = (debugger.command(f"m{at:x},400") for at in range(ram.address, ram.end, 0x400))
    return b"".join(map(bytes.fromhex, pieces))


def cut_in_a_step(life: Life, name: str, answered: bool) -> bytes:
    """Do the steps before; then send this one's request, and cut before or after its answer."""
    for step, make in STEPS:
        message = make(life)
        if step != name:
            answer = life.do(message)
            assert answer.code.is_successful(), (step, answer)
            if step == "create":
                life.created(answer)
            continue
        if answered:
            life.do(message)
        else:
            life.kernel.send(to_frame(message.encode()))
        debugger = attach(life.gdb)
        ram = read_ram(debugger, life.kernel.firmware)
        debugger.line.close()
        return ram
    raise AssertionError(name)


def cut_in_a_crash(life: Life, instructions: int) -> bytes:
    """Let the kernel crash, and cut so many instructions after it has begun to write its record."""
    life.kernel.get("s")
    debugger = attach(life.gdb)
    writer = life.kernel.firmware.symbol("mma_crashed") & ~1
    send_nowhere(debugger, life.kernel.firmware)
    debugger.run_to(writer)
    for _ in range(instructions):
        debugger.command("s", stops=True)
    ram = read_ram(debugger, life.kernel.firmware)
    debugger.line.close()
    return ram


def cut_after_a_crash(life: Life) -> bytes:
    """Let the kernel crash, and cut when its record is whole, before it restarts."""
    life.kernel.get("s")
    debugger = attach(life.gdb)
    send_nowhere(debugger, life.kernel.firmware)
    debugger.run_to(life.kernel.firmware.symbol("mma_arch_reset") & ~1)
    ram = read_ram(debugger, life.kernel.firmware)
    debugger.line.close()
    return ram


def send_nowhere(debugger: Debugger, firmware: Firmware) -> None:
    """From where the kernel is, so that no interrupt's way back mends it."""
    pc = 15 if is_arm(firmware) else 32
    debugger.run_to(firmware.symbol("mma_server_poll") & ~1)
    debugger.command(f"P{pc:x}={struct.pack('<I', NOWHERE).hex()}")


def is_arm(firmware: Firmware) -> bool:
    return firmware.board.arch == "cortex_m"


def attach(path: Path) -> Debugger:
    """GDB's stub, which stops the machine. QEMU makes its sockets one after the other."""
    deadline = time.monotonic() + 10
    while True:
        try:
            debugger = Debugger(path)
            debugger.command("qXfer:features:read:target.xml:0,fff")
            return debugger
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def decayed(ram: bytes, part: float, draw: random.Random) -> bytes:
    out = bytearray(ram)
    for _ in range(round(part * len(out))):
        out[draw.randrange(len(out))] = draw.randrange(256)
    return bytes(out)


def look(firmware: Firmware, folder: Path, ram: bytes, before: int) -> tuple[str, list[str]]:
    """Boot with that RAM. The reset's cause, and what is wrong."""
    gdb = folder / "next"
    gdb.unlink(missing_ok=True)
    kernel = Kernel(firmware, ("-S", "-gdb", f"unix:{gdb},server,nowait"))
    wrong: list[str] = []
    try:
        with attach(gdb) as debugger:
            for at in range(0, len(ram), 0x400):
                piece = ram[at : at + 0x400]
                debugger.command(f"M{firmware.board.ram.address + at:x},{len(piece):x}:{piece.hex()}")
        facts = kernel.get("d")
        cause = ResetCause(facts[4])
        if facts[7] != facts[6]:
            wrong.append(f"{facts[6] - facts[7]} bytes of the arena are taken")
        if kernel.get("s") != [facts[3]]:
            wrong.append(f"executors in {kernel.get('s')}")
        if facts[3] == before:
            wrong.append("the boot id is the one before")
        true = (3, 4, 5, 6) if is_arm(firmware) else (1,)  # exception numbers, or mcause
        if cause is ResetCause.CRASH and (facts[16][0] not in true or facts[16][1] != NOWHERE):
            wrong.append(f"a crash record that nobody wrote: {facts[16]}")
        guest = kernel.spawn(GUEST)
        found = kernel.ended(guest)
        output = kernel.get(f"x/{guest.number}/result")
        if found[2] != EndCause.EXIT or output != struct.pack("<I", RESULT) or found[1] != State.ENDED:
            wrong.append(f"an executor ended with {found}, {output!r}")
        return cause.name.lower(), wrong
    except (OSError, AssertionError) as error:
        return "silent", [*wrong, f"{type(error).__name__}: {error}"]
    finally:
        kernel.close()


def play(cuts: int, seed: int, board: str = "stm32f4") -> Outcome:
    """So many cuts, through all steps in turn."""
    firmware = build(load_board(board))
    draw, outcome = random.Random(seed), Outcome()
    kinds = [(name, answered) for name, _ in STEPS for answered in (False, True)]
    kinds += [("crash record", False)] * 4
    with tempfile.TemporaryDirectory(prefix="mma-power-") as name:
        folder = Path(name)
        for number in range(cuts):
            step, answered = kinds[number % len(kinds)]
            life = Life(firmware, folder)
            try:
                before = life.kernel.get("d")[3]
                if step == "crash record":
                    depth = draw.randrange(160)
                    words, ram = f"{step} +{depth}", cut_in_a_crash(life, depth)
                else:
                    words, ram = (
                        f"{step}{' answered' if answered else ''}",
                        cut_in_a_step(life, step, answered),
                    )
            finally:
                life.kernel.close()
            part = draw.choice(DECAY)
            cause, wrong = look(firmware, folder, decayed(ram, part, draw), before)
            outcome.cuts[step] += 1
            outcome.causes[cause] += 1
            outcome.complaints += [f"cut {number} ({words}, decay {part:g}): {one}" for one in wrong]
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--board", default="stm32f4")
    arguments = parser.parse_args()
    outcome = play(arguments.cuts, arguments.seed, arguments.board)
    sys.stdout.write(f"board      {arguments.board}\nseed       {arguments.seed}\n{outcome.report()}\n")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
