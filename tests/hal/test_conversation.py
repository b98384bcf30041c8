"""Answers with the paths that they answer, as a real client and the double of a device exchange them."""

from __future__ import annotations

import re

import pytest
from device_double import DeviceDouble, Executor, double
from noisy_line import Noise

from hal.link import Conversation, Create, Link, Spoken, recorder, transport

WISH = Create(key=b"12345678", code=2000, stack=512, memory=1024, log=256, result=64, share=100)


async def stay(device: DeviceDouble, executor: Executor) -> None:
    """A guest that runs on."""


async def told(noise: Noise | None = None) -> tuple[list[Spoken], Link]:
    """What passes while an executor is made, asked about and removed."""
    heard: list[Spoken] = []
    talk = Conversation()
    async with double(stay, noise) as (_, line):
        link = Link(
            "double", line.connect, baud=115200, on_trace=lambda traced: heard.append(talk.heard(traced))
        )
        await link.open()
        place = await link.create(WISH)
        await link.executor(place.slot)
        await link.log(place.slot, 0)
        await link.delete(place.slot)
        await link.close()
    return heard, link


async def test_answers_have_paths_times_and_slots() -> None:
    """Each of them, and the messages that are about all have no slot."""
    heard, link = await told()
    answers = [one for one in heard if one.text.startswith("<")]
    paths = [re.search(r"\[(/\S+), (\d+\.\d) ms\]", one.text) for one in answers]
    assert [found[1] if found else "" for found in paths] == ["/d", "/x", "/x/0", "/x/0/log", "/x/0"]
    assert [one.slot for one in answers] == [None, None, 0, 0, 0]
    assert [one.slot for one in heard if one.text.startswith(">")] == [None, None, 0, 0, 0]
    assert 0 < link.statistics.round_trip < 5


async def test_only_what_somebody_reads_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first read on, the newest, until nobody asks any more."""
    monkeypatch.setattr(recorder, "KEPT", 6)
    kept = recorder.Recorder(lambda slot: f"key of {slot}")
    async with double(stay) as (_, line):
        link = Link("double", line.connect, baud=115200, on_trace=kept.heard)
        await link.open()
        first = kept.read(0)
        assert (first.next, first.lines) == (0, ())
        place = await link.create(WISH)
        await link.executor(place.slot)
        second = kept.read(first.next)
        assert [one.key for one in second.lines] == ["", "", "key of 0", "key of 0"]
        assert kept.read(second.next).lines == ()
        await link.log(place.slot, 0)
        await link.delete(place.slot)
        late = kept.read(0)
        assert (late.next, len(late.lines)) == (8, 6)
        monkeypatch.setattr(recorder, "IDLE", -1.0)
        kept.read(late.next)
        await link.slots()
        assert kept.read(late.next).lines == ()
        await link.close()


async def test_what_is_sent_again_is_no_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Karn's rule: nobody knows which of the two was answered."""
    took: list[float] = []
    monkeypatch.setattr(transport, "PATIENCE", 0.03)
    monkeypatch.setattr(transport.Statistics, "took", lambda self, seconds: took.append(seconds))
    heard, link = await told(Noise(drop=0.2))
    sent = [one.text.split()[2] for one in heard if one.text.startswith("> CON")]
    again = {one.text.split()[2] for one in heard if one.text.endswith("(again)")}
    assert link.statistics.retransmissions > 0
    assert again
    assert len(took) == len(set(sent) - again)


def test_round_trips_are_smoothed() -> None:
    """By an eighth, as RFC 6298 has it."""
    statistics = transport.Statistics()
    statistics.took(0.008)
    statistics.took(0.016)
    assert statistics.round_trip == pytest.approx(0.009)
