"""Resources add, subtract and compare as the master does; JSON round trips."""

from hypothesis import given
from hypothesis import strategies as st

from console.cluster.mesos import (
    MEBIBYTE,
    Offer,
    Resources,
    Status,
    Task,
    TaskSpec,
    TaskState,
    mem_bytes,
    mem_scalar,
)

SCALARS = st.dictionaries(
    st.sampled_from(["cpus", "mem", "flash_kb"]), st.integers(1, 10**6).map(lambda n: n / 1000)
)
SETS = st.dictionaries(
    st.just("sensors"), st.frozensets(st.sampled_from(["temp0", "accel", "light"]), min_size=1)
)


@st.composite
def pin_ranges(draw: st.DrawFn) -> dict[str, tuple[tuple[int, int], ...]]:
    pins = sorted(draw(st.sets(st.integers(0, 40), min_size=1)))
    ranges: list[tuple[int, int]] = []
    for pin in pins:
        if ranges and ranges[-1][1] == pin - 1:
            ranges[-1] = (ranges[-1][0], pin)
        else:
            ranges.append((pin, pin))
    return {"gpio": tuple(ranges)}


RESOURCES = st.builds(Resources, SCALARS, pin_ranges() | st.just({}), SETS)


@given(RESOURCES)
def test_json_round_trip(resources: Resources) -> None:
    assert Resources.from_json(resources.to_json("*")) == resources


@given(RESOURCES)
def test_what_is_taken_fits_and_leaves_nothing(resources: Resources) -> None:
    assert not resources.shortfalls(resources)
    left = resources.minus(resources)
    assert not any(left.scalars.values())
    assert not any(left.ranges.values())
    assert not any(left.sets.values())


@given(st.integers(1, 1 << 32))
def test_mem_rounds_up_by_less_than_its_granule(size: int) -> None:
    granted = mem_bytes(mem_scalar(size))
    assert size <= granted <= size + MEBIBYTE // 1000 + 1


def test_a_shortfall_is_told_in_bytes() -> None:
    (short,) = Resources({"mem": 0.02}).shortfalls(Resources({"mem": 0.016}))
    assert short.name == "mem"
    assert "short of 4,194 bytes" in short.text or "short of 4,195 bytes" in short.text


def test_pins_are_taken_out_of_the_middle() -> None:
    free = Resources(ranges={"gpio": ((0, 15),)}).minus(Resources(ranges={"gpio": ((4, 5), (15, 15))}))
    assert free.ranges["gpio"] == ((0, 3), (6, 14))
    (short,) = Resources(ranges={"gpio": ((3, 4),)}).shortfalls(free)
    assert short.text == "gpio [4] is not offered"


def test_a_device_offers_a_split_range_to_a_range_across_it() -> None:
    wanted = Resources(ranges={"gpio": ((0, 3),)})
    assert not wanted.shortfalls(Resources(ranges={"gpio": ((0, 1), (2, 3))}))


def test_offer_from_json() -> None:
    offer = Offer.from_json(
        {
            "id": {"value": "O1"},
            "agent_id": {"value": "S0"},
            "hostname": "127.0.0.1",
            "allocation_info": {"role": "*"},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.25}},
            ],
            "attributes": [
                {"name": "target", "type": "TEXT", "text": {"value": "stm32f4@qemu"}},
                {"name": "rev", "type": "SCALAR", "scalar": {"value": 2.0}},
            ],
        },
        now=10.0,
    )
    assert offer.target == "stm32f4@qemu"
    assert offer.attributes["rev"] == "2"
    assert offer.resources.scalars == {"cpus": 0.75}
    assert offer.age(12.5) == 2.5


def test_running_seconds_are_from_running_to_the_end() -> None:
    spec = TaskSpec("fib", b"", "host", Resources())
    history = (Status(TaskState.STAGING, 1.0), Status(TaskState.RUNNING, 2.0))
    task = Task("t", spec, history)
    assert task.running_seconds(5.0) == 3.0
    done = Task("t", spec, (*history, Status(TaskState.FINISHED, 2.5)))
    assert done.running_seconds(99.0) == 0.5
    assert done.state.terminal
    assert not TaskState.UNREACHABLE.terminal
