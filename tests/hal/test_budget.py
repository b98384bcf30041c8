"""Budgets are split to the byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.budget import Needs, split
from hal.errors import BudgetError
from hal.target import Budget

NEEDS = Needs(
    code=1000, stack=1024, least_stack=256, memory=512, instance=8, log=512, result=256, alignment=8
)


def test_memory_gets_what_the_others_leave() -> None:
    parts = split(Budget(total=8192), NEEDS)
    assert (parts.code, parts.stack, parts.log, parts.result) == (1000, 1024, 512, 256)
    assert parts.memory == 8192 - 1000 - 1024 - 512 - 256
    assert parts.linear == parts.memory - 8
    assert parts.total == 8192


def test_without_a_total_the_least_step_of_mesos_that_will_do() -> None:
    parts = split(Budget(), NEEDS)
    assert parts.total == 4192  # 3312 needed; 0.004 MB is 4194.3 bytes, in words of 8
    exact = split(Budget(memory=512), NEEDS)
    assert (exact.total, exact.linear) == (3312, 512)


def test_given_parts_are_exact() -> None:
    parts = split(Budget(total=10_000, stack=2048, memory=1024, log=128), NEEDS)
    assert (parts.stack, parts.linear, parts.log) == (2048, 1024, 128)
    assert parts.total < 10_000


def test_log_and_result_grow_into_what_is_left_alone() -> None:
    """A total that was reckoned without them is enough with them."""
    needs = replace(NEEDS, log=256, result=128, roomy_log=600, roomy_result=304)
    least = 1000 + 1024 + 256 + 128 + 520
    none, some, all_ = (split(Budget(total=least + more), needs) for more in (0, 400, 4000))
    assert (none.log, none.result, none.linear) == (256, 128, 512)
    assert (some.log, some.result, some.linear) == (600, 128 + 56, 512)
    assert (all_.log, all_.result) == (600, 304)
    assert split(Budget(total=least + 4000, log=64), needs).log == 64


@pytest.mark.parametrize(
    ("budget", "where", "missing", "words"),
    [
        (Budget(total=3300), "memory", 12, "3312 in all. Give the task mem 0.004"),
        (Budget(total=100), "code", 3212, "100 bytes are not enough: code takes 1000"),
        (Budget(stack=100), "stack", 152, "least is 256"),
        (Budget(memory=100), "memory", 412, "data reaches 512"),
    ],
)
def test_refusals_say_how_many_bytes_and_where(budget: Budget, where: str, missing: int, words: str) -> None:
    with pytest.raises(BudgetError, match=words) as caught:
        split(budget, NEEDS)
    assert (caught.value.where, caught.value.missing) == (where, missing)


@given(
    code=st.integers(1, 9999),
    memory=st.integers(0, 9999),
    instance=st.integers(0, 99),
    alignment=st.sampled_from([1, 4, 8, 32]),
    total=st.none() | st.integers(0, 40_000),
)
def test_parts_never_pass_the_total(
    code: int, memory: int, instance: int, alignment: int, total: int | None
) -> None:
    needs = Needs(code, 1024, 256, memory, instance, alignment=alignment)
    try:
        parts = split(Budget(total=total), needs)
    except BudgetError as error:
        assert total is not None
        split(Budget(total=total + error.missing), needs)  # what was missing was all that was missing
        return
    assert parts.linear >= memory
    assert parts.code >= code
    assert all(part % alignment == 0 for part in (parts.code, parts.stack, parts.memory, parts.log))
    if total is not None:
        assert parts.total <= total
