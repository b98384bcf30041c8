"""The board pages and their loader."""

from __future__ import annotations

from importlib import resources

import pytest

from hal.boards import Memory, board_names, load_board, parse_board
from hal.errors import BoardError


@pytest.mark.parametrize("name", board_names())
def test_every_page_loads(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.flash.size > 0
    assert board.ram.size > 0
    assert board.target
    assert board.default_emulator in (None, *board.emulators)


def test_stm32f4() -> None:
    board = load_board("stm32f4")
    assert board.ram == Memory(0x20000000, 0x20000)
    assert board.default_emulator == "qemu"


def test_unknown_board_names_the_nearest() -> None:
    with pytest.raises(BoardError, match="Did you mean stm32f4"):
        load_board("stm32")
    with pytest.raises(BoardError, match=r"Boards are .*stm32f4"):
        load_board("zzz")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[memory]", "[memroy]", "lacks memory"),
        ('name = "stm32f4"', 'name = "other"', "calls itself other"),
        ("[0x20000000, 0x20000]", "[0x20000000]", "ram must be"),
        ('title = "', 'title = 3 #"', "title must be text"),
        ("[compiler]", "[compiler", "not TOML"),
    ],
)
def test_wrong_pages_are_told(old: str, new: str, words: str) -> None:
    text = resources.files("hal.boards").joinpath("stm32f4.toml").read_text()
    assert old in text
    with pytest.raises(BoardError, match=words):
        parse_board("stm32f4", text.replace(old, new, 1))
