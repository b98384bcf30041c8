"""Scenarios as pages: what they may say, and what is said of a page that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.ci.scenario import HERE, load, slug
from console.ci.timeline import CutPower, ExpectLog, SetSensor, SpoilLink
from console.cluster.mesos import TaskState
from console.errors import UsageError
from emulation.wires import Wire
from hal.errors import ModuleError

GOOD = """
[scenario]
name = "page"
targets = ["stm32f4", "host"]
seed = 7
retries = 2

[[case]]
name = "one"
module = "fib"
args = "20 'two words'"
mem = "8K"
step = [
    { at = 0.5, link = { drop = 0.001 } },
    { at = 0.1, sensor = "temp0", value = 41.5 },
    { at = 1, power_cut = 0.2 },
    { at = 2, expect_log = "on", within = 3 },
]
[case.expect]
state = "TASK_FAILED"
pins = { 0 = true }
stack_peak = 512

[[case]]
name = "two"
module = "spin"
targets = "host"
quarantine = "slow"
"""


def page(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "page.toml"
    path.write_text(text)
    return path


WIRED = """
[[case]]
name = "wired"
module = "blink"
wires = ["0 -> lamp:4", "lamp:1 -> 2"]
step = [{ at = 1, reset = true, on = "lamp" }]
[case.boards.lamp]
board = "hifive1"
module = "button"
args = "4 0"
expect.log = "pressed"
expect.state = "TASK_GONE"
"""


def test_boards_with_wires(tmp_path: Path) -> None:
    (case,) = load(page(tmp_path, WIRED)).cases
    assert case.wires == (Wire(HERE, 0, "lamp", 4), Wire("lamp", 1, HERE, 2))
    assert [step.on for step in case.steps] == ["lamp"]
    (lamp,) = case.others
    assert (lamp.name, lamp.board, lamp.arguments) == ("lamp", "hifive1", ("4", "0"))
    assert (lamp.expect.log, lamp.state) == (("pressed",), TaskState.GONE)


@pytest.mark.parametrize(
    ("old", "other", "why"),
    [
        ("lamp:4", "light:4", "There is no board 'light'. There is: here, lamp"),
        ('on = "lamp"', 'on = "light"', "There is no board 'light'"),
        ("0 -> lamp:4", "0 lamp:4", "is no wire"),
        ('"hifive1"', '"hifive2"', "hifive2"),
        ("boards.lamp", "boards.here", "A board cannot be called 'here'"),
        ("expect.log", "expect.result", "'result', which means nothing here"),
    ],
)
def test_what_is_wrong_with_wires_is_told(old: str, other: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        load(page(tmp_path, WIRED.replace(old, other)))


def test_a_page_is_read(tmp_path: Path) -> None:
    scenario = load(page(tmp_path, GOOD))
    assert (scenario.name, scenario.seed, scenario.retries) == ("page", 7, 2)
    one, two = scenario.cases
    assert [target.text for target in one.targets] == ["stm32f4@qemu", "host"]
    assert one.arguments == ("20", "two words")
    assert one.ask.mem == 8192
    assert [step.action for step in one.steps] == [
        SetSensor("temp0", 41.5),
        SpoilLink(drop=0.001),
        CutPower(0.2),
        ExpectLog("on", 3.0),
    ]
    assert one.expect.state is TaskState.FAILED
    assert one.expect.pins == {0: True}
    assert (two.quarantine, two.line) == ("slow", 24)
    assert [target.text for target in two.targets] == ["host"]


def test_targets_and_seed_of_the_command_line_win(tmp_path: Path) -> None:
    scenario = load(page(tmp_path, GOOD), targets=("host",), seed=9)
    assert {target.text for case in scenario.cases for target in case.targets} == {"host"}
    assert scenario.seed == 9


def test_modules_beside_the_page_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine.wat").write_text("(module)")
    scenario = load(page(tmp_path, '[[case]]\nname = "x"\nmodule = "mine.wat"'))
    assert scenario.cases[0].module == tmp_path / "mine.wat"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "It has no [[case]]"),
        ("[scenario", "is not TOML"),
        ("[[case]]\nmodule = 'fib'", "has no name"),
        ("[[case]]\nname = 'x'", "names no module"),
        ("[[case]]\nname = 'x'\nmodule = 'nowhere.c'", "There is no file nowhere.c"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nmemm = 1", "'memm', which means nothing here"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\ntargets = 'moon'", "There is no target 'moon'"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nmem = 'lots'", "'lots' is not a size"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\ntimeout = 0", "leaves no time"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nargs = \"'\"", "closing quote"),
        (
            "[[case]]\nname = 'x'\nmodule = 'fib'\nexpect.state = 'TASK_RUNNING'",
            "no state that a task ends in",
        ),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nexpect.stack_peak = 'big'", "must be a whole number"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nstep = [{ at = 1 }]", "A step does one of"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nstep = [{ sensor = 't' }]", "lacks value"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nstep = [{ at = -1, reset = true }]", "a number of seconds"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nstep = [{ link = 'bad' }]", "A link is"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\nstep = [{ pin = 1, level = 2 }]", "must be true or false"),
        ("[[case]]\nname = 'x'\nmodule = 'fib'\n" * 2, "Two cases are called 'x'"),
    ],
)
def test_a_wrong_page_is_told_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises((UsageError, ModuleError)) as caught:
        load(page(tmp_path, text))
    assert says in str(caught.value)


def test_slugs_are_file_names() -> None:
    assert slug("a line / that [stm32f4@qemu]") == "a-line-that-stm32f4@qemu"
