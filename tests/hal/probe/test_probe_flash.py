"""The whole way into a flash: pyOCD, its algorithm executed, a flash that behaves like one, every failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Bench

from hal import firmware
from hal.boards import Board, load_board
from hal.errors import BoardError, NoProbe, ProbeChoice, ProbeError
from hal.probe import connect, find
from hal.probe.connection import Stopped
from hal.probe.flash import Phase, Plan, Progress, carry_out, flat, plan, sectors

SHORT = 2600
"""Bytes of an image that is quickly written: all steps are the same."""
quiet: Progress = lambda phase, done: None  # noqa: E731


def image_of(board: Board) -> bytes:
    return flat(firmware.build(board).elf, board)


def flash(bench: Bench, image: bytes, kept: Path, progress: Progress = quiet) -> Plan:
    board = bench.board
    return carry_out(
        lambda: connect(board),
        board,
        lambda connection: plan(connection, board, len(image), lambda old: image, progress),
        kept,
        progress,
    )


def test_it_is_written_read_back_and_reset_and_the_rest_is_left(bench: Bench, kept: Path) -> None:
    image, old = image_of(bench.board), bytes(bench.chip.flash)
    phases: list[Phase] = []
    flash(bench, image, kept, lambda phase, done: phases.append(phase))
    mine = sectors(bench.board, len(image))
    end = mine[-1].end - bench.board.flash.address
    assert bytes(bench.chip.flash[:end]) == image.ljust(end, b"\xff")
    assert bytes(bench.chip.flash[end:]) == old[end:]
    assert bench.chip.erased == [sector.address for sector in mine]
    assert list(dict.fromkeys(phases)) == [Phase.READ, Phase.ERASE, Phase.WRITE, Phase.VERIFY, Phase.RESET]
    assert not bench.chip.stopped()
    assert bench.chip.resets == 2
    assert not kept.exists()


def test_what_is_there_already_is_not_erased(bench: Bench, kept: Path) -> None:
    image = image_of(bench.board)
    flash(bench, image, kept)
    bench.chip.erased.clear()
    assert flash(bench, image, kept).changed == ()
    changed = bytearray(image)
    changed[-1] ^= 0xFF
    made = flash(bench, bytes(changed), kept)
    assert bench.chip.erased == [made.changed[0].address] == [sectors(bench.board, len(image))[-1].address]
    assert bytes(bench.chip.flash[: len(image)]) == changed


def test_another_chip_is_refused_and_runs_on(bench: Bench, kept: Path) -> None:
    old = bytes(bench.chip.flash)
    word = bench.board.probe.identity[-1]  # type: ignore[union-attr]
    bench.chip.words[word.address] = 0x419
    with pytest.raises(ProbeError, match=rf"This is no {bench.board.mcu}: its {word.name} is 0x419, not 0x"):
        flash(bench, image_of(bench.board), kept)
    bench.chip.cpuid = 0x411FC271
    with pytest.raises(ProbeError, match="its CPUID is 0x4100c270"):
        flash(bench, image_of(bench.board), kept)
    assert bytes(bench.chip.flash) == old
    assert not bench.chip.stopped()


def test_a_word_that_does_not_take_what_is_written_brings_the_old_back(bench: Bench, kept: Path) -> None:
    image, old = image_of(bench.board), bytes(bench.chip.flash)
    at = next(at for at in range(2000, len(image)) if image[at] != old[at])
    bench.chip.wear[bench.board.flash.address + at] = old[at]
    with pytest.raises(ProbeError) as caught:
        flash(bench, image, kept)
    assert f"at {bench.board.flash.address + at:#x} it has {old[at]:#04x}, not {image[at]:#04x}" in str(
        caught.value
    )
    assert "What was on the board before is back." in str(caught.value)
    assert bytes(bench.chip.flash) == old
    assert not bench.chip.stopped()
    assert not kept.exists()


def steps(total: int, count: int) -> Iterator[int]:
    """About `count` of the accesses 1 to `total`, among them the first and the last ones."""
    yield from range(1, total, max(1, total // count))
    yield from range(max(1, total - 3), total + 1)


def accesses(bench: Bench, image: bytes, kept: Path) -> int:
    """How often a whole flash goes over the wire; the old content is there again afterwards."""
    old, before = bytes(bench.chip.flash), bench.dap.accesses
    flash(bench, image, kept)
    bench.chip.flash[:] = old
    return bench.dap.accesses - before


def test_a_probe_that_is_unplugged_at_any_step_costs_nothing(bench: Bench, kept: Path) -> None:
    """Either nothing was touched, or the old content is in the file, which brings it back."""
    image, old = image_of(bench.board)[:SHORT], bytes(bench.chip.flash)
    saved = written = 0
    hints: set[str] = set()
    for step in steps(accesses(bench, image, kept), 20):
        bench.chip.flash[:] = old
        bench.break_at(step)
        try:
            flash(bench, image, kept)
            written += 1
            assert bytes(bench.chip.flash[: len(image)]) == image
        except ProbeError as error:
            bench.mend()
            if "cannot be reset" in str(error):
                continue
            if kept.exists():
                saved += 1
                hints.add(str(error).partition("run: ")[2])
                flash(bench, kept.read_bytes(), kept)
            assert bytes(bench.chip.flash) == old, f"unplugged at access {step}"
        bench.mend()
        kept.unlink(missing_ok=True)
    assert saved > 2
    assert hints == {f"mma flash {bench.board.name} --restore {kept}"}
    assert written <= 8  # only where all was over but taking leave


def test_a_probe_that_is_away_for_a_moment_costs_nothing(bench: Bench, kept: Path) -> None:
    image, old = image_of(bench.board)[:SHORT], bytes(bench.chip.flash)
    restored = 0
    for step in steps(accesses(bench, image, kept), 20):
        bench.chip.flash[:] = old
        bench.break_at(step, times=1)
        try:
            flash(bench, image, kept)
            assert bytes(bench.chip.flash[: len(image)]) == image
        except ProbeError as error:
            if "cannot be reset" in str(error):
                assert bytes(bench.chip.flash[: len(image)]) == image
                continue
            restored += "is back" in str(error)
            assert bytes(bench.chip.flash) == old, f"gone at access {step}"
        assert not kept.exists()
        assert not bench.chip.stopped() or not restored, f"gone at access {step}"
    assert restored > 2


@pytest.mark.parametrize("phase", [Phase.READ, Phase.ERASE, Phase.WRITE, Phase.VERIFY])
def test_stopping_brings_the_old_back(bench: Bench, kept: Path, phase: Phase) -> None:
    old, heard = bytes(bench.chip.flash), []

    def progress(now: Phase, done: float) -> None:
        heard.append(now)
        if now is phase and done >= 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        flash(bench, image_of(bench.board)[:SHORT], kept, progress)
    assert bytes(bench.chip.flash) == old
    assert (Phase.RESTORE in heard) is (phase is not Phase.READ)
    assert not kept.exists()
    assert not bench.chip.stopped()


def test_nothing_is_erased_where_the_old_cannot_be_kept(bench: Bench, tmp_path: Path) -> None:
    old = bytes(bench.chip.flash)
    (tmp_path / "file").write_text("")
    with pytest.raises(ProbeError, match="Nothing was erased"):
        flash(bench, image_of(bench.board), tmp_path / "file" / "kept.bin")
    assert bytes(bench.chip.flash) == old


def test_the_kept_file_is_for_its_owner_only(bench: Bench, kept: Path) -> None:
    image = image_of(bench.board)[:SHORT]
    bench.break_at(accesses(bench, image, kept) // 2)
    with pytest.raises(ProbeError, match="is kept in"):
        flash(bench, image, kept)
    assert kept.stat().st_mode & 0o077 == 0


def test_the_one_probe_is_chosen_and_of_several_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find.choose(None).unique_id == "BENCH0001"
    bench.plug("BENCH0002")
    with pytest.raises(ProbeChoice, match=r"BENCH0001 \(mma double\), BENCH0002"):
        find.choose(None)
    with pytest.raises(ProbeChoice):
        find.choose("BENCH")
    assert find.choose("BENCH0002").unique_id == "BENCH0002"
    with pytest.raises(NoProbe, match=r"There is no probe X\. There are: BENCH0001, BENCH0002"):
        find.choose("X")
    bench.probes.clear()
    with pytest.raises(NoProbe, match="There is no debug probe"):
        find.choose(None)
    monkeypatch.setattr(find, "installed", lambda: False)
    with pytest.raises(NoProbe, match=r"pip install 'mesos-micro-agent\[probes\]'"):
        find.choose(None)


def test_looking_does_not_stop_the_board(bench: Bench) -> None:
    with connect(bench.board, halt=False) as connection:
        assert not bench.chip.stopped()
        assert connection.read(bench.board.flash.address, 5) == bytes([1, 2, 3, 4, 5])
        assert connection.uid == "BENCH0001"
    assert bench.chip.resets == 0


def test_a_board_that_no_probe_can_flash_says_how_else() -> None:
    with pytest.raises(BoardError, match="JLinkExe"), connect(load_board("hifive1")):
        pass


def test_an_image_must_be_for_the_board(bench: Bench, tmp_path: Path) -> None:
    other = "stm32f4" if bench.board.name == "microbit" else "microbit"
    with pytest.raises(ProbeError, match="outside of"):
        flat(firmware.build(load_board(other)).elf, bench.board)
    (tmp_path / "none.elf").write_bytes(b"no ELF")
    with pytest.raises(ProbeError, match="cannot be read as an ELF"):
        flat(tmp_path / "none.elf", bench.board)
    with pytest.raises(ProbeError, match="do not fit"):
        sectors(bench.board, bench.board.flash.size + 1)
