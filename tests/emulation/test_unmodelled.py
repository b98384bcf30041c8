"""Accesses that an emulator has no model for: read out of its log, and counted while the kernel runs."""

from __future__ import annotations

import pytest
from waiting import until

from emulation import unmodelled
from emulation.renode_watch import bases_of
from emulation.targets import open_machine
from emulation.unmodelled import Access, Tally, TellsUnmodelled, Times, device_bases
from hal.boards import load_board
from hal.firmware import build

MTREE = """FlatView #0
 AS "I/O", root: io
  0000000008000000-00000000080fffff (prio 0, rom): STM32F405.flash
  0000000040003000-00000000400033ff (prio -1000, i/o): I2S2ext
  0000000040023800-0000000040023bff (prio -1000, i/o): RCC
"""

LOG = b"""Trace 0: 0x7f21b0001b00 [00800408/080054a4/00000110/ff000200] mma_chip_init
RCC: unimplemented device read  (size 4, offset 0x074)
Stopped execution of TB chain before 0x7f21b000d4c0 [08002046] mma_link_next
I2S2ext: unimplemented device write (size 4, offset 0x000, value 0x0000aaaa)
I2S2ext: unimplemented device write (size 4, offset 0x000, value 0x00005555)
Read of unassigned area of PPB: offset 0x42004
Invalid write at addr 0x60000000, size 4, region '(null)', reason: rejected
stm32f2xx_usart_read: Bad offset 0x1c
"""


def test_lines_are_counted_by_register_however_they_are_cut() -> None:
    tally = Tally(device_bases(MTREE))
    for at in range(0, len(LOG), 7):
        tally.take(LOG[at : at + 7])
    pc = 0x080054A4
    assert tally.counts == {
        Access("RCC+0x74", "read", 0x40023874): Times(1, pc),
        Access("I2S2ext+0x0", "write", 0x40003000): Times(2, pc),
        Access("0xe0042004", "read", 0xE0042004): Times(1, pc),
        Access("0x60000000", "write", 0x60000000): Times(1, pc),
        Access("stm32f2xx_usart_read: Bad offset 0x1c", ""): Times(1, pc),
    }
    assert not tally.unplaced


RENODE_TREE = """
  ├── gpioPortA (STM32_GPIOPort)
  │   │   <0x40020000, 0x400203FF>
  │   └── UserButton (Button)
  ├── flash_controller (STM32F4_FlashController)
  │       <0x40023C00, 0x40023FFF>
  │       <0x1FFFC000, 0x1FFFC0FF> [region: optionBytes]
"""

RENODE_LOG = b"""\
07:34:09.4 [WARNING] sysbus: [c: 0x80050E0] ReadByte from non existing peripheral at 0xE0042004.
07:34:09.5 [WARNING] sysbus: [c: 0x80050E6] WriteWord to non existing peripheral at 0xE0042004, value 0x1.
07:34:09.6 [WARNING] sysbus: [c: 0x8004B24] (tag: 'A') ReadByte from non existing peripheral at 0x40023C00.
07:34:09.7 [WARNING] flash_controller: Unhandled write to offset 0x4. Unhandled bits: [8-10]
07:34:09.4632 [WARNING] elsewhere: Unhandled read from offset 0x3C.
07:34:09.4633 [ERROR] plic: Trying to complete irq 3, value 0x33
"""


def test_renode_s_warnings_are_counted_too() -> None:
    tally = Tally(bases_of(RENODE_TREE))
    for at in range(0, len(RENODE_LOG), 7):
        tally.take(RENODE_LOG[at : at + 7])
    assert tally.counts == {
        Access("0xe0042004", "read", 0xE0042004): Times(1, 0x80050E0),
        Access("0xe0042004", "write", 0xE0042004): Times(1, 0x80050E6),
        Access("A", "read", 0x40023C00): Times(1, 0x8004B24),
        Access("flash_controller+0x4", "write", 0x40023C04): Times(1, 0),
        Access("elsewhere+0x3c", "read", None): Times(1, 0),
        Access("plic: Trying to complete irq 3", ""): Times(1, 0),
    }


def test_nobody_can_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmodelled, "MOST", 2)
    tally = Tally({})
    tally.take(b"".join(b"stm32: Bad offset %#x\n" % number for number in range(9)))
    assert {one.what: times.count for one, times in tally.counts.items()} == {
        "stm32: Bad offset 0x0": 1,
        "stm32: Bad offset 0x1": 1,
        "others": 7,
    }
    assert tally.unplaced == 9


@pytest.mark.usefixtures("qemu")
async def test_the_kernel_feeds_a_watchdog_that_qemu_does_not_have() -> None:
    """From its first instruction on, with the place in the kernel; and QEMU runs on when nobody counts."""
    elf = build(load_board("stm32f4")).elf
    feed, clock = Access("I2S2ext+0x0", "write", 0x40003000), Access("RCC+0x30", "read", 0x40023830)
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(elf, paused=True)
        assert isinstance(machine, TellsUnmodelled)
        async with machine.unmodelled() as tally:
            await machine.resume()
            await until(lambda: feed in tally.counts and tally.counts[feed].count > 2)
            assert 0x08000000 <= tally.counts[clock].pc < 0x08100000
            await until(lambda: 0x08000000 <= tally.counts[feed].pc < 0x08100000)
        async with machine.unmodelled() as tally:  # once more: nothing was left behind
            await until(lambda: feed in tally.counts)
