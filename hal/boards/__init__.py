"""The boards: one TOML page each, read into a frozen `Board`.

A page holds facts and no logic: compiler words, memories, the link's UART, how emulators run it. What
differs between two boards of one architecture belongs on their pages; docs/porting.md adds a fourth.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any

from hal.errors import BoardError


@dataclass(frozen=True, slots=True)
class Memory:
    """A run of addresses: [address, address + size), in bytes."""

    address: int
    size: int

    @property
    def end(self) -> int:
        """The first address past it."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Identity:
    """A word that tells the chip: what is read at `address` under `mask` must be one of `values`."""

    name: str
    address: int
    mask: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """How a debug probe writes the board's flash."""

    algorithm: str
    """The built-in target of pyOCD whose flash algorithm fits the chip."""
    sectors: tuple[int, ...]
    """Bytes of each sector, from the first address of the flash on."""
    identity: tuple[Identity, ...]
    awake: tuple[tuple[int, int], ...] = ()
    """Words to write so that the chip stays reachable: address, value."""
    usb: tuple[str, ...] = ()
    """VID:PID of probes for it that bring no serial port."""


@dataclass(frozen=True, slots=True)
class Board:
    """One board, as its page tells it."""

    name: str
    """As on the command line: `stm32f4`."""
    title: str
    mcu: str
    isa: str
    arch: str
    """Folder in firmware/arch."""
    chip: str
    """Folder in firmware/chips."""
    target: str
    """clang's --target, for the kernel and executors alike."""
    flags: tuple[str, ...]
    """clang's further flags, for the kernel and executors alike."""
    flash: Memory
    ram: Memory
    uart: str
    """The chip's name of the UART that carries the link."""
    baud: int
    options: Mapping[str, int]
    """Sizes of the kernel, as MMA_ macros in lower case without the prefix: `slots = 8` is -DMMA_SLOTS=8."""
    flash_budget: int
    """Bytes of flash that the kernel may take."""
    ram_budget: int
    """Bytes of RAM that the kernel may take for itself: variables and stack; all else is the executors'."""
    emulators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Emulator name (`qemu`, `renode`) to its table on the page; the first one is the default."""
    probe: Probe | None = None
    """Where a probe can flash it through pyOCD."""
    by_hand: str = ""
    """How else it is flashed, ELF being the kernel: a sentence or two."""
    usb: tuple[str, ...] = ()
    """VID:PID, in lower-case hexadecimal, of the serial ports that come with it."""

    @property
    def default_emulator(self) -> str | None:
        """The first emulator of the page."""
        return next(iter(self.emulators), None)


def board_names() -> tuple[str, ...]:
    """Every board that has a page, sorted."""
    pages = resources.files(__name__).iterdir()
    return tuple(sorted(page.name[:-5] for page in pages if page.name.endswith(".toml")))


def load_board(name: str) -> Board:
    """Read the page of one board. BoardError if there is none or it is wrong."""
    names = board_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}?" if near else f"Boards are {', '.join(names)}."
        raise BoardError(f"There is no board {name!r}.", remedy=hint)
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse_board(name, text)


def parse_board(name: str, text: str) -> Board:
    """A board from the text of its page. BoardError names what is wrong with it."""
    try:
        page = tomllib.loads(text)
        board = _from_page(page)
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"The page of board {name} is not TOML: {error}.") from error
    except KeyError as error:
        raise BoardError(f"The page of board {name} lacks {error.args[0]}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BoardError(f"The page of board {name} is wrong: {error}.") from error
    if board.name != name:
        raise BoardError(f"The page of board {name} calls itself {board.name}.")
    return board


def _from_page(page: Mapping[str, Any]) -> Board:
    compiler, memory, link, budget = page["compiler"], page["memory"], page["link"], page["budget"]
    emulators = {key: MappingProxyType(dict(table)) for key, table in page.get("emulators", {}).items()}
    return Board(
        name=_text(page, "name"),
        title=_text(page, "title"),
        mcu=_text(page, "mcu"),
        isa=_text(page, "isa"),
        arch=_text(page, "arch"),
        chip=_text(page, "chip"),
        target=_text(compiler, "target"),
        flags=tuple(str(flag) for flag in compiler["flags"]),
        flash=_memory(memory, "flash"),
        ram=_memory(memory, "ram"),
        uart=_text(link, "uart"),
        baud=int(link["baud"]),
        options=MappingProxyType({key: int(value) for key, value in page.get("kernel", {}).items()}),
        flash_budget=int(budget["flash"]),
        ram_budget=int(budget["ram"]),
        emulators=MappingProxyType(emulators),
        probe=_probe(page["probe"], memory) if "probe" in page else None,
        by_hand=str(page.get("by_hand", "")),
        usb=tuple(str(ids) for ids in page.get("usb", ())),
    )


def _probe(table: Mapping[str, Any], memory: Mapping[str, Any]) -> Probe:
    sectors = tuple(int(size) for count, size in table["sectors"] for _ in range(count))
    if sum(sectors) != _memory(memory, "flash").size:
        raise ValueError("the sectors of probe must make up the flash")
    identity = tuple(
        Identity(
            _text(word, "name"), int(word["address"]), int(word["mask"]), tuple(map(int, word["values"]))
        )
        for word in table["identity"]
    )
    if not identity:
        raise ValueError("identity must name a word at least")
    awake = tuple((int(address), int(value)) for address, value in table.get("awake", ()))
    usb = tuple(str(ids) for ids in table.get("usb", ()))
    return Probe(_text(table, "algorithm"), sectors, identity, awake, usb)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} must be text")
    return value


def _memory(table: Mapping[str, Any], key: str) -> Memory:
    value = table[key]
    if len(value) != 2 or not all(isinstance(number, int) and number >= 0 for number in value):
        raise ValueError(f"{key} must be [address, bytes]")
    return Memory(*value)
