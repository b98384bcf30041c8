"""A target that does not come up says what it said."""

from __future__ import annotations

from pathlib import Path

import bare
import pytest

from console.fleet import opening as fleet
from console.fleet.opening import Member, parse_name
from emulation.errors import MachineDied
from hal.boards import Board
from hal.errors import LinkError
from hal.link import client


def runs(image: Path, monkeypatch: pytest.MonkeyPatch) -> Member:
    """An stm32f4 whose kernel is another program."""

    async def built(board: Board, tell: object) -> Path:
        return image

    monkeypatch.setattr(fleet, "build_firmware", built)
    return Member(parse_name("stm32f4@qemu"))


async def test_of_an_emulator_that_ends_its_last_words_are_told(
    elf: Path, tmp_path: Path, qemu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = runs(bare.broken(elf, tmp_path), monkeypatch)
    with pytest.raises(MachineDied, match=r"qemu-system-arm was ended by SIGABRT.*Lockup"):
        await member.open(lambda text: None)
    assert not member.opened


async def test_of_another_program_its_text_is_told(
    elf: Path, qemu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = client.Link.open

    async def soon(self: client.Link, timeout: float = 1.0) -> object:
        return await wait(self, timeout)

    monkeypatch.setattr(client.Link, "open", soon)
    member = runs(elf, monkeypatch)
    with pytest.raises(LinkError, match=r"does not answer within 1 s\. It said: boot 1"):
        await member.open(lambda text: None)
