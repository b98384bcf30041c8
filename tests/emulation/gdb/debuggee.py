"""A small bare-metal program with debug information for the STM32F4, and a second image beside it.

The main program calls work(10) for ever; `image` is code linked at an address of its own, as an executor's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MAIN = """\
typedef unsigned int u32;
struct point { int x; int y; };
volatile u32 counter;
struct point where;
volatile u32 blob[8];

int add(int a, int b)
{
    int sum = a + b;
    where.x = sum;
    return sum;
}

int work(int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        total = add(total, i);
        counter++;
    }
    return total;
}

int main(void)
{
    for (;;) {
        int result = work(10);
        blob[result & 7]++;
    }
}

void reset(void)
{
    where.x = 1;
    where.y = 2;
    main();
}
__attribute__((section(".vectors"), used)) void *const vectors[2] = {(void *)0x20010000, (void *)reset};
"""

GUEST = """\
int guest_square(int n)
{
    int result = n * n;
    return result;
}
"""

LAYOUT = """
ENTRY({entry})
MEMORY {{ code (rx) : ORIGIN = {code}, LENGTH = 64K  ram (rw) : ORIGIN = 0x20000000, LENGTH = 64K }}
SECTIONS {{
  .text : {{ KEEP(*(.vectors)) *(.text*) *(.rodata*) *(.data*) }} > code
  .bss : {{ *(.bss*) *(COMMON) }} > ram
  /DISCARD/ : {{ *(.ARM.exidx*) }}
}}
"""
GUEST_AT = 0x08080000


def line(text: str, source: str = MAIN) -> int:
    """The number of the first line that holds a text."""
    return next(number for number, found in enumerate(source.splitlines(), 1) if text in found)


def build(folder: Path, name: str = "debuggee", source: str = MAIN, code: int = 0x08000000) -> Path:
    """The ELF file, made in `folder`."""
    entry = "reset" if source is MAIN else "guest_square"
    text, layout, obj, elf = (folder / f"{name}.{suffix}" for suffix in ("c", "ld", "o", "elf"))
    text.write_text(source)
    layout.write_text(LAYOUT.format(entry=entry, code=hex(code)))
    zig = [sys.executable, "-m", "ziglang"]
    target = ["--target=thumbv7em-none-eabi", "-mcpu=cortex-m4", "-ffreestanding", "-g", "-O0"]
    subprocess.run([*zig, "clang", *target, "-c", text, "-o", obj], check=True)
    subprocess.run([*zig, "ld.lld", "-T", layout, obj, "-o", elf], check=True)
    return elf
