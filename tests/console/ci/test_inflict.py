"""Faults in words, and what they do to a target."""

from __future__ import annotations

import pytest

from console.ci import timeline as act
from console.ci.inflict import inflict, parse_words
from console.errors import ConsoleError, UsageError
from emulation.faults import LinkFaults


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("link cut", act.Step(0, act.SpoilLink(cut=True))),
        ("link good", act.Step(0, act.SpoilLink())),
        ("at 0.5 link drop=0.01 delay=0.05", act.Step(0.5, act.SpoilLink(drop=0.01, delay=0.05))),
        ("at 2 power_cut 0.5", act.Step(2, act.CutPower(0.5))),
        ("power_cut", act.Step(0, act.CutPower(0))),
        ("reset", act.Step(0, act.Reset())),
        ("pin 4 high", act.Step(0, act.DrivePin(4, True))),
        ("pin 4 0", act.Step(0, act.DrivePin(4, False))),
        ("sensor temp0 -12.5", act.Step(0, act.SetSensor("temp0", -12.5))),
        ("drift 0.1", act.Step(0, act.Drift(0.1))),
        ("wear 8", act.Step(0, act.WearFlash(8))),
    ],
)
def test_words(words: str, step: act.Step) -> None:
    assert parse_words(words) == step


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("", "is no fault. It begins with one of: link, "),
        ("burn 3", "'burn 3' is no fault"),
        ("link", "A link is cut, good, or has values"),
        ("link broken", 'A link is "cut", "good"'),
        ("link noise=1", "has 'noise', which means nothing there"),
        ("pin four high", "pin needs a number, not 'four'"),
        ("pin 4", "lacks level"),
        ("pin 4 up", "A level is high or low, not 'up'"),
        ("wear", "wear needs a value"),
        ("wear 1.5", "cells must be a number"),
        ("at soon reset", "at needs a number"),
        ("power_cut 1 2", "has too many words"),
    ],
)
def test_wrong_words_are_told(words: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=None) as told:
        parse_words(words)
    assert wrong in str(told.value)


async def test_a_link_alone_can_be_spoilt() -> None:
    """As that of a real board, which has no machine."""
    faults = LinkFaults()
    await inflict(parse_words("link drop=0.5").action, None, faults)
    assert (faults.drop, faults.clean) == (0.5, False)
    await inflict(parse_words("link good").action, None, faults)
    assert faults.clean
    with pytest.raises(ConsoleError, match="is not emulated"):
        await inflict(parse_words("reset").action, None, faults)
    with pytest.raises(ConsoleError, match="has no link"):
        await inflict(parse_words("link cut").action, None, None)
