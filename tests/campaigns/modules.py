"""Mutates modules, and sends them through validation, compiler, linker and link onto an emulated board.

The modules are our own test cases' and the hostile ones; mutations change bytes, instructions, numbers and
whole sections. Most mutants are refused; those that are not must compile, run, and end with a reason or be
killed, and the honest tenant beside them (tests/hostile) must not notice. A fault that only the hardware saw
is a complaint too: it is the compiled-in checks that have to hold. Seeded, and bounded by counts.

    python tests/campaigns/modules.py --mutants 10000 --board stm32f4 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tests" / name) for name in ("hostile", "spec", "hal/aot")]

from attacks import ATTACKS, text_of  # noqa: E402
from bombs import number, section  # noqa: E402
from ground import Ground, opened, told  # noqa: E402
from wasmtime import wat2wasm  # noqa: E402

from hal import aot  # noqa: E402
from hal.aot.binary import Reader  # noqa: E402
from hal.errors import ModuleError  # noqa: E402
from hal.guest import build_module  # noqa: E402
from hal.target import Cause, Ended  # noqa: E402

PATIENCE = 0.5
"""Seconds that a mutant may run."""
TRIES = 12
"""Mutations until one is valid; a fifth are."""
WRONG = {Cause.FAULTED, Cause.LAUNCH_FAILED, Cause.DEVICE_RESET, Cause.DEVICE_GONE}
"""Ends that no module may have."""
SLOW = "took longer than"
"""What the compiler's time limit says: that is how a module that is slow to compile must end."""
KINDS = (
    *((0x45, 0x46, 0x4F), (0x50, 0x51, 0x5A), (0x5B, 0x60), (0x61, 0x66), (0x67, 0x69), (0x6A, 0x78)),
    *((0x79, 0x7B), (0x7C, 0x8A), (0x8B, 0x91), (0x92, 0x98), (0x99, 0x9F), (0xA0, 0xA6), (0x28, 0x2F)),
)
"""Runs of opcodes (core specification 5.4) that may mostly stand for each other."""
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass
class Outcome:
    """What was tried, and what was not as it must be."""

    refused: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def report(self) -> str:
        ends = [f"  {count:6} {end}" for end, count in self.ends.most_common()]
        found = [f"  {complaint}" for complaint in self.complaints]
        return "\n".join(
            [
                f"refused    {self.refused}",
                f"launched   {sum(self.ends.values())} in {self.seconds:.0f} s",
                *ends,
                f"neighbour  {self.lines} lines",
                f"complaints {len(self.complaints)}",
                *found,
            ]
        )


def corpus() -> list[bytes]:
    """Modules to begin with."""
    examples = ROOT / "firmware" / "sdk" / "examples"
    names = ("crc32", "fib", "filter", "hello", "oob")
    found = [build_module(examples / f"{name}.c") for name in names]
    return [*found, *(bytes(wat2wasm(text_of(one))) for one in ATTACKS.values())]


def sections(module: bytes) -> list[tuple[int, bytes]]:
    """(id, contents), custom ones left out: they say nothing of how it runs."""
    reader = Reader(module, 8)
    found = []
    while reader.more:
        kind = reader.byte()
        found.append((kind, bytes(reader.take(reader.u32()))))
    return [one for one in found if one[0]]


def bodies(code: bytes) -> list[bytes]:
    """The functions of a code section."""
    reader = Reader(code)
    return [bytes(reader.take(reader.u32())) for _ in range(reader.u32())]


def mutate(module: bytes, draw: random.Random) -> bytes:
    """One mutant."""
    parts = sections(module)
    code = next((body for kind, body in parts if kind == 10), None)
    functions = bodies(code) if code else []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if functions and draw.random() < 0.8:
            at = draw.randrange(len(functions))
            functions[at] = _bytes(functions[at], draw)
        else:
            at = draw.randrange(len(parts))
            parts[at] = (parts[at][0], _bytes(parts[at][1], draw))
    packed = number(len(functions)) + b"".join(number(len(one)) + one for one in functions)
    done = [(kind, packed if kind == 10 and body == code else body) for kind, body in parts]
    return module[:8] + b"".join(section(kind, body) for kind, body in done)


def _bytes(data: bytes, draw: random.Random) -> bytes:
    out = bytearray(data)
    at = draw.randrange(len(out)) if out else 0
    match draw.randrange(8):
        case 0:
            del out[at : at + draw.randrange(1, 4)]
        case 1:
            out[at:at] = draw.randbytes(draw.randrange(1, 4))
        case 2:
            out[at : at + 1] = number(draw.choice(NUMBERS))
        case 3 if out:
            other = draw.randrange(len(out))
            piece = out[other : other + draw.randrange(1, 12)]
            out[at:at] = piece
        case 4 if out:
            out[at] ^= 1 << draw.randrange(8)
        case _:
            same = [(one, run) for one, byte in enumerate(out) for run in KINDS if run[0] <= byte <= run[-1]]
            if same:
                one, run = draw.choice(same)
                out[one] = draw.randint(run[0], run[-1])
    return bytes(out)


def mutants(count: int, draw: random.Random, outcome: Outcome) -> Iterator[bytes]:
    """So many, of which most are valid; those refused are counted."""
    modules = corpus()
    made = 0
    while made < count:
        for _ in range(TRIES):
            mutant = mutate(draw.choice(modules), draw)
            made += 1
            try:
                aot.validate(mutant)
            except ModuleError:
                outcome.refused += 1
            except Exception as error:
                outcome.complaints.append(f"validation fails with {error!r}: {mutant.hex()}")
            else:
                yield mutant
                break
            if made >= count:
                break


async def _run(ground: Ground, mutant: bytes, outcome: Outcome) -> None:
    try:
        ended: Ended = await ground.let_loose(mutant, PATIENCE)
    except TimeoutError:
        outcome.complaints.append(f"it never came to an end: {mutant.hex()}")
        return
    end = told(ended)
    outcome.ends["exit" if end.startswith("exit") else end] += 1
    if ended.cause in WRONG and SLOW not in ended.message:
        outcome.complaints.append(f"{end}: {ended.message}: {mutant.hex()}")
    elif not ended.message and end != "exit 0":
        outcome.complaints.append(f"{end} without a word: {mutant.hex()}")


async def play(count: int, board: str, seed: int) -> Outcome:
    """A campaign on one board."""
    outcome, begin = Outcome(), time.monotonic()
    async with opened(board) as ground:
        running: set[asyncio.Task[None]] = set()
        for mutant in mutants(count, random.Random(seed), outcome):
            running.add(asyncio.create_task(_run(ground, mutant, outcome)))
            if len(running) >= 12:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        await asyncio.gather(*running)
        outcome.complaints += await ground.settle()
        outcome.lines = ground.witness.count
    outcome.seconds = time.monotonic() - begin
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--board", default="stm32f4")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    outcome = asyncio.run(play(words.mutants, words.board, words.seed))
    sys.stdout.write(f"seed       {words.seed}, {words.board}\n{outcome.report()}\n")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
