"""The fleet's benchmark: that it runs, and that its target is a whole one."""

from __future__ import annotations

import json

import pytest

from console.bench.light import LightTarget
from console.cli import invoke
from hal.target import Cause, Ended, Launch, Started, Target


async def test_the_light_target_tells_beginning_and_end() -> None:
    target: Target = LightTarget("light")
    await target.open()
    events = target.events()
    await target.spawn(Launch("F/T", b""))
    assert await anext(events) == Started("F/T")
    ended = await anext(events)
    assert isinstance(ended, Ended)
    assert ended.cause is Cause.EXITED
    await target.close()
    assert [event async for event in events] == []


@pytest.mark.end_to_end
def test_the_small_fleet_registers_twice_and_loses_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "fleet", "--small", "--json"]) == 0
    figures = {found["metric"]: found for found in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {"n1.register", "n1.storm", "n20.register", "n20.storm", "n20.cpu"} <= figures.keys()
    assert figures["n20.flaps"]["value"] == 0
    assert figures["n20.tasks"]["value"] > 0
    assert figures["n20.task.cpu"]["value"] > 0
