"""The short form of power.py; the long one is `make campaigns`."""

from __future__ import annotations

from pathlib import Path

import pytest
from power import Life, cut_after_a_crash, look, play

from hal.boards import load_board
from hal.firmware import build


@pytest.mark.end_to_end
@pytest.mark.timeout(300)
def test_the_next_boot_is_sane_wherever_the_power_went() -> None:
    outcome = play(cuts=20, seed=1)
    assert not outcome.complaints, outcome.report()
    assert sum(outcome.cuts.values()) == 20
    assert outcome.causes["crash"] + outcome.causes["power"] > 0


@pytest.mark.end_to_end
@pytest.mark.timeout(300)
def test_a_crash_record_of_which_a_bit_has_decayed_is_not_believed(tmp_path: Path) -> None:
    firmware, kept = build(load_board("stm32f4")), 40
    life = Life(firmware, tmp_path)
    try:
        before = life.kernel.get("d")[3]
        ram = cut_after_a_crash(life)
    finally:
        life.kernel.close()
    at = firmware.symbol("kept") - firmware.board.ram.address
    assert look(firmware, tmp_path, ram, before) == ("crash", [])
    for word in range(0, kept, 8):
        decayed = bytearray(ram)
        decayed[at + word] ^= 1
        cause, wrong = look(firmware, tmp_path, bytes(decayed), before)
        assert cause != "crash", f"a bit of byte {word}"
        assert not wrong
