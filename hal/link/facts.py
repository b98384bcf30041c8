"""The CBOR maps of docs/link.md as frozen facts, checked: a device may be broken, old or lying.

Every `parse` raises DeviceError with a sentence that names the field. Unknown keys are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from hal.abi import EndCause, ResetCause, RuleKind, State
from hal.errors import DeviceError

LINK_VERSION = 1
U32 = 0xFFFF_FFFF
U64 = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Crash:
    """The crash record of the device's last boot (key 16 of D)."""

    cause: int
    pc: int
    lr: int
    status: int
    address: int
    slot: int
    """The executor that was running, or -1."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """D: what the device says of itself."""

    board: str
    kernel: str
    boot: int
    reset: ResetCause | int
    arena_address: int
    arena_bytes: int
    free_bytes: int
    largest_free: int
    block: int
    executors: int
    gpio: int
    """Number of pins."""
    sensors: tuple[str, ...]
    isolation: str
    clock: int
    """Hz."""
    alignment: int
    crash: Crash | None = None
    key_id: bytes | None = None
    """Four bytes of the SHA-256 of its key; None: it wants no proof."""
    proof_counter: int = 0
    """Of the last request that had one."""
    unique_id: bytes = b""
    """Of the chip; empty where it has none."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """One occupied slot, as S tells it."""

    slot: int
    state: State
    cause: EndCause
    log_end: int
    generation: int
    """Counts what went through this slot."""


@dataclass(frozen=True, slots=True)
class Slots:
    """S: every occupied slot."""

    boot: int
    slots: tuple[SlotState, ...]


@dataclass(frozen=True, slots=True)
class Create:
    """C: what a new executor asks. Sizes in bytes."""

    key: bytes
    """8 bytes."""
    code: int
    stack: int
    memory: int
    log: int
    result: int
    share: int
    """1/1000 of the CPU."""
    gpio: int = 0
    """Bit mask."""
    sensors: int = 0
    """Bit mask over DeviceFacts.sensors."""
    rules: int = 0
    """How many rules it may have."""

    def encode(self) -> bytes:
        fields = (self.key, self.code, self.stack, self.memory, self.log, self.result, self.share)
        return cbor2.dumps(dict(enumerate((*fields, self.gpio, self.sensors, self.rules))))


@dataclass(frozen=True, slots=True)
class Place:
    """P: where the device put it."""

    slot: int
    code: int
    stack: int
    memory: int
    taken: int
    """Bytes from the arena in all."""


@dataclass(frozen=True, slots=True)
class ExecutorState:
    """X: state and counters of one executor."""

    key: bytes
    state: State
    cause: EndCause
    status: int
    pc: int
    fault_address: int
    cpu_microseconds: int
    switches: int
    stack_peak: int
    memory_peak: int
    log_end: int
    log_dropped: int
    result_bytes: int
    calls: tuple[int, ...]
    """Return addresses, innermost first."""
    memory: int
    """Current size of linear memory."""
    image_bytes: int = 0
    """Bytes of the image that the device has, until the start."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One of /x/N/rules: what an executor waits for, or a pin that the kernel pulses for it."""

    number: int
    kind: RuleKind
    what: int
    """The pin, or the sensor by its place in DeviceFacts.sensors."""
    period: int
    """Microseconds; of a PWM, nanoseconds."""
    value: int
    """What its handler got last; of a PWM, the nanoseconds of high."""
    count: int
    """How often it came true; of a PWM, how often it was set."""


def before(offset: int, other: int) -> bool:
    """Whether an offset of a log is before another: they go on at 0 after 2**32 - 1 (docs/link.md, L)."""
    return 0 < (other - offset) & U32 < 1 << 31


@dataclass(frozen=True, slots=True)
class LogPiece:
    """L: bytes of the log from `offset` on."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Counters:
    """K: the kernel's counters since its boot."""

    frames_received: int
    fcs_errors: int
    broken_frames: int
    """Too long, or with a broken escape."""
    frames_sent: int
    notifications_again: int
    answers_again: int
    """Requests that came again and were answered from memory."""
    switches: int
    idle_microseconds: int
    microseconds: int
    """Since its boot."""
    lost_bytes: int
    stack_peak: int
    """Most bytes of its own stack ever used."""
    executor_microseconds: int = 0
    """That executors had; what neither they nor idling took was the kernel's own."""


def parse_device(payload: bytes) -> DeviceFacts:
    """D. Also refuses a link version that this gateway does not speak."""
    fields = Fields.of_map(payload, "device description")
    version = fields.uint(0)
    if version != LINK_VERSION:
        raise DeviceError(
            f"The device speaks version {version} of the link, this gateway version {LINK_VERSION}.",
            remedy="Flash the firmware of this release: mma firmware build BOARD, then mma flash BOARD.",
        )
    block = fields.uint(9)
    if block not in (16, 32, 64, 128, 256, 512, 1024):
        raise DeviceError(f"The device's block size is {block}, which CoAP does not have.")
    sensors = fields.array(12)
    if not all(isinstance(name, str) for name in sensors):
        raise fields.wrong(12)
    facts = DeviceFacts(
        board=fields.text(1),
        kernel=fields.text(2),
        boot=fields.uint(3),
        reset=_reset(fields.uint(4)),
        arena_address=fields.uint(5),
        arena_bytes=fields.uint(6),
        free_bytes=fields.uint(7),
        largest_free=fields.uint(8),
        block=block,
        executors=fields.uint(10),
        gpio=fields.uint(11),
        sensors=tuple(sensors),
        isolation=fields.text(13),
        clock=fields.uint(14),
        alignment=fields.uint(15),
        crash=_crash(fields),
        key_id=fields.data(17) if fields.has(17) else None,
        proof_counter=fields.uint(18) if fields.has(18) else 0,
        unique_id=fields.data(19) if fields.has(19) else b"",
    )
    if not 1 <= facts.alignment <= facts.arena_bytes:
        raise fields.wrong(15)
    return facts


def parse_slots(payload: bytes) -> Slots:
    """S."""
    boot, *rows = Fields.of_array(payload, "list of slots", least=1).values()
    slots = []
    for row in rows:
        fields = Fields.of_sequence(row, "slot", least=5)
        slots.append(
            SlotState(fields.uint(0), _state(fields, 1), _cause(fields, 2), fields.uint(3), fields.uint(4))
        )
    if not isinstance(boot, int) or len({slot.slot for slot in slots}) != len(slots):
        raise DeviceError("The device's list of slots makes no sense.")
    return Slots(boot, tuple(slots))


def parse_place(payload: bytes) -> Place:
    """P."""
    fields = Fields.of_map(payload, "place of a new executor")
    return Place(*(fields.uint(key) for key in range(5)))


def parse_executor(payload: bytes) -> ExecutorState:
    """X."""
    fields = Fields.of_map(payload, "state of an executor")
    calls = fields.array(13) if fields.has(13) else ()
    if not all(isinstance(address, int) and 0 <= address <= U32 for address in calls):
        raise fields.wrong(13)
    key = fields.data(0)
    if len(key) != 8:
        raise fields.wrong(0)
    return ExecutorState(
        key=key,
        state=_state(fields, 1),
        cause=_cause(fields, 2),
        status=fields.integer(3),
        pc=fields.uint(4),
        fault_address=fields.uint(5),
        cpu_microseconds=fields.uint(6, U64),
        switches=fields.uint(7),
        stack_peak=fields.uint(8),
        memory_peak=fields.uint(9),
        log_end=fields.uint(10),
        log_dropped=fields.uint(11),
        result_bytes=fields.uint(12),
        calls=tuple(calls),
        memory=fields.uint(14),
        image_bytes=fields.uint(15) if fields.has(15) else 0,
    )


def parse_rules(payload: bytes) -> tuple[Rule, ...]:
    """/x/N/rules."""
    return tuple(map(_rule, Fields.of_array(payload, "list of rules", least=0).values()))


def _rule(members: Any) -> Rule:
    fields = Fields.of_sequence(members, "rule", least=6)
    try:
        kind = RuleKind(fields.uint(1))
    except ValueError:
        raise fields.wrong(1) from None
    return Rule(fields.uint(0), kind, fields.uint(2), fields.uint(3, U64), fields.integer(4), fields.uint(5))


def parse_log(payload: bytes) -> LogPiece:
    """L."""
    fields = Fields.of_array(payload, "piece of a log", least=2)
    return LogPiece(fields.uint(0), fields.data(1))


def parse_counters(payload: bytes) -> Counters:
    """K; a counter that the device does not keep is 0."""
    fields = Fields.of_map(payload, "kernel's counters")
    return Counters(*(fields.uint(key, U64) if fields.has(key) else 0 for key in range(12)))


class Fields:
    """The members of a CBOR map or array, taken out one by one with their types checked."""

    def __init__(self, members: Mapping[Any, Any], what: str) -> None:
        self._members = members
        self._what = what

    @classmethod
    def of_map(cls, payload: bytes, what: str) -> Fields:
        members = _decode(payload, what)
        if not isinstance(members, dict):
            raise DeviceError(f"The device's {what} is not a map.")
        return cls(members, what)

    @classmethod
    def of_array(cls, payload: bytes, what: str, *, least: int) -> Fields:
        return cls.of_sequence(_decode(payload, what), what, least=least)

    @classmethod
    def of_sequence(cls, members: Any, what: str, *, least: int) -> Fields:
        if not isinstance(members, list) or len(members) < least:
            raise DeviceError(f"The device's {what} is not an array of {least} or more.")
        return cls(dict(enumerate(members)), what)

    def values(self) -> list[Any]:
        return list(self._members.values())

    def has(self, key: int) -> bool:
        return key in self._members

    def wrong(self, key: int) -> DeviceError:
        """The error that says that member `key` is missing or makes no sense."""
        found = repr(self._members[key])[:40] if key in self._members else "missing"
        return DeviceError(
            f"The device's {self._what} makes no sense: member {key} is {found}.",
            remedy="Firmware and gateway may be of different releases.",
        )

    def uint(self, key: int, most: int = U32) -> int:
        value = self._members.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self.wrong(key)
        return value

    def integer(self, key: int) -> int:
        value = self._members.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 31) <= value <= U32:
            raise self.wrong(key)
        return value

    def text(self, key: int) -> str:
        value = self._members.get(key)
        if not isinstance(value, str):
            raise self.wrong(key)
        return value

    def data(self, key: int) -> bytes:
        value = self._members.get(key)
        if not isinstance(value, bytes):
            raise self.wrong(key)
        return value

    def array(self, key: int) -> Sequence[Any]:
        value = self._members.get(key)
        if not isinstance(value, list):
            raise self.wrong(key)
        return value


def _decode(payload: bytes, what: str) -> Any:
    try:
        return cbor2.loads(payload)
    except Exception as error:  # cbor2 raises its own, and ValueError, OverflowError, TypeError, ...
        raise DeviceError(f"The device's {what} is not CBOR.") from error


def _state(fields: Fields, key: int) -> State:
    try:
        return State(fields.uint(key))
    except ValueError:
        raise fields.wrong(key) from None


def _cause(fields: Fields, key: int) -> EndCause:
    try:
        return EndCause(fields.uint(key))
    except ValueError:
        raise fields.wrong(key) from None


def _reset(number: int) -> ResetCause | int:
    try:
        return ResetCause(number)
    except ValueError:
        return number


def _crash(fields: Fields) -> Crash | None:
    if not fields.has(16):
        return None
    value = fields._members[16]
    if not isinstance(value, dict):
        raise fields.wrong(16)
    record = Fields(value, "crash record")
    cause, pc, lr, status, address = (record.uint(key) for key in range(5))
    return Crash(cause, pc, lr, status, address, record.integer(5))
