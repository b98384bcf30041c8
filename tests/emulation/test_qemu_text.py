"""What QEMU 7.2's monitor says, as it said it."""

from __future__ import annotations

from emulation.qemu_text import parse_drift, parse_registers, parse_trace

ARM = """\r
CPU#0\r
R00=40011000 R01=20000300 R02=00000000 R03=c0000000\r
R12=08000002 R13=20010000 R14=ffffffff R15=08000068\r
XPSR=61000000 -ZC- T priv-thread\r
s00=00000000 s01=00000000 d00=0000000000000000\r
FPSCR: 00000000\r
"""
RISCV = """\r
CPU#0\r
 pc       20400002\r
 mhartid  00000000\r
 mstatus  00000000\r
 x0/zero  00000000 x1/ra    80000010 x2/sp    80003fc0 x3/gp    00000000\r
 x28/t3   00000001 x29/t4   00000002 x30/t5   00000003 x31/t6   ffffffff\r
"""


def test_registers() -> None:
    arm = parse_registers(ARM)
    assert arm["r0"] == 0x40011000
    assert (arm["sp"], arm["lr"], arm["pc"], arm["xpsr"]) == (0x20010000, 0xFFFFFFFF, 0x08000068, 0x61000000)
    riscv = parse_registers(RISCV)
    assert (riscv["pc"], riscv["x1"], riscv["x31"]) == (0x20400002, 0x80000010, 0xFFFFFFFF)


def test_drift() -> None:
    assert parse_drift("Host - Guest clock  -12 ms\r\nMax guest delay     NA\r\n") == -0.012
    assert parse_drift("TB count 3\r\n") is None


def test_a_trace_is_addresses() -> None:
    text = (
        "Trace 0: 0x7f9c44000100 [00400000/08003d5c/00000110/ff000201] mma_exti_handler\n"
        "cpu_io_recompile: rewound execution of TB to 08003d5c\n"
        "Trace 0: 0x7f9c44000280 [00400000/08003d5e/00000110/ff000201] mma_exti_handler\n"
    )
    assert parse_trace(text) == [0x08003D5C, 0x08003D5E]
