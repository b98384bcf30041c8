"""Names of targets, as people type them, and members that fail on the way up."""

import pytest

from console.errors import EnvironmentMissing, UsageError
from console.fleet.opening import Member, harness_of, parse_name, parse_names


@pytest.mark.parametrize(
    ("text", "full", "emulator"),
    [
        ("stm32f4", "stm32f4@qemu", "qemu"),
        ("stm32f4@qemu", "stm32f4@qemu", "qemu"),
        ("stm32f4@qemu-2", "stm32f4@qemu-2", "qemu"),
        ("stm32f4@renode", "stm32f4@renode", "renode"),
        ("host", "host", None),
        ("host-2", "host-2", None),
    ],
)
def test_names(text: str, full: str, emulator: str | None) -> None:
    name = parse_name(text)
    assert (name.text, name.emulator) == (full, emulator)
    assert (name.board is None) == text.startswith("host")


def test_a_real_board_is_named_by_its_port() -> None:
    name = parse_name("stm32f4@/dev/ttyACM0")
    assert (name.text, name.port, name.emulator) == ("stm32f4@/dev/ttyACM0", "/dev/ttyACM0", None)


@pytest.mark.parametrize(
    "text", ["", "arduino", "stm32f4@bochs", "stm32f4@qemu-0", "stm32f4@qemu-", "host@qemu", "@qemu", "Host"]
)
def test_what_is_no_target_is_told_with_what_there_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"Targets begin with|There is stm32f4@qemu"):
        parse_name(text)


def test_the_same_target_twice() -> None:
    with pytest.raises(UsageError, match=r"named twice\. A second one of its kind is stm32f4@qemu-2"):
        parse_names(["stm32f4", "stm32f4@qemu"])


async def test_a_port_that_is_not_there() -> None:
    member = Member(parse_name("stm32f4@/dev/no-such-port"))
    with pytest.raises(EnvironmentMissing, match="no serial port /dev/no-such-port"):
        await member.open(lambda text: None)
    assert not member.opened
    await member.close()


async def test_the_host_opens_and_closes() -> None:
    member, told = Member(parse_name("host")), list[str]()
    await member.open(told.append)
    assert member.target.describe().name == "host"
    assert told == ["starting"]
    await member.close()
    await member.close()


def test_wires_between_targets() -> None:
    names = parse_names(["stm32f4", "hifive1@qemu-2", "host"])
    harness = harness_of(names, ["stm32f4:0 -> hifive1@qemu-2:4"])
    assert harness.boards == {"stm32f4@qemu": "stm32f4@qemu", "hifive1@qemu-2": "hifive1@qemu"}
    with pytest.raises(UsageError, match="to no board host"):
        harness_of(names, ["stm32f4:0 -> host:4"])
