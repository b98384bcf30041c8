"""The numbers that kernel, guests and gateway share: firmware/sdk/abi.h in Python.

tests/hal/test_abi.py holds the two together.
"""

from __future__ import annotations

from enum import IntEnum


class ErrorNumber(IntEnum):
    """enum mma_error: negative results of host calls, and key 0 of a refusal on the link."""

    OK = 0
    DENIED = -1
    INVALID = -2
    FAULT = -3
    NOENT = -4
    NOROOM = -5
    STATE = -6
    DIGEST = -7
    BUSY = -8
    IO = -9
    UNSUPPORTED = -10


class State(IntEnum):
    """enum mma_state: of an executor's slot."""

    FREE = 0
    CREATED = 1
    LOADING = 2
    READY = 3
    RUNNING = 4
    ENDED = 5


class EndCause(IntEnum):
    """enum mma_cause: why an executor ended, in the device's words."""

    NONE = 0
    EXIT = 1
    TRAP = 2
    FAULT = 3
    KILLED = 4


class Trap(IntEnum):
    """enum mma_trap: the traps of the WebAssembly core specification, section 4.4, and our own."""

    UNREACHABLE = 1
    MEMORY = 2
    DIVIDE = 3
    OVERFLOW = 4
    CONVERSION = 5
    TABLE = 6
    NULL = 7
    SIGNATURE = 8
    STACK = 9
    BUDGET = 10

    @property
    def words(self) -> str:
        """What people know it by: the words of the specification's test suite."""
        return _TRAP_WORDS[self]


_TRAP_WORDS = {
    Trap.UNREACHABLE: "unreachable executed",
    Trap.MEMORY: "out of bounds memory access",
    Trap.DIVIDE: "integer divide by zero",
    Trap.OVERFLOW: "integer overflow",
    Trap.CONVERSION: "invalid conversion to integer",
    Trap.TABLE: "undefined element",
    Trap.NULL: "uninitialized element",
    Trap.SIGNATURE: "indirect call type mismatch",
    Trap.STACK: "call stack exhausted",
    Trap.BUDGET: "memory past the task's budget",
}


class ResetCause(IntEnum):
    """enum mma_reset: why the board started."""

    POWER = 0
    PIN = 1
    SOFTWARE = 2
    WATCHDOG = 3
    CRASH = 4
    BROWNOUT = 5


class RuleKind(IntEnum):
    """enum mma_rule_kind: what the kernel does for an executor that waits."""

    NONE = 0
    EDGE = 1
    THRESHOLD = 2
    TIMER = 3
    PWM = 4
    STOP = 5
    MESSAGE = 6


class Edge(IntEnum):
    """enum mma_edge: bits."""

    RISING = 1
    FALLING = 2
    BOTH = 3


RULE_BYTES = 40
"""MMA_RULE_BYTES: of an executor's code part, for each of its rules."""


def trap_words(status: int) -> str:
    """The words of a trap's number; an unknown one (a newer device) is told by its number."""
    try:
        return Trap(status).words
    except ValueError:
        return f"trap {status}"
