"""The steps of a launch, from a module to an executor that runs on the device."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hal import aot
from hal.abi import ErrorNumber, State
from hal.boards import Board
from hal.budget import Needs, Parts, split
from hal.errors import BudgetError, DeviceError
from hal.link import Create, DeviceFacts, Link, Place, Refused
from hal.mcu.tenant import Tenant
from hal.target import Budget, Launch, Stage

LEAST_STACK = 256
"""MMA_STACK_LEAST of firmware/kernel/config.h."""
ROOMY = 1 << 15
"""Bytes of an arena from which on unknown stacks and logs are given more."""
CREATE_TRIES = UPLOAD_TRIES = 3

Tell = Callable[[Stage, int, int], None]
"""Progress: a stage, done, total."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A module ready for a slot."""

    object: aot.Object
    parts: Parts


def compile_and_split(launch: Launch, board: Board, facts: DeviceFacts, tell: Tell) -> Compiled:
    """Validate, compile, and settle the sizes. Blocks; for a thread.

    ModuleError, ToolchainError, BudgetError.
    """
    tell(Stage.VALIDATE, 0, 1)
    grant_masks(launch, facts)
    tell(Stage.VALIDATE, 1, 1)
    tell(Stage.COMPILE, 0, 1)
    compiled = aot.compile_apart(launch.module, board, launch.checked)
    tell(Stage.COMPILE, 1, 1)
    roomy = facts.arena_bytes >= ROOMY
    parts = split(launch.budget, needs_of(compiled, launch, roomy=roomy, alignment=facts.alignment))
    return Compiled(compiled, parts)


def needs_of(compiled: aot.Object, launch: Launch, *, roomy: bool, alignment: int) -> Needs:
    """What a compiled module needs on a device; log and result that nobody chose grow with the total where
    that leaves room for the rest, and without a total are more where the device is `roomy`."""
    total = launch.budget.total or 0
    least = max(LEAST_STACK, compiled.stack_margin + 32 if compiled.stack_margin else 0)
    stack = compiled.stack_bytes if compiled.stack_bytes is not None else (2048 if roomy else 1024)
    return Needs(
        code=compiled.code_bytes + compiled.arguments_bytes(launch.arguments) + compiled.rules_bytes,
        stack=max(stack, least),
        least_stack=least,
        memory=compiled.wanted_memory,
        instance=compiled.instance_bytes,
        log=512 if roomy and not total else 256,
        result=256 if roomy and not total else 128,
        roomy_log=min(total // 16, 2048),
        roomy_result=min(total // 32, 1024),
        alignment=alignment,
    )


def grant_masks(launch: Launch, facts: DeviceFacts) -> tuple[int, int]:
    """Grants as bit masks (gpio, sensors). BudgetError for what the device does not have."""
    pins, names = launch.grants.gpio, launch.grants.sensors
    lacking = [f"gpio {pin}" for pin in sorted(pins) if not 0 <= pin < facts.gpio]
    lacking += [f"sensor {name}" for name in sorted(names) if name not in facts.sensors]
    if lacking:
        raise BudgetError(f"The device has no {', '.join(lacking)}.", missing=0, where="grants")
    sensors = sum(1 << facts.sensors.index(name) for name in names)
    return sum(1 << pin for pin in pins), sensors


def share_of(budget: Budget) -> int:
    """The task's `cpus` in 1/1000 of the one core, rounded up: a share of nothing would never run."""
    return min(1000, max(1, math.ceil(budget.cpus * 1000)))


async def place(link: Link, tenant: Tenant, launch: Launch, compiled: Compiled, facts: DeviceFacts) -> Place:
    """Create the executor on the device. BudgetError if there is no room for it.

    A create whose answer was lost has made it all the same: it is removed and made again, because only
    the answer tells the addresses.
    """
    gpio, sensors = grant_masks(launch, facts)
    parts = compiled.parts
    wish = Create(
        key=tenant.digest,
        code=parts.code,
        stack=parts.stack,
        memory=parts.memory,
        log=parts.log,
        result=parts.result,
        share=share_of(launch.budget),
        gpio=gpio,
        sensors=sensors,
        rules=compiled.object.rules,
    )
    for _ in range(CREATE_TRIES):
        try:
            return await link.create(wish)
        except Refused as refusal:
            if refusal.number != ErrorNumber.STATE:
                raise _no_room(refusal, parts, facts) from refusal
            slot = await find(link, tenant.digest)
            if slot is not None:
                await link.delete(slot)
    raise DeviceError(f"{link.name} says that the executor is there, and that it is not.")


async def find(link: Link, digest: bytes) -> int | None:
    """The slot of the executor with this digest, or None."""
    for row in (await link.slots()).slots:
        try:
            if (await link.executor(row.slot)).key == digest:
                return row.slot
        except Refused:  # gone since
            continue
    return None


async def load(
    link: Link,
    slot: int,
    image: aot.Image,
    tell: Tell,
    ready: Callable[[], Awaitable[None]],
    *,
    again: bool = False,
) -> None:
    """Upload and start. `again`: the link failed over it; what the device has by now is not done once more.

    `ready` is awaited between the two.
    An upload that fell out of step, or whose digest is wrong, begins anew.
    """
    total = len(image.stream)
    for attempt in range(UPLOAD_TRIES):
        begin = await _have(link, slot) if again and attempt == 0 else 0
        tell(Stage.UPLOAD, begin, total)
        try:
            await link.upload(slot, image.stream, lambda done: tell(Stage.UPLOAD, done, total), begin=begin)
            await ready()
            await link.start(slot, image.stream, image.entry, image.initial_memory)
            return
        except Refused as refusal:
            if refusal.number not in (ErrorNumber.STATE, ErrorNumber.DIGEST):
                raise
            if (await link.executor(slot)).state in (State.RUNNING, State.ENDED):
                return
            if attempt == UPLOAD_TRIES - 1:
                raise


async def _have(link: Link, slot: int) -> int:
    """Where an upload goes on that was cut off."""
    state = await link.executor(slot)
    return state.image_bytes if state.state is State.LOADING else 0


def layout_of(place: Place, parts: Parts) -> aot.Layout:
    """Where the linker puts it."""
    return aot.Layout(
        code=place.code,
        code_bytes=parts.code,
        stack=place.stack,
        stack_bytes=parts.stack,
        memory=place.memory,
        memory_bytes=parts.memory,
    )


def _no_room(refusal: Refused, parts: Parts, facts: DeviceFacts) -> Exception:
    if refusal.number == ErrorNumber.BUSY:
        return BudgetError(f"All {facts.executors} slots of the device are taken.", missing=0, where="slot")
    if refusal.number == ErrorNumber.NOROOM:
        missing = refusal.missing or 0
        run = (
            f" in one piece; its largest free run has {refusal.largest}"
            if refusal.largest is not None
            else ""
        )
        return BudgetError(
            f"The device is {missing} bytes short: the executor takes {parts.total}{run}.",
            missing=missing,
            where="arena",
        )
    return refusal
