"""A bench: a board's chip behind a probe of ours, which pyOCD finds as it finds any other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chips import Chip, Nrf51, Stm32f4
from dap_double import Dap, DoubleProbe
from pyocd.core import exceptions
from pyocd.probe import aggregator

from hal.boards import Board, load_board

CHIPS: dict[str, type[Stm32f4] | type[Nrf51]] = {"stm32f4": Stm32f4, "microbit": Nrf51}


@dataclass
class Bench:
    """What is on it."""

    board: Board
    chip: Chip
    dap: Dap
    probes: list[DoubleProbe] = field(default_factory=list)

    def plug(self, uid: str) -> None:
        """A probe more."""
        self.probes.append(DoubleProbe(self.dap, uid))

    def break_at(self, access: int, *, times: int | None = None) -> None:
        """The probe is gone from that access on, or for so many of them."""
        first = self.dap.accesses + access

        def before(number: int) -> None:
            if number >= first and (times is None or number < first + times):
                raise exceptions.ProbeDisconnected("the probe was unplugged")

        self.dap.before = before

    def mend(self) -> None:
        """It is plugged in again."""
        self.dap.before = lambda number: None


def make_bench(name: str) -> Bench:
    """A board with an older firmware of 3000 bytes, and something of somebody else's behind it."""
    board = load_board(name)
    chip = CHIPS[name](board)
    chip.flash[:3000] = (bytes(range(1, 252)) * 12)[:3000]
    chip.flash[-1000:] = bytes(range(250)) * 4
    bench = Bench(board, chip, Dap(chip))
    bench.plug("BENCH0001")
    return bench


@pytest.fixture(params=list(CHIPS))
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """One for each board that a probe can flash."""
    made = make_bench(request.param)

    class Plugged:
        @classmethod
        def get_all_connected_probes(cls, *_: Any) -> list[DoubleProbe]:
            return made.probes

        @classmethod
        def get_probe_with_id(cls, *_: Any) -> None:
            return None

    monkeypatch.setattr(aggregator, "PROBE_CLASSES", {"double": Plugged})
    return made


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the old content goes."""
    return tmp_path / "kept" / "flash.bin"
