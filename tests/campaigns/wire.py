"""Feeds both ends of the link with damaged frames: the kernel's parsers and server, and the gateway's.

The kernel's are built for this computer with AddressSanitizer and UBSan (tests/firmware/host/fuzz.c), and
get a conversation of which a third of the messages is mutated, a tenth of the frames damaged. The gateway's
transport gets answers of which every second is mutated; whatever comes, it must neither raise nor keep more
than a frame. Seeded, and bounded by counts.

    python tests/campaigns/wire.py --frames 1000000 --answers 200000 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import random
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path

import cbor2
from aiocoap import ACK, CON, Code, Message

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "firmware"))

import host_build  # noqa: E402
from test_fuzz import conversation  # noqa: E402

from hal.errors import HalError  # noqa: E402
from hal.link import facts  # noqa: E402
from hal.link.slipmux import CoapFrame, Decoder, encode_coap, encode_text  # noqa: E402
from hal.link.transport import StreamTransport  # noqa: E402

PROCESSES = 4
"""The frames are split between so many runs of the kernel, each with a seed of its own."""
MOST_KEPT = 256 << 10
"""Bytes that the gateway may have more after it all than after the first tenth."""


@dataclass
class Outcome:
    """What was tried, and what was not as it must be."""

    kernel: list[str] = field(default_factory=list)
    gateway: str = ""
    complaints: list[str] = field(default_factory=list)

    def report(self) -> str:
        lines = [f"kernel     {line}" for line in self.kernel] or ["kernel     not built: GCC is missing"]
        found = [f"  {complaint}" for complaint in self.complaints]
        return "\n".join([*lines, f"gateway    {self.gateway}", f"complaints {len(self.complaints)}", *found])


def fuzz_kernel(outcome: Outcome, frames: int, seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="mma-wire-") as name:
        folder = Path(name)
        built = host_build.fuzzer(folder)
        if built is None:
            return
        corpus = folder / "corpus"
        corpus.write_bytes(b"".join(struct.pack("<H", len(data)) + data for data in conversation()))
        for number in range(PROCESSES):
            words = [str(built), str(corpus), str(seed * PROCESSES + number), str(frames // PROCESSES)]
            done = subprocess.run(words, capture_output=True, text=True, timeout=3600, check=False)
            outcome.kernel.append(f"seed {words[2]}: {done.stdout.strip() or 'no word'}")
            if done.returncode:
                outcome.complaints.append(f"kernel, seed {words[2]}: {done.stderr[-2000:]}")


def answers() -> list[bytes]:
    """What a device says, as messages."""
    payloads = [
        cbor2.dumps(
            {0: 1, 1: "stm32f4", 2: "0.1.0", 3: 5, 4: 0, 5: 1 << 29, 6: 9, 9: 512, 12: ["temp0"], 13: "mpu"}
        ),
        cbor2.dumps([7, [0, 4, 0, 12, 1], [1, 5, 1, 0, 2]]),
        cbor2.dumps({0: b"12345678", **{key: 3 for key in range(1, 13)}, 13: [1, 2], 14: 9, 15: 0}),
        cbor2.dumps([4, b"a line\n"]),
        cbor2.dumps({key: 1 << key for key in range(12)}),
        cbor2.dumps({0: -6, 3: 512}),
    ]
    messages = [
        Message(
            code=Code.CONTENT, payload=payload, _mtype=kind, _mid=mid, _token=bytes([mid]), content_format=60
        )
        for mid, payload in enumerate(payloads)
        for kind in (ACK, CON)
    ]
    return [message.encode() for message in messages]


def mutate(data: bytes, draw: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(draw.randrange(1, 5)):
        at = draw.randrange(len(out) + 1)
        match draw.randrange(4):
            case 0:
                del out[at : at + draw.randrange(1, 9)]
            case 1:
                out[at:at] = draw.randbytes(draw.randrange(1, 9))
            case 2 if at < len(out):
                out[at] ^= 1 << draw.randrange(8)
            case _ if at < len(out):
                out[at] = draw.choice((0, 0xFF, 0x7F, 0x80, 0xC0, 0xDB))
    return bytes(out)


async def fuzz_gateway(outcome: Outcome, count: int, seed: int) -> None:
    draw, corpus = random.Random(seed), answers()
    parsers = [getattr(facts, name) for name in dir(facts) if name.startswith("parse_")]
    logging.getLogger("hal.link").setLevel(logging.CRITICAL)  # it tells of what makes no sense
    decoder, transport = Decoder(), StreamTransport("fuzzed")
    context = transport.context()
    parsed = kept = 0
    tracemalloc.start()
    for number in range(count):
        if number == count // 10:
            gc.collect()  # errors that were caught are in circles with their frames
            kept = tracemalloc.get_traced_memory()[0]
        data = draw.choice(corpus)
        data = mutate(data, draw) if draw.random() < 0.5 else data
        line = encode_text(repr(data)) if draw.random() < 0.02 else encode_coap(data)
        if draw.random() < 0.1:
            line = mutate(line, draw)
        for frame in decoder.feed(line):
            if not isinstance(frame, CoapFrame):
                continue
            try:
                transport._receive(frame.message)
                for parse in parsers:
                    try:
                        parse(frame.message.partition(b"\xff")[2])
                        parsed += 1
                    except HalError:
                        pass
            except Exception as error:
                outcome.complaints.append(f"gateway, answer {number}: {error!r} by {frame.message.hex()}")
        if number % 256 == 0:
            await asyncio.sleep(0)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - kept
    tracemalloc.stop()
    await context.shutdown()
    if grown > MOST_KEPT:
        outcome.complaints.append(f"gateway: it keeps {grown} bytes more than after a tenth of it all")
    outcome.gateway = (
        f"{count} answers, {parsed} made sense to a parser, {transport.statistics.malformed} were no CoAP, "
        f"{decoder.fcs_errors} bad FCS, {decoder.dropped} broken frames, {grown} bytes kept"
    )


def play(frames: int, answers: int, seed: int) -> Outcome:
    outcome = Outcome()
    fuzz_kernel(outcome, frames, seed)
    asyncio.run(fuzz_gateway(outcome, answers, seed))
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=40_000)
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    outcome = play(arguments.frames, arguments.answers, arguments.seed)
    sys.stdout.write(f"seed       {arguments.seed}\n{outcome.report()}\n")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
