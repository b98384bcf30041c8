"""Sizes, pins and shares as people type them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cluster.mesos import mem_bytes
from console.errors import UsageError
from console.fit.budgets import Ask, parse_ask, parse_pins, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("8192", 8192), ("8K", 8192), ("8k", 8192), ("8KiB", 8192), ("8 KB", 8192), ("0.5M", 524288), ("1b", 1)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "0", "1.5", "0.0001K", "8G", "eight", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_size(text) >= 1


@pytest.mark.parametrize(
    ("text", "pins"), [("12", ((12, 12),)), ("0-3", ((0, 3),)), ("12, 0-3", ((0, 3), (12, 12)))]
)
def test_pins(text: str, pins: tuple[tuple[int, int], ...]) -> None:
    assert parse_pins(text) == pins


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "-1", "1,,2", "²"])
def test_what_is_no_pin(text: str) -> None:
    with pytest.raises(UsageError):
        parse_pins(text)


def ask(**words: object) -> Ask:
    nothing = {
        "mem": None,
        "cpus": 0.1,
        "stack": None,
        "memory": None,
        "log": None,
        "gpio": None,
        "sensors": (),
    }
    return parse_ask(**{**nothing, **words})  # type: ignore[arg-type]


def test_an_ask_is_resources_labels_and_a_budget() -> None:
    found = ask(mem="12K", stack="2K", gpio="3", sensors=("temp0,accel",), cpus=0.25)
    resources = found.resources()
    assert mem_bytes(resources.scalars["mem"]) >= 12 << 10
    assert resources.scalars["cpus"] == 0.25
    assert resources.ranges == {"gpio": ((3, 3),)}
    assert resources.sets == {"sensors": frozenset({"temp0", "accel"})}
    assert found.labels() == {"mma.stack": "2048"}
    assert found.budget().stack == 2048


def test_what_was_not_asked_is_left_out() -> None:
    assert ask().resources().scalars == {"cpus": 0.1}
    assert ask().labels() == {}


@pytest.mark.parametrize("cpus", [0.0, -1.0, 1.5, float("nan")])
def test_shares_that_make_no_sense(cpus: float) -> None:
    with pytest.raises(UsageError, match="share of a core"):
        ask(cpus=cpus)
