"""A tiny bare-metal program for the STM32F4, built by zig: what QEMU's backend is tested with.

It prints `boot N` on USART1, where N is one more after each reset that kept the RAM, then echoes every
byte it gets and keeps `count` rising at 0x20000100.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COUNT = 0x20000100
SCRATCH = 0x20000200
BOOTS = 0x20000300

_SOURCE = r"""
typedef unsigned int u32;
#define REG(a) (*(volatile u32 *)(a))
#define USART 0x40011000u
static void put(char c) { while (!(REG(USART) & 0x80)) {} REG(USART + 4) = (u32)c; }
void reset(void) {
    REG(USART + 0xC) = 0x200C; /* UE, TE, RE */
    REG(0x20000300u) += 1;
    REG(0x20000100u) = 0;
    for (const char *p = "boot "; *p; p++) put(*p);
    put((char)('0' + REG(0x20000300u)));
    put('\n');
    for (;;) {
        REG(0x20000100u) += 1;
        if (REG(USART) & 0x20) put((char)REG(USART + 4));
    }
}
__attribute__((section(".vectors"), used)) void *const vectors[2] = {(void *)0x20010000, (void *)reset};
"""

_LAYOUT = """
ENTRY(reset)
MEMORY { flash (rx) : ORIGIN = 0x08000000, LENGTH = 1M  ram (rw) : ORIGIN = 0x20000000, LENGTH = 128K }
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > flash
  /DISCARD/ : { *(.ARM.exidx*) }
}
"""


def build(folder: Path) -> Path:
    """The ELF file, made in `folder`."""
    source, layout, obj, elf = (folder / name for name in ("bare.c", "bare.ld", "bare.o", "bare.elf"))
    source.write_text(_SOURCE)
    layout.write_text(_LAYOUT)
    zig = [sys.executable, "-m", "ziglang"]
    target = ["--target=thumbv7em-none-eabi", "-mcpu=cortex-m4", "-ffreestanding", "-O1"]
    subprocess.run([*zig, "clang", *target, "-c", source, "-o", obj], check=True)
    subprocess.run([*zig, "ld.lld", "-T", layout, obj, "-o", elf], check=True)
    return elf


def broken(elf: Path, folder: Path) -> Path:
    """The same with a reset vector that leads nowhere: the core locks up at once."""
    data = bytearray(elf.read_bytes())
    vectors = data.index((0x20010000).to_bytes(4, "little"))
    data[vectors + 4 : vectors + 8] = (0x60000001).to_bytes(4, "little")
    copy = folder / "broken.elf"
    copy.write_bytes(data)
    return copy
