"""A session as it might be, at a fixed time: a fleet, offers, tasks and logs, and a backend that plays it.

The events are real ones, folded by the real model; only nobody is behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from wasmtime import wat2wasm

from console.app import NOTHING_SAVED, ConsoleApp
from console.cluster.frameworks import FrameworkFacts, HeldOffer
from console.cluster.mesos import Offer, OfferState, Resources, Status, Task, TaskSpec, TaskState
from console.live.seam import BackendFactory, Post
from console.saved import Saved
from console.state.events import (
    ClockRead,
    Connected,
    Event,
    FrameworksRead,
    FromTarget,
    LinkRead,
    LinkSaid,
    OfferChanged,
    Progressed,
    Quality,
    TargetUp,
    TaskChanged,
    UsageRead,
)
from hal.budget import Needs, Parts, split
from hal.errors import ModuleError
from hal.target import (
    Budget,
    Cause,
    Connection,
    Description,
    Diagnostic,
    Ended,
    Items,
    Output,
    Progress,
    Ranges,
    Scalar,
    Stage,
    Started,
    Usage,
)
from tests.console.tui.scripted_debug import ScriptedDebugger, ScriptedMemory
from tests.console.tui.scripted_edit import ScriptedEditor

NOW = 1_767_268_800.0  # 2026-01-01 12:00:00 UTC
FRAMEWORK = "3f2a6b1e-2c41-4c19-9d3f-0a6f7c1d2e3b-0003"
MASTER = "3f2a6b1e-2c41-4c19-9d3f-0a6f7c1d2e3b"
TARGETS = ("stm32f4@qemu", "stm32f4@qemu-2", "hifive1@qemu", "host")
MODULE = b"\0asm" + bytes(1204)
PINNED = bytes(
    wat2wasm("""
(module (import "mma" "gpio_mode" (func (param i32 i32) (result i32)))
  (import "mma" "gpio_write" (func (param i32 i32) (result i32))) (func (export "main")))""")
)


def stm32(name: str) -> Description:
    """As the device's own words."""
    return Description(
        name,
        (
            Scalar("cpus", 1.0),
            Scalar("mem", 0.109),
            Scalar("flash_kb", 1024.0),
            Ranges("gpio", ((0, 15),)),
            Items("sensors", frozenset({"temp0", "accel"})),
        ),
        {
            "board": "stm32f4",
            "mcu": "stm32f405",
            "isa": "armv7e-m",
            "isolation": "mpu",
            "firmware": "0.1.0",
            "target": name,
        },
        114_688,
    )


HOST = Description(
    "host",
    (Scalar("cpus", 2.0), Scalar("mem", 12_015.0)),
    {"board": "host", "isa": "x86_64", "isolation": "wasmtime", "target": "host"},
    12_598_640_640,
)


def offer(
    number: int, target: str, agent: int, received: float, mem: float = 0.0, **changes: object
) -> Offer:
    """One offer of a whole target, or of `mem` MB of it."""
    description = HOST if target == "host" else stm32(target)
    scalars = {r.name: r.value for r in description.resources if isinstance(r, Scalar)}
    if mem:
        scalars["mem"] = mem
    ranges = {r.name: r.ranges for r in description.resources if isinstance(r, Ranges)}
    sets = {r.name: r.items for r in description.resources if isinstance(r, Items)}
    return Offer(
        f"{MASTER}-O{number}",
        f"{MASTER}-S{agent}",
        "gateway",
        "*",
        Resources(scalars, ranges, sets),
        description.attributes,
        received,
        **changes,  # type: ignore[arg-type]
    )


def task(
    name: str, target: str, *states: Status, cpus: float = 0.1, mem: float = 0.012, **more: object
) -> Task:
    """One task with its history."""
    labels = {"mma.stack": "2048", "mma.memory": "4096", "mma.log": "512"}
    spec = TaskSpec(
        name.rpartition("-")[0], MODULE, target, Resources({"cpus": cpus, "mem": mem}), ("20",), labels
    )
    return Task(name, spec, states, f"{MASTER}-S1", "gateway", **more)  # type: ignore[arg-type]


def history(
    *pairs: tuple[TaskState, float], message: str = "", data: bytes = b"", reason: str = ""
) -> list[Status]:
    """States with their ages in seconds; message, data and reason belong to the last."""
    found = [Status(state, NOW - age) for state, age in pairs]
    last = found[-1]
    found[-1] = Status(last.state, last.time, reason, message, "SOURCE_EXECUTOR", data)
    return found


FRAMEWORKS = (
    FrameworkFacts(
        f"{MASTER}-0001",
        "marathon",
        tasks=1,
        used=Resources({"cpus": 0.2, "mem": 0.024}),
        offers=(HeldOffer(f"{MASTER}-O9", f"{MASTER}-S2", "*", Resources({"cpus": 0.8, "mem": 0.02})),),
    ),
    FrameworkFacts(FRAMEWORK, "mma-console", tasks=3, used=Resources({"cpus": 0.85, "mem": 0.04})),
)


def script() -> list[tuple[float, Event]]:
    """What happened, with ages in seconds before NOW."""
    s = TaskState
    began = [(s.WAITING, 200.5), (s.STAGING, 200.4), (s.STARTING, 200.2), (s.RUNNING, 199.8)]
    filter_task = task("filter-9c1d22ab", "stm32f4@qemu", *history(*began), cpus=0.25, mem=0.016)
    spin_task = task(
        "spin-77aa01fe",
        "stm32f4@qemu",
        *history((s.WAITING, 40), (s.STAGING, 39.9), (s.RUNNING, 39.2)),
        cpus=0.5,
    )
    fib_task = task(
        "fib-3fa29b10",
        "stm32f4@qemu",
        *history((s.WAITING, 90), (s.STAGING, 89.9), (s.RUNNING, 89.4), (s.FINISHED, 89.1), data=b"6765"),
    )
    trap_message = "Trap: unreachable in `main`, called from `_start`."
    trap_task = task(
        "trap-01b2c3d4",
        "stm32f4@qemu-2",
        *history(
            (s.WAITING, 61),
            (s.STAGING, 60.9),
            (s.RUNNING, 60.4),
            (s.FAILED, 60.3),
            message=trap_message,
            reason="REASON_CONTAINER_LIMITATION",
        ),
    )
    crc_task = task("crc32-5512aa90", "stm32f4@qemu-2", *history((s.WAITING, 1.2), (s.STAGING, 1.1)))
    key = FRAMEWORK + "/"
    taken = {"state": OfferState.ACCEPTED, "closed": NOW - 199}
    events: list[tuple[float, Event]] = [
        (300, Progressed("master", "starting the genuine Mesos master")),
        (299, Connected(FRAMEWORK, "http://127.0.0.1:5050")),
        (299, Progressed("stm32f4@qemu", "building the firmware")),
        (298, TargetUp("host", HOST)),
        (297, TargetUp("stm32f4@qemu", stm32("stm32f4@qemu"))),
        (297, FromTarget("stm32f4@qemu", Diagnostic("mma 0.1.0 on stm32f4, 114688 bytes free"))),
        (297, FromTarget("stm32f4@qemu", Connection(True))),
        (296, TargetUp("stm32f4@qemu-2", stm32("stm32f4@qemu-2"))),
        (296, OfferChanged(offer(0, "stm32f4@qemu", 1, NOW - 296, note="for filter-9c1d22ab", **taken))),
        (
            260,
            OfferChanged(
                offer(
                    1,
                    "host",
                    0,
                    NOW - 298,
                    state=OfferState.DECLINED,
                    closed=NOW - 238,
                    note="refused for 1 s",
                )
            ),
        ),
        (237, OfferChanged(offer(2, "host", 0, NOW - 237))),
        (200, TaskChanged(filter_task)),
        (199, FromTarget("stm32f4@qemu", Started(key + filter_task.id))),
        (199, FromTarget("stm32f4@qemu", Output(key + filter_task.id, b"limit 30000, pin 0\n"))),
        (90, TaskChanged(fib_task)),
        (89, FromTarget("stm32f4@qemu", Output(key + fib_task.id, b"fib(20)\n"))),
        (
            89,
            FromTarget(
                "stm32f4@qemu", Ended(key + fib_task.id, Cause.EXITED, 0, "", b"6765", _use(0.21, 604))
            ),
        ),
        (60, TaskChanged(trap_task)),
        (
            60,
            FromTarget(
                "stm32f4@qemu-2",
                Ended(key + trap_task.id, Cause.TRAPPED, 1, trap_message, usage=_use(0.01, 96)),
            ),
        ),
        (58, OfferChanged(offer(7, "stm32f4@qemu-2", 2, NOW - 58))),
        (40, TaskChanged(spin_task)),
        (39, FromTarget("stm32f4@qemu", Started(key + spin_task.id))),
        (38, OfferChanged(offer(8, "stm32f4@qemu", 1, NOW - 38, mem=0.081))),
    ]
    spent = 6.0
    for second in range(30, 0, -1):
        done = 30 - second
        spent += (0.04, 0.06, 0.12, 0.22, 0.24, 0.16, 0.09)[second % 7]
        usage = {
            key + filter_task.id: _use(spent, 1188, peak=420),
            key + spin_task.id: _use(done * 0.5, 348, peak=128),
        }
        events.append((second, UsageRead("stm32f4@qemu", usage)))
        events.append((second, UsageRead("host", {})))
        events.append((second, ClockRead("stm32f4@qemu", 297.0 - second)))
        for name, bad in (("stm32f4@qemu", 0), ("stm32f4@qemu-2", 1 if second % 4 == 0 else 0)):
            events.append((second, LinkRead(name, _quality(done, bad * done))))
        asked = f"> CON {0x3A10 + done:04x} GET /x/0"
        took = 2.1 + (second % 5) / 4
        events.append((second - 0.4, LinkSaid("stm32f4@qemu", key + filter_task.id, asked)))
        answer = f"< ACK {0x3A10 + done:04x} 2.05 Content {{0: 'b1a3', 1: 2, 4: {1188 + done}}}"
        events.append(
            (
                second - 0.398,
                LinkSaid("stm32f4@qemu", key + filter_task.id, f"{answer}  [/x/0, {took:.1f} ms]"),
            )
        )
        if second % 3 == 0:
            text = f"mean of 8: {29_400 + 37 * done} mdeg, pin low\n".encode()
            events.append((second, FromTarget("stm32f4@qemu", Output(key + filter_task.id, text))))
    events += [
        (6, Progressed("hifive1@qemu", "building the firmware")),
        (20, FrameworksRead(FRAMEWORKS)),
        (1.2, TaskChanged(crc_task)),
        (1.0, FromTarget("stm32f4@qemu-2", Progress(key + crc_task.id, Stage.UPLOAD, 0, 3072))),
        (0.5, FromTarget("stm32f4@qemu-2", Progress(key + crc_task.id, Stage.UPLOAD, 2048, 3072))),
    ]
    return sorted(((NOW - age, event) for age, event in events), key=lambda pair: pair[0])


def _quality(done: int, bad: int) -> Quality:
    """A link after `done` seconds on which `bad` messages were sent again."""
    return Quality(
        round_trip=0.0021 + (done % 5) / 4000 + bad / 2000,
        sent=400 + 12 * done + bad,
        received=395 + 12 * done,
        bytes_sent=61_000 + 240 * done,
        bytes_received=18_000 + 310 * done,
        again=bad,
        damaged=bad // 2,
        connections=1,
    )


def _use(cpu: float, code: int, peak: int = 96) -> Usage:
    return Usage(cpu, int(cpu * 1000), code, 2048, peak, 4096, peak * 2)


class ScriptedBackend:
    """Takes calls down; sizes are those of a small module."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.debugger = ScriptedDebugger(post)
        self.memory = ScriptedMemory(post)
        self.editor = ScriptedEditor(post)
        self.submitted: list[TaskSpec] = []
        self.killed: list[str] = []
        self.declined: list[str] = []
        self.inflicted: list[tuple[str, str]] = []
        self.revived = 0

    async def inflict(self, target: str, fault: str) -> str:
        self.inflicted.append((target, fault))
        return f"{target}: done to it: {fault}"

    async def submit(self, spec: TaskSpec) -> str:
        self.submitted.append(spec)
        made = Task(f"{spec.name}-00000001", spec, (Status(TaskState.WAITING, NOW),))
        self.post(TaskChanged(made))
        return made.id

    async def kill(self, task_id: str, grace: float = 0.0) -> None:
        self.killed.append(task_id)

    async def decline(self, offer_id: str) -> None:
        self.declined.append(offer_id)

    async def revive(self) -> None:
        self.revived += 1

    async def load(self, path: Path) -> bytes:
        if "broken" in path.name:
            raise ModuleError("This is no WebAssembly: it begins with text.", remedy="Name a .wasm file.")
        return PINNED if path.stem == "blink" else MODULE

    async def size(self, module: bytes, target: str, arguments: Sequence[str], budget: Budget) -> Parts:
        code = 604 + sum(len(word) for word in arguments)
        return split(budget, Needs(code, 2048, 256, 4096, alignment=32))

    async def size_by(
        self, attributes: Mapping[str, str], module: bytes, arguments: Sequence[str], budget: Budget
    ) -> Parts:
        return await self.size(module, attributes["target"], arguments, budget)


class Clock:
    """The time of the script, in order, and NOW from its end on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def factory(
    clock: Clock, events: Sequence[tuple[float, Event]] | None, made: list[ScriptedBackend]
) -> BackendFactory:
    """Plays the script at once."""

    @asynccontextmanager
    async def open_backend(post: Post) -> AsyncIterator[ScriptedBackend]:
        for moment, event in script() if events is None else events:
            clock.now = moment
            post(event)
        clock.now = NOW
        made.append(ScriptedBackend(post))
        yield made[-1]

    return open_backend


def failing(error: Exception) -> BackendFactory:
    """A session that does not come up."""

    @asynccontextmanager
    async def open_backend(post: Post) -> AsyncIterator[ScriptedBackend]:
        raise error
        yield  # pragma: no cover

    return open_backend


class TestApp(ConsoleApp):
    """The console over a script; `made` holds the backends that were opened."""

    __test__ = False

    def __init__(
        self,
        events: Sequence[tuple[float, Event]] | None = None,
        *,
        theme: str = "",
        targets: Sequence[str] = TARGETS,
        keymap: dict[str, str] | None = None,
        readonly: bool = False,
        backend: Callable[[Post], AbstractAsyncContextManager[ScriptedBackend]] | None = None,
        saved: Saved = NOTHING_SAVED,
        keep: Callable[[Saved], None] | None = None,
    ) -> None:
        self.made: list[ScriptedBackend] = []
        clock = Clock()
        opener = backend or factory(clock, events, self.made)
        self._good = factory(clock, events, self.made)
        super().__init__(
            opener,
            targets=targets,
            keymap=keymap,
            theme=theme,
            readonly=readonly,
            saved=saved,
            keep=keep,
            clock=clock,
        )

    def replace_backend(self) -> None:
        """The next session comes up."""
        self._factory = self._good

    @property
    def backend(self) -> ScriptedBackend:
        """The last one."""
        return self.made[-1]


async def settle(pilot: Pilot[None], done: Callable[[], bool] = lambda: True) -> None:
    """Until the script is folded and drawn, and `done` holds. Fails after five seconds."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    async with asyncio.timeout(60):
        while not (app.settled and done()):  # noqa: ASYNC110 (drawing has no event that ends it)
            await asyncio.sleep(0.01)
    await pilot.pause()
    await pilot.pause()
