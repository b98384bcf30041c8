"""Every listener gets a complete, bounded stream."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hal.broadcast import Broadcast, Stream
from hal.target import Cause, Connection, Diagnostic, Ended, Event, Output, Progress, Stage, Started


async def _drain(stream: Stream) -> list[Event]:
    stream.finish()
    return [event async for event in stream]


async def test_every_listener_gets_everything_from_its_own_start() -> None:
    broadcast = Broadcast()
    first = broadcast.subscribe()
    broadcast.publish(Started("a"))
    second = broadcast.subscribe()
    broadcast.publish(Ended("a", Cause.EXITED))
    broadcast.close()
    assert [event async for event in first] == [Started("a"), Ended("a", Cause.EXITED)]
    assert [event async for event in second] == [Ended("a", Cause.EXITED)]
    assert [event async for event in broadcast.subscribe()] == []


async def test_a_waiting_listener_wakes() -> None:
    broadcast = Broadcast()
    stream = broadcast.subscribe()
    waiter = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    broadcast.publish(Connection(True))
    assert await waiter == Connection(True)


async def test_aclose_leaves_the_others_alone() -> None:
    broadcast = Broadcast()
    gone, stays = broadcast.subscribe(), broadcast.subscribe()
    broadcast.publish(Started("a"))
    await gone.aclose()
    broadcast.publish(Started("b"))
    assert [event async for event in gone] == []
    assert await _drain(stays) == [Started("a"), Started("b")]


async def test_progress_collapses_and_other_keys_do_not() -> None:
    stream = Stream()
    for done in range(100):
        stream.push(Progress("a", Stage.UPLOAD, done, 100))
        stream.push(Progress("b", Stage.UPLOAD, done, 100))
    stream.push(Started("a"))
    assert await _drain(stream) == [
        Progress("a", Stage.UPLOAD, 99, 100),
        Progress("b", Stage.UPLOAD, 99, 100),
        Started("a"),
    ]


async def test_diagnostics_are_bounded_and_the_loss_is_told() -> None:
    stream = Stream(diagnostic_limit=3)
    for number in range(10):
        stream.push(Diagnostic(str(number)))
    stream.push(Started("a"))
    assert await _drain(stream) == [
        Diagnostic("(7 older lines were dropped)"),
        *(Diagnostic(str(number)) for number in (7, 8, 9)),
        Started("a"),
    ]


@given(
    pieces=st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=40), st.integers(0, 3)), max_size=60),
    limit=st.integers(1, 100),
    reads=st.sets(st.integers(0, 60)),
)
def test_output_is_a_suffix_and_every_lost_byte_is_counted(
    pieces: list[tuple[str, bytes, int]], limit: int, reads: set[int]
) -> None:
    async def play() -> None:
        stream = Stream(output_limit=limit)
        got: list[Event] = []
        for index, (key, data, dropped) in enumerate(pieces):
            stream.push(Output(key, data, dropped))
            if index in reads:
                got.append(await anext(stream))
        got += await _drain(stream)
        for key in "ab":
            sent = [(data, dropped) for name, data, dropped in pieces if name == key]
            received = [event for event in got if isinstance(event, Output) and event.key == key]
            total = sum(len(data) + dropped for data, dropped in sent)
            assert sum(len(output.data) + output.dropped for output in received) == total
            everything = b"".join(data for data, _ in sent)
            position = 0
            for output in received:  # in order: each piece is found after the one before
                position = everything.index(output.data, position) + len(output.data)

    asyncio.run(play())
