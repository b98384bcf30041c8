"""The fold from events to what the console knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cluster.mesos import Offer, OfferState, Resources, Status, Task, TaskSpec, TaskState
from console.look.spans import Tone
from console.state import events as ev
from console.state import logbook
from console.state.logbook import ALL
from console.state.loglines import Origin
from console.state.model import (
    CLOSED_OFFERS_KEPT,
    ENDED_TASKS_KEPT,
    MESOS,
    SAMPLES_KEPT,
    Link,
    State,
    reduce,
    short_id,
    start,
)
from console.state.rows import fleet_rows, grade, offer_rows, task_rows
from hal.target import Cause, Connection, Description, Diagnostic, Ended, Output, Scalar, Started, Usage

BOARD = Description("board", (Scalar("cpus", 1.0), Scalar("mem", 0.1)), {"board": "x"}, 104_857)


def fold(*events: ev.Event, state: State | None = None, now: float = 10.0) -> State:
    """All of them at one time."""
    return reduce(state or start(["board"]), [(now, event) for event in events])


def offer(number: int, target: str = "board", **changes: object) -> Offer:
    """An offer of a target."""
    made = Offer(
        f"m-O{number}", "m-S1", "gw", "*", Resources({"mem": 0.1}), {"target": target}, float(number)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def task(name: str, state: TaskState, mem: float = 0.01) -> Task:
    """A task in a state."""
    spec = TaskSpec("t", b"", "board", Resources({"cpus": 0.1, "mem": mem}))
    return Task(name, spec, (Status(TaskState.WAITING, 1.0), Status(state, 2.0)))


def usage(cpu: float, code: int = 100) -> Usage:
    """What an executor used."""
    return Usage(cpu_seconds=cpu, code_bytes=code, stack_bytes=200, memory_bytes=300)


def test_a_target_comes_up_and_its_link_breaks() -> None:
    """With the time since when."""
    state = fold(ev.Progressed("board", "building the firmware"))
    assert (state.targets["board"].link, state.targets["board"].message) == (
        Link.STARTING,
        "building the firmware",
    )
    state = fold(ev.TargetUp("board", BOARD), state=state, now=11)
    assert (state.targets["board"].link, state.targets["board"].since) == (Link.UP, 11)
    state = fold(ev.Progressed("board", "registered"), state=state, now=12)
    assert state.targets["board"].link is Link.UP
    state = fold(ev.FromTarget("board", Connection(False, "cut")), state=state, now=13)
    assert (state.targets["board"].link, state.targets["board"].since) == (Link.DOWN, 13)
    state = fold(ev.FromTarget("board", Connection(True)), state=state)
    assert state.targets["board"].link is Link.UP
    failed = fold(ev.Progressed("board", "No QEMU.", failed=True))
    assert failed.targets["board"].link is Link.FAILED


def test_a_target_elsewhere_is_known_by_its_offers() -> None:
    """Also one that nobody named; the most that was offered is what it has."""
    state = fold(
        ev.OfferChanged(offer(1, "far")), ev.OfferChanged(offer(2, "far", resources=Resources({"mem": 0.2})))
    )
    far = state.targets["far"]
    assert (far.link, far.agent_id, far.mem_bytes) == (Link.ELSEWHERE, "m-S1", 209_715)
    state = fold(ev.OfferChanged(offer(3, "far", resources=Resources({"mem": 0.05}))), state=state)
    assert state.targets["far"].mem_bytes == 209_715


def test_parts_that_did_not_change_stay_the_same_objects() -> None:
    """So that a screen compares with `is`."""
    state = fold(ev.TargetUp("board", BOARD), ev.OfferChanged(offer(1)))
    after = fold(ev.TaskChanged(task("a", TaskState.RUNNING)), state=state)
    assert after.offers is state.offers
    assert after.targets is state.targets
    assert after.tasks is not state.tasks
    assert state.tasks == {}


def test_the_master_comes_goes_and_comes_back() -> None:
    """Each failed attempt to come back is told once."""
    state = fold(ev.Progressed("master", "starting"))
    assert (state.master.message, state.master.connected) == ("starting", False)
    state = fold(ev.Connected("f-0001", "http://m:1"), state=state)
    assert state.master.connected
    lines = state.logs.ring(MESOS).total
    state = fold(ev.Disconnected("gone"), ev.Disconnected("gone"), state=state)
    assert (state.master.connected, state.master.framework_id) == (False, "f-0001")
    assert state.logs.ring(MESOS).total == lines + 1
    state = fold(ev.Connected("f-0001", "http://m:1"), state=state)
    assert state.master.connected


def test_offers_are_kept_with_what_became_of_them() -> None:
    """Open ones all, of the closed ones the newest."""
    state = start(["board"])
    for number in range(CLOSED_OFFERS_KEPT + 30):
        closed = offer(number, state=OfferState.DECLINED, closed=float(number))
        state = fold(ev.OfferChanged(closed), state=state)
    state = fold(
        ev.OfferChanged(offer(9_000)),
        ev.OfferChanged(offer(9_001, state=OfferState.RESCINDED, closed=9_999.0)),
        state=state,
    )
    assert len(state.offers) == CLOSED_OFFERS_KEPT + 1
    assert [one.id for one in state.open_offers] == ["m-O9000"]
    assert [one.id for one in offer_rows(state)[:2]] == ["m-O9000", "m-O9001"]
    assert state.offer_of("board") == state.offers["m-O9000"]


def test_agents_are_known_until_they_are_lost() -> None:
    """By their offers."""
    state = fold(ev.OfferChanged(offer(1)))
    assert state.targets["board"].agent_id == "m-S1"
    assert fold(ev.AgentLost("m-S1"), state=state).targets["board"].agent_id == ""


def test_tasks_are_bounded_but_living_ones_stay() -> None:
    """The oldest ended ones go."""
    state = fold(ev.TaskChanged(task("living", TaskState.RUNNING)))
    many = [ev.TaskChanged(task(f"t{number}", TaskState.FINISHED)) for number in range(ENDED_TASKS_KEPT + 5)]
    state = fold(*many, state=state)
    assert len(state.tasks) == ENDED_TASKS_KEPT + 1
    assert "living" in state.tasks
    assert "t0" not in state.tasks
    assert [row.task.id for row in task_rows(state, 3.0, ended=False)] == ["living"]


def test_memory_that_is_taken_is_counted_to_the_byte() -> None:
    """Budgets of our tasks, and what executors of others hold."""
    state = fold(
        ev.TargetUp("board", BOARD),
        ev.TaskChanged(task("ours", TaskState.RUNNING, mem=0.010)),
        ev.TaskChanged(task("waits", TaskState.WAITING, mem=0.050)),
        ev.UsageRead("board", {"f/ours": usage(0.0), "g/theirs": usage(0.0)}),
    )
    (row,) = fleet_rows(state)
    assert (row.taken, row.tasks) == (10_485 + 600, 2)
    assert row.free == 104_857 - 10_485 - 600


def test_cpu_shares_are_differences_of_readings() -> None:
    """Of each executor, and summed over its target; bounded."""
    state = fold(ev.UsageRead("board", {"f/a": usage(1.0), "f/b": usage(5.0)}), now=10)
    state = fold(ev.UsageRead("board", {"f/a": usage(1.5), "f/b": usage(5.5)}), state=state, now=12)
    assert state.executors["a"].cpu == (0.0, 0.25)
    assert state.targets["board"].cpu == (0.0, 0.5)
    for second in range(200):
        state = fold(ev.UsageRead("board", {"f/a": usage(1.5 + second)}), state=state, now=13 + second)
    assert len(state.executors["a"].cpu) == SAMPLES_KEPT


def test_nobody_uses_more_than_there_is() -> None:
    """A reading that comes late, or an emulated clock that runs ahead, is no second core."""
    state = fold(ev.TargetUp("board", BOARD), ev.UsageRead("board", {"f/a": usage(1.0), "f/b": usage(1.0)}))
    state = fold(ev.UsageRead("board", {"f/a": usage(4.0), "f/b": usage(2.0)}), state=state, now=12.0)
    assert state.targets["board"].cpu == (0.0, 1.0)
    assert (state.executors["a"].cpu[-1], state.executors["b"].cpu[-1]) == (0.75, 0.25)


def test_an_executor_runs_and_ends() -> None:
    """A reading that was on its way when it ended does not bring it back."""
    ended = Ended("f/a", Cause.EXITED, 0, "", b"6765", usage(2.0))
    state = fold(ev.FromTarget("board", Started("f/a")), ev.FromTarget("board", ended))
    state = fold(ev.UsageRead("board", {"f/a": usage(1.0)}), state=state)
    one = state.executors["a"]
    assert (one.running, one.ended, one.held_bytes) == (False, ended, 0)
    assert not state.executors_on("board")


def test_logs_join_pieces_and_keep_terminals_safe() -> None:
    """Per target and per task; control characters are spelled out."""
    state = fold(
        ev.FromTarget("board", Output("f/a", b"half ")),
        ev.FromTarget("board", Output("f/a", b"a line\nred \x1b[31m\n")),
        ev.FromTarget("board", Diagnostic("boot\r\nready")),
    )
    assert [line.text for line in state.logs.ring("a")] == ["half a line", "red \\x1b[31m"]
    assert [line.text for line in state.logs.ring("board")] == [
        "half a line",
        "red \\x1b[31m",
        "boot",
        "ready",
    ]


def test_a_task_that_failed_shows_its_last_words() -> None:
    """An exit status alone tells nobody why; and without a master nothing is waited for but the master."""
    failed = task("t1", TaskState.FAILED)
    failed = replace(failed, history=(replace(failed.history[-1], message="Exit status 1."),))
    waits = task("t2", TaskState.WAITING)
    line = ev.FromTarget("board", Output("f/t1", b"pin 0 is not mine\n"))
    state = fold(ev.Connected("f1", "http://m"), ev.TaskChanged(failed), ev.TaskChanged(waits), line)
    assert [row.outcome for row in task_rows(state, 11.0)][1] == "Exit status 1. · pin 0 is not mine"
    state = fold(ev.Disconnected("No Mesos master answers at http://m."), state=state)
    assert task_rows(state, 11.0)[0].outcome == "Waiting for the master, which does not answer."


def test_a_master_that_failed_for_good_stays_so() -> None:
    """What to do about it is not pushed out by the next try that fails."""
    told = ev.Progressed("master", "It ended 3 times. Start anew.", True)
    state = fold(ev.Connected("f1", "http://m"), told, ev.Disconnected("No Mesos master answers."))
    assert (state.master.connected, state.master.failed) == (False, True)
    assert state.master.message == "It ended 3 times. Start anew."
    again = fold(ev.Connected("f1", "http://m"), state=state)
    assert (again.master.connected, again.master.failed) == (True, False)


def test_short_ids() -> None:
    """The part that differs."""
    assert short_id("20261124-123-O17") == "O17"
    assert short_id("plain") == "plain"


def test_a_link_is_judged_by_its_last_minute() -> None:
    """Counters become shares; counters that began anew count for nothing."""
    state = fold(ev.TargetUp("board", BOARD))
    assert grade(state.targets["board"])[0] == 0
    state = fold(ev.LinkRead("board", ev.Quality(0.002, sent=90, received=90, again=50)), state=state, now=1)
    assert grade(state.targets["board"]) == (4, Tone.GOOD)  # what was before is no matter
    state = fold(ev.LinkRead("board", ev.Quality(0.004, 140, 138, again=51, damaged=2)), state=state, now=2)
    board = state.targets["board"]
    assert (board.trouble, board.trips) == (3 / 100, (0.002, 0.004))
    assert grade(board) == (2, Tone.WARN)
    state = fold(ev.LinkRead("board", ev.Quality(0.004, 3, 3)), state=state, now=3)
    assert state.targets["board"].trouble == 3 / 100
    for second in range(SAMPLES_KEPT):
        state = fold(ev.LinkRead("board", ev.Quality(0.004, 10 + second, 3)), state=state, now=4 + second)
    assert state.targets["board"].trouble == 0


def test_coap_lies_between_the_lines_and_pushes_none_out() -> None:
    """Each source is kept without and with it."""
    state = fold(ev.FromTarget("board", Output("f/a", b"hello\n")))
    for number in range(6_000):
        state = fold(ev.LinkSaid("board", "f/a", f"message {number}"), state=state)
    for source in ("a", "board", ALL):
        assert [line.text for line in state.logs.ring(source)][-1] == "hello"
        assert state.logs.ring(source, coap=True).last.text == "message 5999"
    assert state.logs.ring("a", coap=True).first > 0


def test_lines_have_the_boards_own_time() -> None:
    """Between two readings it is reckoned; a held board's clock stands."""
    state = fold(ev.ClockRead("board", 4.0), now=100)
    state = fold(ev.FromTarget("board", Diagnostic("one")), state=state, now=100.5)
    state = fold(ev.ClockRead("board", 4.5), state=state, now=101)  # half as fast as this computer
    state = fold(ev.FromTarget("board", Diagnostic("two")), state=state, now=102)
    state = fold(ev.ClockRead("board", 4.5), state=state, now=103)
    state = fold(ev.FromTarget("board", Diagnostic("three")), state=state, now=109)
    state = fold(ev.FromTarget("far", Diagnostic("elsewhere")), state=state, now=109)
    times = {line.text: line.virtual for line in state.logs.ring(ALL)}
    assert times == {"one": 4.5, "two": 5.0, "three": 4.5, "elsewhere": None}


def test_all_sources_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest gives way."""
    monkeypatch.setattr(logbook, "_MOST_LINES", 100)
    book = logbook.LogBook()
    for number in range(90):
        book.say("chatty", "chatty", Origin.DEVICE, f"{number}", 0.0)
    for number in range(40):
        book.say("quiet", "quiet", Origin.DEVICE, f"{number}", 0.0)
    assert len(book.ring("quiet")) == 40
    assert book.ring("chatty").last.text == "89"
    assert len(book.ring("chatty")) + len(book.ring("quiet")) <= 100


EVENTS = st.one_of(
    st.builds(
        ev.Progressed, st.sampled_from(["board", "other", "master"]), st.text(max_size=9), st.booleans()
    ),
    st.builds(ev.TargetUp, st.sampled_from(["board", "other"]), st.just(BOARD)),
    st.builds(ev.TargetDown, st.sampled_from(["board", "other", "nobody"])),
    st.builds(ev.FromTarget, st.just("board"), st.builds(Output, st.just("f/a"), st.binary(max_size=30))),
    st.builds(ev.FromTarget, st.just("board"), st.builds(Started, st.sampled_from(["f/a", "f/b"]))),
    st.builds(ev.FromTarget, st.just("board"), st.builds(Connection, st.booleans(), st.text(max_size=5))),
    st.builds(ev.OfferChanged, st.builds(offer, st.integers(0, 5), st.sampled_from(["board", "far"]))),
    st.builds(ev.TaskChanged, st.builds(task, st.sampled_from("abc"), st.sampled_from(TaskState))),
    st.builds(
        ev.UsageRead,
        st.just("board"),
        st.dictionaries(st.sampled_from(["f/a", "g/b"]), st.builds(usage, st.floats(0, 9))),
    ),
    st.builds(ev.LinkRead, st.just("board"), st.builds(ev.Quality, sent=st.integers(0, 9))),
    st.builds(ev.LinkSaid, st.just("board"), st.sampled_from(["", "f/a"]), st.text(max_size=9)),
    st.builds(ev.ClockRead, st.just("board"), st.floats(0, 99)),
    st.builds(ev.AgentLost, st.just("m-S1")),
    st.builds(ev.Connected, st.just("f"), st.just("u")),
    st.builds(ev.Disconnected, st.text(max_size=5)),
)


@given(st.lists(EVENTS, max_size=30))
def test_one_batch_is_as_good_as_many(events: list[ev.Event]) -> None:
    """Batches are only quicker; and every list can be made of any state."""
    timed = [(float(place), event) for place, event in enumerate(events)]
    at_once = reduce(start(["board"]), timed)
    one_by_one = start(["board"])
    for pair in timed:
        one_by_one = reduce(one_by_one, [pair])
    assert at_once.targets == one_by_one.targets
    assert at_once.tasks == one_by_one.tasks
    assert at_once.executors == one_by_one.executors
    assert list(at_once.logs.ring("")) == list(one_by_one.logs.ring(""))
    fleet_rows(at_once)
    task_rows(at_once, 99.0)
    offer_rows(at_once)


def test_what_did_not_change_is_not_reckoned_again() -> None:
    """A thousand boards tell what they use each second: lists of tasks stay the very same objects."""
    before = fold(ev.TargetUp("board", BOARD), ev.TaskChanged(task("ours", TaskState.RUNNING, mem=0.010)))
    after = reduce(before, [(1.0, ev.UsageRead("board", {"f/ours": usage(0.0)}))])
    assert after.living_tasks is before.living_tasks
    assert after.tasks_on("board") is before.tasks_on("board")
    ended = reduce(after, [(2.0, ev.TaskChanged(task("ours", TaskState.FINISHED, mem=0.010)))])
    assert list(ended.living_tasks) == list(ended.tasks_on("board")) == []
    assert [one.id for one in before.living_tasks] == ["ours"], "an older state still tells its own"
