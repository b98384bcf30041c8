"""Tenants on one board: what each takes is counted truly, and none takes what is another's.

In counted instructions (`-icount shift=3`: 8 ns each), so that nothing depends on how fast this computer is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from kernel_client import Debugger, Kernel, Spawned

from hal.abi import EndCause, Trap

pytestmark = pytest.mark.boards("stm32f4")
ICOUNT = ("-icount", "shift=3")
LOOP = "void start(void) { for (;;) WORD(MEMORY)++; }"
COUNTED = """
void start(void) {
    uint32_t n = %d;
    __asm volatile("1: subs %%0, #1\\n bne 1b" : "+r"(n));
    finish(0);
}"""
"""Two instructions a round."""


def shares(kernel: Kernel, guests: list[Spawned], least: int = 100_000) -> list[float]:
    """Who had which part of the time that they all had, over some virtual microseconds."""
    before = [kernel.look(guest)[6] for guest in guests]
    used = [0]
    while sum(used) < least:
        kernel.wait(0.2)
        used = [kernel.look(guest)[6] - early for guest, early in zip(guests, before, strict=True)]
    return [part / sum(used) for part in used]


def test_cpu_time_is_what_the_instructions_took(boot: Callable[..., Kernel]) -> None:
    kernel = boot(*ICOUNT)
    for rounds in (50_000, 400_000):
        found = kernel.ended(kernel.spawn(COUNTED % rounds))
        assert found[6] == pytest.approx(rounds * 2 * 0.008, rel=0.02)
    neighbour = kernel.spawn(LOOP)
    found = kernel.ended(kernel.spawn(COUNTED % 400_000), 60)
    assert found[6] == pytest.approx(400_000 * 2 * 0.008, rel=0.03), "the same beside a loop"
    assert found[7] >= 3, "it took turns"
    looper, counters = kernel.look(neighbour), kernel.get("k")
    assert counters[11] >= looper[6] + found[6]
    assert counters[8] >= counters[7] + counters[11]


def test_a_loop_takes_its_share_and_no_more(boot: Callable[..., Kernel]) -> None:
    """Nor does a second one take anything from the third but what it is due."""
    kernel = boot(*ICOUNT)
    first = kernel.spawn(LOOP, share=300)
    second = kernel.spawn(LOOP, share=600)
    assert shares(kernel, [first, second]) == pytest.approx([1 / 3, 2 / 3], abs=0.02)
    third = kernel.spawn(LOOP, share=100)
    assert shares(kernel, [first, second, third]) == pytest.approx([0.3, 0.6, 0.1], abs=0.02)
    assert kernel.post(f"x/{second.number}", {0: 2})[0] == "2.04"
    assert shares(kernel, [first, third]) == pytest.approx([0.75, 0.25], abs=0.02)


def test_who_yields_or_sleeps_all_the_time_starves_nobody(boot: Callable[..., Kernel]) -> None:
    kernel = boot(*ICOUNT)
    honest = kernel.spawn(LOOP, share=500)
    kernel.spawn("void start(void) { for (;;) yield(); }", share=500)
    kernel.spawn("void start(void) { for (;;) pause(1); }", share=500)
    began, early = kernel.get("k")[8], kernel.look(honest)[6]
    while (passed := kernel.get("k")[8] - began) < 100_000:
        kernel.wait(0.2)
    assert (kernel.look(honest)[6] - early) / passed > 0.2, (
        "a third, less what the kernel needs for the others"
    )


def test_switches_stack_and_memory_are_counted(kernel: Kernel) -> None:
    source = """
    void start(void) {
        MEM[301] = 1;
        __asm volatile("sub sp, #508\\n sub sp, #92\\n str r0, [sp]\\n"
                       "add sp, #508\\n add sp, #92" ::: "memory");
        for (int i = 0; i < 5; i++) pause(1000);
        finish(0);
    }"""
    kernel.spawn("void start(void) { for (;;) pause(700); }")
    guest = kernel.spawn(source, stack=1024)
    found = kernel.ended(guest)
    assert 600 <= found[8] <= 600 + 120, "with what the hardware stores"
    assert found[9] == 304
    assert found[7] >= 6
    assert kernel.get("k")[6] >= found[7]


DEEPER = """
__attribute__((noinline)) int deeper(int x) {
    volatile int a[8];
    a[x & 7] = x;
    return deeper(x + 1) + a[0];
}"""
HOSTILE = {
    "log flood": ("for (int i = 0; i < 20000; i++) say(0, 64); finish(1);", EndCause.EXIT, 1),
    "grow storm": (
        "for (int i = 0; i < 9999; i++) { memory_size(512 + i % 2); memory_size(~0u); } finish(2);",
        EndCause.EXIT,
        2,
    ),
    "bad pointers": (
        "int e = 0; for (uint32_t i = 0; i < 3000; i++) e |= (say(0x20000000u + i, 4) != -3) "
        "| (publish(0xFFFFFFFFu - i, 64) != -3) | (sensor(i << 12 | 1 << 30, 8, 4) != -3); finish(e);",
        EndCause.EXIT,
        0,
    ),
    "unknown calls": ("for (int i = 0; i < 3000; i++) HOST(77, i, i, i); finish(3);", EndCause.EXIT, 3),
    "stack overflow": ("deeper(0);", EndCause.TRAP, Trap.STACK),
    "a leap over the stack's end": ("volatile int a[900]; a[0] = 1; say(a[0], 4);", EndCause.FAULT, None),
    "wild jump": ("((void (*)(void))0x30000001)(); finish(0);", EndCause.FAULT, None),
    "jump to a neighbour": ("((void (*)(void))((CODE - 8192) | 1))(); finish(0);", EndCause.FAULT, None),
    "starves itself": ("for (int i = 0; i < 3000; i++) { yield(); pause(1); } finish(4);", EndCause.EXIT, 4),
}
HONEST = """
void start(void) {
    uint32_t x = %d;
    for (int i = 0; i < 200000; i++) {
        x = x * 1664525 + 1013904223;
        WORD(MEMORY + (i & 63) * 4) = x;
        if ((i & 0xFFFF) == 0) pause(500);
    }
    WORD(MEMORY) = x;
    publish(0, 4);
    finish(0);
}"""


def test_seven_are_right_beside_each_kind_of_hostile_tenant(kernel: Kernel) -> None:
    boot_id, free = kernel.get("d")[3], kernel.get("d")[7]
    honest = [kernel.spawn(HONEST % seed, memory=256, share=100) for seed in range(7)]
    for name, (body, cause, status) in HOSTILE.items():
        guest = kernel.spawn(f"{DEEPER} void start(void) {{ {body} }}", share=1000, log=256)
        found = kernel.ended(guest, 60)
        assert found[2] == cause, (name, found)
        assert status is None or found[3] == status, (name, found)
        assert kernel.delete(guest.number) == "2.02"
    for seed, guest in enumerate(honest):
        x = seed
        for _ in range(200_000):
            x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        assert kernel.ended(guest, 100)[2] == EndCause.EXIT
        assert kernel.get(f"x/{guest.number}/result") == struct.pack("<I", x), seed
        assert kernel.delete(guest.number) == "2.02"
    assert (kernel.get("d")[3], kernel.get("d")[7]) == (boot_id, free), "no reset, all memory back"


def test_forty_lives_leave_nothing_behind(kernel: Kernel) -> None:
    """Counters are consistent, the arena is whole again, the kernel's stack has not grown."""
    free = kernel.get("d")[7]
    kernel.spawn(LOOP, share=1)
    kernel.ended(kernel.spawn("void start(void) { say(0, 3); finish(0); }", start=True))
    kernel.delete(1)
    stack = None
    for number in range(40):
        guest = kernel.spawn(
            f"void start(void) {{ MEM[1] = {number}; say(0, 3); publish(0, 3); finish({number}); }}"
        )
        found = kernel.ended(guest)
        assert (found[3], found[10]) == (number, 4)
        assert kernel.delete(guest.number) == "2.02"
        if number == 10:
            stack = kernel.get("k")[10]
    kernel.delete(0)
    counters = kernel.get("k")
    assert kernel.get("d")[7] == free
    assert counters[10] == stack, "a stack that grows is a leak"
    assert (counters[1], counters[2], counters[9]) == (0, 0, 0)


def test_the_least_share_does_not_overflow_the_scheduler_in_ten_years(
    boot: Callable[..., Kernel], tmp_path: Path
) -> None:
    """At the rate at which its weighted time of 64 bits grows while it runs alone."""
    path = tmp_path / "gdb"
    kernel = boot("-gdb", f"unix:{path},server,nowait", *ICOUNT)
    guest = kernel.spawn(LOOP, share=1)
    at = kernel.firmware.symbol("mma_executors") + _member(kernel, "mma_executor", "runtime")
    kernel.wait(0.5)
    kernel.post(f"x/{guest.number}", {0: 2})  # else the MPU hides the kernel's memory from the debugger
    used = kernel.ended(guest)[6]
    with Debugger(path) as debugger:
        weighted = int.from_bytes(bytes.fromhex(debugger.command(f"m{at:x},8")), "little")
    assert 0 < weighted / used * 10 * 365 * 86_400_000_000 < 1 << 64


def _member(kernel: Kernel, struct_: str, member: str) -> int:
    """Where a member lies in a struct of the kernel's."""
    with kernel.firmware.elf.open("rb") as file:
        for unit in ELFFile(file).get_dwarf_info().iter_CUs():
            for die in unit.iter_DIEs():
                name = die.attributes.get("DW_AT_name")
                if die.tag == "DW_TAG_structure_type" and name and name.value == struct_.encode():
                    for child in die.iter_children():
                        if child.attributes["DW_AT_name"].value == member.encode():
                            return int(child.attributes["DW_AT_data_member_location"].value)
    raise AssertionError(f"the firmware's debug information has no {struct_}.{member}")
