"""What QEMU's human monitor says, where QMP has no command for it."""

from __future__ import annotations

import re

_ARM_NAMES = {13: "sp", 14: "lr", 15: "pc"}


def parse_registers(text: str) -> dict[str, int]:
    """The core registers in `info registers`, Arm's or RISC-V's, by GDB's names."""
    registers: dict[str, int] = {}
    for number, value in re.findall(r"\bR(\d\d)=([0-9a-f]{8})\b", text):
        registers[_ARM_NAMES.get(int(number), f"r{int(number)}")] = int(value, 16)
    for value in re.findall(r"\bXPSR=([0-9a-f]{8})\b", text):
        registers["xpsr"] = int(value, 16)
    for number, value in re.findall(r"\bx(\d+)/\S+\s+([0-9a-f]{8,16})\b", text):
        registers[f"x{number}"] = int(value, 16)
    for value in re.findall(r"^\s*pc\s+([0-9a-f]{8,16})\s*$", text, re.MULTILINE):
        registers["pc"] = int(value, 16)
    return registers


def parse_drift(text: str) -> float | None:
    """Host clock minus guest clock in seconds, from `info jit`; whole milliseconds, only with -icount
    (dump_drift_info in softmmu/icount.c). None where QEMU does not say it."""
    found = re.search(r"Host - Guest clock\s+(-?\d+) ms", text)
    return int(found[1]) / 1000 if found else None


def parse_last_words(text: str) -> str:
    """From a dead QEMU's stderr, the line that says why; on an abort a dump of the registers follows it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("qemu")]
    words = (told or lines or [""])[-1]
    pc = parse_registers(text).get("pc")
    return f"{words} at pc {pc:#010x}" if pc is not None and words.startswith("qemu: fatal") else words


def parse_trace(text: str) -> list[int]:
    """Addresses in the lines of `log exec`: `Trace 0: 0x7f… [00400000/080020d4/00000110/ff000201] name`."""
    return [int(found[1], 16) for found in re.finditer(r"^Trace \d+: \S+ \[\w+/(\w+)/", text, re.MULTILINE)]
