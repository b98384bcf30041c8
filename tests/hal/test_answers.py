"""The form in which an export is asked for, and answers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal import checks


@given(st.integers(0, 255), st.integers(0, 1000), st.integers(-(1 << 31), (1 << 31) - 1))
def test_an_answer_names_its_request(which: int, tag: int, status: int) -> None:
    request = checks.asked(which, tag)
    assert checks.which(request) == which
    assert request >> 31 == 1
    found = checks.read(checks.line(request, status))
    assert found == checks.Answer(tag % 26, status)


@pytest.mark.parametrize(
    "text", [b"", b"\x03", b"\x03A0000000", b"\x03A0000000g", b"\x02A00000000", b"hello world"]
)
def test_other_lines_are_none(text: bytes) -> None:
    assert checks.read(text) is None


LOG = b"one\n\x03A00000000\ntwo\x03B00000000\n\x03not an answer\n\x03C0000\n\n\x03D000000ff\nlast"
SHOWN = b"one\ntwo\x03B00000000\n\x03not an answer\n\x03C0000\n\nlast"


@given(st.lists(st.integers(0, len(LOG)), max_size=20))
def test_a_sieve_takes_out_answers_wherever_the_log_is_cut(cuts: list[int]) -> None:
    sieve, shown = checks.Sieve(), b""
    places = [0, *sorted(cuts), len(LOG)]
    for begin, end in itertools.pairwise(places):
        shown += sieve.of(LOG[begin:end])
    assert shown == SHOWN
    assert sieve.held == 0
