"""Virtual days of a kernel, hundreds and thousands of times faster than real ones, so that each counter of 32
bits goes round: microseconds (71.6 minutes), cycles (25 s at 168 MHz), milliseconds (49.7 days).

A board in QEMU whose clock leaps from event to event where nobody computes (`-icount sleep=off`). Guests live
through it: one sleeps a minute at a time and looks at the clock, one has a timer, one computes a little and
sleeps. At each look all that they and the kernel count is held against each other, visitors come and go, and
what the kernel has must be what it had: arena, slots, stack.

    python tests/campaigns/days.py --days 3 --board stm32f4
"""

from __future__ import annotations

import argparse
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "firmware"))

from kernel_client import Kernel, Spawned  # noqa: E402

from hal.abi import EndCause, State  # noqa: E402
from hal.boards import load_board  # noqa: E402
from hal.firmware import build  # noqa: E402

DAY = 86_400_000_000
NAP = 60_000_000
BEAT = 10_000_000
LATE = 20_000
"""Microseconds by which a sleeper may be woken too late: nobody takes the CPU for so long."""
LOOK = 1.0
"""Real seconds between two looks."""
ROUNDS = 1000
LINE = 8
"""Bytes that the sleeper logs each time, with the newline."""

SLEEPER = f"""
void start(void) {{
    uint64_t last = now();
    WORD(MEMORY + 8) = (uint32_t)last;
    WORD(MEMORY + 12) = (uint32_t)(last >> 32);
    for (;;) {{
        pause({NAP});
        uint64_t time = now();
        if (time < last + {NAP} || time > last + {NAP + LATE}) {{
            WORD(MEMORY + 4)++;
        }}
        last = time;
        WORD(MEMORY)++;
        WORD(MEMORY + 16) = (uint32_t)last;
        WORD(MEMORY + 20) = (uint32_t)(last >> 32);
        publish(0, 24);
        say(0, {LINE - 1});
    }}
}}"""
"""Publishes how often it woke up, how often at a wrong time, when it began, when it woke up last."""
TIMED = f"""
void start(void) {{
    uint64_t begin = now();
    WORD(MEMORY + 4) = (uint32_t)begin;
    WORD(MEMORY + 8) = (uint32_t)(begin >> 32);
    on_timer({BEAT}, 1);
    for (;;) {{
        WORD(MEMORY) += (uint32_t)(wait_rule() >> 32);
        publish(0, 12);
    }}
}}"""
"""Publishes the periods that its timer told, and when it began."""
WORKER = f"""
void start(void) {{
    uint32_t x = 1;
    for (;;) {{
        for (int i = 0; i < {ROUNDS}; i++) {{
            x = x * 1664525 + 1013904223;
        }}
        WORD(MEMORY) = x;
        WORD(MEMORY + 4)++;
        publish(0, 8);
        pause({BEAT});
    }}
}}"""
"""Publishes a number of a sequence, and how many thousands it has come."""
VISITORS = (
    ("void start(void) { finish(3); }", EndCause.EXIT),
    ("void start(void) { trap(1); }", EndCause.TRAP),
    ("void start(void) { for (;;) pause(4000000000u); }", EndCause.KILLED),
)
SMALL = {"code": 512, "stack": 512, "memory": 256, "log": 64, "result": 32}


@dataclass
class Outcome:
    """What was tried, and what was not as it must be."""

    microseconds: int = 0
    seconds: float = 0.0
    looks: int = 0
    visitors: int = 0
    clock: int = 0
    """The core's, in Hz."""
    complaints: list[str] = field(default_factory=list)

    def report(self) -> str:
        rounds = ", ".join(
            f"{name} {self.microseconds * by >> 32}"
            for name, by in (("microseconds", 1), ("cycles", self.clock // 1_000_000))
        )
        found = [f"  {one}" for one in self.complaints]
        return "\n".join(
            [
                f"virtual    {self.microseconds / DAY:.2f} days in {self.seconds:.0f} s, {self.looks} looks",
                f"32 bits went round: {rounds}, milliseconds {self.microseconds // 1000 >> 32}",
                f"visitors   {self.visitors}",
                f"complaints {len(self.complaints)}",
                *found,
            ]
        )


def ahead(thousands: int) -> int:
    """The worker's number after so many thousands of rounds: its step, composed with itself."""
    factor, addend, times = 1664525, 1013904223, thousands * ROUNDS
    x = 1
    while times:
        if times & 1:
            x = (x * factor + addend) & 0xFFFFFFFF
        factor, addend = factor * factor & 0xFFFFFFFF, (addend * factor + addend) & 0xFFFFFFFF
        times >>= 1
    return x


class Days:
    """A kernel and its guests, from one look to the next."""

    def __init__(self, kernel: Kernel, outcome: Outcome) -> None:
        self._kernel = kernel
        self._outcome = outcome
        self._sleeper = kernel.spawn(SLEEPER, **SMALL)
        self._timed = kernel.spawn(TIMED, rules=1, **SMALL)
        self._worker = kernel.spawn(WORKER, **SMALL)
        kernel.wait(0.5)
        self._boot = kernel.get("d")
        self._before: dict[int, Any] = kernel.get("k")
        self._stack = 0

    @property
    def now(self) -> int:
        """Virtual microseconds since boot, at the last look."""
        return int(self._before[8])

    def look(self) -> None:
        """Hold everything against each other."""
        kernel = self._kernel
        for wrong in (*self._look_at_guests(), *self._look_at_kernel(), *self._visit()):
            self._outcome.complaints.append(f"after {self.now / DAY:.3f} days: {wrong}")
        self._outcome.looks += 1
        self._outcome.microseconds = self.now
        kernel.notices.clear()

    def _result(self, guest: Spawned, layout: str) -> tuple[int, ...]:
        found = self._kernel.get(f"x/{guest.number}/result")
        return struct.unpack(layout, found) if found else (0,) * len(layout[1:])

    def _look_at_guests(self) -> Iterator[str]:
        kernel = self._kernel
        early = kernel.get("k")[8]
        woke, wrong, began, last = self._result(self._sleeper, "<IIQQ")
        beats, begin_low, begin_high = self._result(self._timed, "<III")
        x, thousands = self._result(self._worker, "<II")
        state = kernel.look(self._sleeper)
        late = kernel.get("k")[8]
        if wrong:
            yield f"the sleeper was woken at a wrong time {wrong} times of {woke}"
        if woke and not last <= late <= late - early + last + NAP + LATE:
            yield f"the sleeper woke up last at {last}, and it is {early} to {late}"
        if woke and not woke * NAP <= last - began <= woke * (NAP + LATE):
            yield f"the sleeper woke up {woke} times in {last - began} us"
        lines, rest = divmod(state[10], LINE)
        if rest or not woke <= lines <= woke + (late - early) // NAP + 1:
            yield f"the sleeper's log is at {state[10]} after {woke} lines"
        begin = begin_high << 32 | begin_low
        if beats and not (early - begin) // BEAT - 1 <= beats <= (late - begin) // BEAT:
            yield f"the timer told {beats} periods in {early - begin} to {late - begin} us"
        if thousands and x != ahead(thousands):
            yield f"the worker has {x:#x} after {thousands} thousand rounds"
        if min(woke, beats, thousands) == 0 and late > 3 * NAP:
            yield f"somebody does nothing: {woke}, {beats}, {thousands}"

    def _look_at_kernel(self) -> Iterator[str]:
        counters, before = self._kernel.get("k"), self._before
        passed = counters[8] - before[8]
        if passed <= 0:
            yield f"its clock went from {before[8]} to {counters[8]}"
        if counters[7] + counters[11] > counters[8] or counters[7] < before[7] or counters[11] < before[11]:
            yield f"idle {counters[7]} and executors {counters[11]} of {counters[8]} us"
        if sum(counters[key] for key in (1, 2, 9)) > sum(before[key] for key in (1, 2, 9)):
            yield f"frames were lost: {counters}"
        self._before = counters
        facts = self._kernel.get("d")
        if (facts[3], facts[4], facts[7], facts[8]) != tuple(self._boot[key] for key in (3, 4, 7, 8)):
            yield f"boot, cause, free bytes, largest run are {[facts[key] for key in (3, 4, 7, 8)]}"
        if self._outcome.looks == 3:
            self._stack = counters[10]
        elif self._stack and counters[10] > self._stack + 64:
            yield f"the kernel's stack grew from {self._stack} to {counters[10]} bytes"

    def _visit(self) -> Iterator[str]:
        source, cause = VISITORS[self._outcome.visitors % len(VISITORS)]
        guest = self._kernel.spawn(source, **SMALL)
        if cause is EndCause.KILLED:
            self._kernel.post(f"x/{guest.number}", {0: 2})
        found = self._kernel.ended(guest)
        if found[1] != State.ENDED or found[2] != cause:
            yield f"a visitor ended with {found}, not by {cause.name}"
        if self._kernel.delete(guest.number) != "2.02":
            yield "a visitor's slot was not freed"
        self._outcome.visitors += 1


def play(days: float, board: str, minutes: float = 60.0) -> Outcome:
    """So many virtual days, or as many as there are in so many real minutes."""
    firmware, outcome, begin = build(load_board(board)), Outcome(), time.monotonic()
    kernel = Kernel(firmware, ("-icount", "shift=3,sleep=off"))
    try:
        outcome.clock = kernel.get("d")[14]
        life = Days(kernel, outcome)
        end = life.now + days * DAY
        while (life.now < end or outcome.looks < 3) and time.monotonic() - begin < minutes * 60:
            kernel.wait(LOOK)
            life.look()
    except (OSError, AssertionError) as error:
        outcome.complaints.append(f"{type(error).__name__}: {error}")
    finally:
        kernel.close()
    outcome.seconds = time.monotonic() - begin
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=60.0, help="real ones, at most")
    parser.add_argument("--board", default="stm32f4")
    words = parser.parse_args()
    outcome = play(words.days, words.board, words.minutes)
    sys.stdout.write(f"{words.board}\n{outcome.report()}\n")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
