"""Everything that happened in a run, with its times: kept, written to a folder, and read again.

`events.jsonl` is the console's own events, one JSON object a line, so that `mma replay` shows them in the
console as they came. The rest is for a person: the log, the decoded CoAP trace, the UART's bytes.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from console.errors import UsageError
from console.fleet.session import SessionEvent
from console.state.events import Event, FrameworkEvent
from console.state.logbook import ALL
from console.state.model import reduce, start
from hal.link import Traced, trace_line
from hal.target import Event as TargetEvent

if TYPE_CHECKING:
    from cattrs.preconf.json import JsonConverter

    from emulation.pins import PinTrace

EVENTS = "events.jsonl"
FACTS = "outcome.json"
PINS = "pins.vcd"
SNAPSHOT = "machine.snapshot"
"""The emulated board at the failing instant."""


@dataclass(slots=True)
class Recording:
    """Takes part in a run by its on_… methods. Times are seconds since the epoch."""

    events: list[tuple[float, Event]] = field(default_factory=list)
    coap: list[tuple[float, str]] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)
    firmware: Path | None = None
    snapshot: bytes = b""
    pins: PinTrace | None = None
    began: float = field(default_factory=time.time)

    def on_event(self, event: SessionEvent | FrameworkEvent) -> None:
        """Of the session and its framework."""
        self.events.append((time.time(), event))

    def on_message(self, traced: Traced) -> None:
        """Every CoAP message."""
        self.coap.append((time.time(), trace_line(traced)))

    def on_bytes(self, to_device: bool, data: bytes) -> None:
        """What passed on the UART."""
        (self.sent if to_device else self.received).extend(data)

    async def follow(self, queue: asyncio.Queue[FrameworkEvent]) -> None:
        """Until cancelled."""
        while True:
            self.on_event(await queue.get())

    def write(self, folder: Path, facts: dict[str, Any], module: Path | None = None) -> None:
        """All of it into a folder, with `facts` as outcome.json. OSError when that can't be done."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / EVENTS).open("w", encoding="utf-8") as out:
            for moment, event in self.events:
                out.write(
                    json.dumps({"time": moment, "event": _converter().unstructure(event, Event)}) + "\n"
                )
        (folder / "log.txt").write_text("".join(f"{line}\n" for line in self.log()), encoding="utf-8")
        coap = (f"{moment - self.began:10.6f}  {text}\n" for moment, text in self.coap)
        (folder / "coap.txt").write_text("".join(coap), encoding="utf-8")
        (folder / "uart-sent.bin").write_bytes(self.sent)
        (folder / "uart-received.bin").write_bytes(self.received)
        for file, name in ((self.firmware, "firmware.elf"), (module, None)):
            if file is not None and file.is_file():
                shutil.copyfile(file, folder / (name or file.name))
        if self.pins is not None:
            (folder / PINS).write_text(self.pins.vcd(), encoding="ascii")
        if self.snapshot:
            (folder / SNAPSHOT).write_bytes(self.snapshot)
        (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def log(self) -> list[str]:
        """What was said and done, a line each, in order."""
        state = reduce(start(), self.events)
        return [
            f"{line.time - self.began:10.3f}  {line.subject or line.target:<18}  {line.text}"
            for line in state.logs.ring(ALL)
        ]


def read_events(folder: Path) -> list[tuple[float, Event]]:
    """The events of a written recording. UsageError for what is none."""
    try:
        text = (folder / EVENTS).read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        return [(float(row["time"]), _converter().structure(row["event"], cast(Any, Event))) for row in rows]
    except OSError as error:
        raise UsageError(
            f"{folder} holds no recording of `mma ci`.", remedy="Name a case's folder below mma-artifacts."
        ) from error
    except Exception as error:  # whatever the converter finds wrong
        raise UsageError(f"{folder / EVENTS} is damaged: {error}.") from error


def read_facts(folder: Path) -> dict[str, Any]:
    """outcome.json. UsageError for a folder that has none."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no outcome of `mma ci`.") from error
    return facts if isinstance(facts, dict) else {}


@cache
def _converter() -> JsonConverter:
    """Dataclasses to JSON and back; unions carry their class's name."""
    from cattrs.preconf.json import make_converter
    from cattrs.strategies import configure_tagged_union

    from hal.target import Resource

    converter = make_converter()
    for union in (Resource, TargetEvent, Event):
        configure_tagged_union(union, converter, tag_name="kind")
    return converter
