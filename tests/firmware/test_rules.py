"""Rules on the kernel itself, under QEMU: edges, thresholds, timers and pulses without a gateway."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernel_client import POST, Debugger, Kernel, Spawned

from hal.abi import ErrorNumber, RuleKind
from hal.firmware import Firmware

TIM4 = 0x4000_0800
TIM_CR1, TIM_CCMR2, TIM_CCER, TIM_PSC, TIM_ARR, TIM_CCR3 = 0x00, 0x1C, 0x20, 0x28, 0x2C, 0x3C


def spawn(kernel: Kernel, body: str, **parts: Any) -> Spawned:
    sizes = dict(code=2048, rules=8, gpio=0xFFFF, sensors=1)
    return kernel.spawn(f"void start(void) {{ {body} }}", **(sizes | parts))


def numbers(kernel: Kernel, guest: Spawned) -> list[int]:
    """What the guest published, as i32s."""
    data = kernel.get(f"x/{guest.number}/result")
    return list(struct.unpack(f"<{len(data) // 4}i", data))


def rules(kernel: Kernel, guest: Spawned) -> list[list[int]]:
    found: list[list[int]] = kernel.get(f"x/{guest.number}/rules")
    return found


def test_what_makes_no_sense_is_refused(kernel: Kernel) -> None:
    guest = spawn(
        kernel,
        """
        static const uint32_t wishes[][5] = {
            {40, 5, 10, 11, 1000}, {40, 5, 10, 10, 999}, {40, 4, 10, 10, 1000}, {500, 99, 10, 10, 1000},
            {40, 5, 10, 10, 1000},
        };
        int r[16], n = 0;
        for (int i = 0; i < 5; i++) MEM[40 + i] = "temp0"[i];
        r[n++] = (int)(wait_rule() >> 32);
        r[n++] = off(0);
        for (int i = 0; i < 5; i++) {
            for (int k = 0; k < 5; k++) WORD(MEMORY + 4 * k) = wishes[i][k];
            r[n++] = on_threshold(0, 1);
        }
        r[n++] = on_threshold(500, 1);
        r[n++] = on_edge(3, 0, 1);
        r[n++] = on_edge(3, 4, 1);
        r[n++] = on_edge(3, 1, -1);
        r[n++] = on_edge(12, 1, 1);
        r[n++] = on_timer(0, 1);
        r[n++] = pwm(0, 100, 101);
        r[n++] = pwm(12, 1000, 0);
        r[n++] = on_timer(1, 1);
        for (int i = 0; i < n; i++) WORD(MEMORY + 4 * i) = (uint32_t)r[i];
        publish(0, 4 * n);
        finish(0);""",
        gpio=0xF,
        rules=1,
        log=256,
    )
    kernel.ended(guest)
    E = ErrorNumber
    thresholds = [E.INVALID, E.INVALID, E.NOENT, E.FAULT, 0, E.FAULT]
    edges = [E.INVALID, E.INVALID, E.INVALID, E.DENIED]
    expected = [-1, E.NOENT, *thresholds, *edges, E.INVALID, E.INVALID, E.DENIED, E.NOROOM]
    assert numbers(kernel, guest) == expected
    assert kernel.log(guest)[1].count(b"not granted") == 1
    assert rules(kernel, guest) == [], "nothing is left of who has ended"
    assert kernel.create(rules=33, code=4096)[0] == "4.00"
    assert kernel.create(rules=8, code=319)[0] == "4.00"


def test_who_is_told_what(kernel: Kernel) -> None:
    guest = spawn(
        kernel,
        """
        WORD(MEMORY) = (uint32_t)on_message(60, 100000, 1);
        WORD(MEMORY + 4) = (uint32_t)on_message(60, 8, -1);
        WORD(MEMORY + 8) = (uint32_t)on_stop(-1);
        on_message(60, 8, 7);
        on_stop(8);
        pause(400000);
        for (int n = 0; n < 2; n++) {
            uint64_t event = wait_rule();
            WORD(MEMORY + 12 + 8 * n) = (uint32_t)event;
            WORD(MEMORY + 16 + 8 * n) = (uint32_t)(event >> 32);
        }
        publish(0, 28);
        say(60, 8);
        finish(0);""",
    )
    path = f"x/{guest.number}"
    kernel.wait(0.05)  # until it has told what it wants
    assert str(kernel.request(POST, f"{path}/message", b"early").code)[:4] == "5.03", "it does not wait yet"
    assert str(kernel.request(POST, f"{path}/message", b"123456789").code)[:4] == "4.13"
    kernel.wait(1.0)
    assert str(kernel.request(POST, f"{path}/message", b"message!").code)[:4] == "2.04"
    assert kernel.post(path, {0: 3, 4: 1500})[0] == "2.04"
    kernel.ended(guest)
    E = ErrorNumber
    assert numbers(kernel, guest) == [E.FAULT, E.INVALID, E.INVALID, 7, 8, 8, 1500]
    assert kernel.log(guest)[1] == b"message!\n"
    assert kernel.post(path, {0: 3, 4: 1})[0] == "4.09", "it has ended"
    deaf = spawn(kernel, "for (;;) pause(1000000);")
    assert kernel.post(f"x/{deaf.number}", {0: 3, 4: 1})[0] == "4.04"
    assert str(kernel.request(POST, f"x/{deaf.number}/message", b"x").code)[:4] == "4.04"


def test_timers_keep_their_beat(boot: Callable[..., Kernel]) -> None:
    kernel = boot("-icount", "shift=3,sleep=off")  # the host's clock has no say
    guest = spawn(
        kernel,
        """
        uint64_t began = now();
        int slow = on_timer(10000, 7);
        on_timer(3000, 8);
        for (int n = 0; n < 7; n++) {
            uint64_t event = wait_rule();
            WORD(MEMORY + 12 * n) = (uint32_t)event;
            WORD(MEMORY + 12 * n + 4) = (uint32_t)(event >> 32);
            WORD(MEMORY + 12 * n + 8) = (uint32_t)(now() - began);
            if (n == 3) pause(9500);
        }
        WORD(MEMORY + 84) = (uint32_t)off(slow);
        WORD(MEMORY + 88) = (uint32_t)off(slow);
        publish(0, 92);
        for (;;) pause(3600000000u);""",
        result=128,
    )
    kernel.wait(0.5)
    *events, gone, again = numbers(kernel, guest)
    assert (gone, again) == (0, ErrorNumber.NOENT)
    seen = [(events[n], events[n + 1]) for n in range(0, 21, 3)]
    when = [events[n + 2] for n in range(0, 21, 3)]
    # at 3, 6, 9 and 10 ms; asleep until 19.5, by when 12, 15 and 18 have passed; 20; 21
    assert seen == [(8, 1), (8, 1), (8, 1), (7, 1), (8, 3), (7, 1), (8, 1)]
    due = [3000, 6000, 9000, 10000, 19500, 20000, 21000]
    assert all(0 <= at - wanted < 200 for at, wanted in zip(when, due, strict=True)), when
    (left,) = rules(kernel, guest)
    assert left[:4] == [1, RuleKind.TIMER, 0, 3000]


def test_each_rule_has_its_turn(kernel: Kernel) -> None:
    guest = spawn(
        kernel,
        """
        for (int n = 0; n < 4; n++) on_timer(1, n);
        uint32_t counts[4] = {0};
        for (int n = 0; n < 400; n++) counts[(uint32_t)wait_rule()]++;
        for (int n = 0; n < 4; n++) WORD(MEMORY + 4 * n) = counts[n];
        publish(0, 16);
        finish(0);""",
    )
    kernel.ended(guest)
    assert numbers(kernel, guest) == [100] * 4


def test_who_is_busy_makes_the_kernel_no_work(boot: Callable[..., Kernel]) -> None:
    kernel = boot("-icount", "shift=3")
    spawn(kernel, "on_timer(50, 1); for (;;) WORD(MEMORY)++;", share=500)
    before = kernel.get("k")
    kernel.wait(0.5)
    after = kernel.get("k")
    assert after[6] - before[6] < (after[8] - before[8]) / 50 / 100, "switches, of virtual microseconds"


@pytest.mark.boards("stm32f4")  # whose timers QEMU has
def test_pulses_by_a_timer_and_by_the_kernel(boot: Callable[..., Kernel], tmp_path: Path) -> None:
    kernel = boot("-gdb", f"unix:{tmp_path}/gdb,server,nowait")
    body = "WORD(MEMORY) = (uint32_t)pwm(%s); publish(0, 4); for (;;) pause(1000000);"

    def timer(register: int) -> int:
        with Debugger(tmp_path / "gdb") as debugger:
            word = bytes.fromhex(debugger.command(f"m{TIM4 + register:x},4"))
        return int.from_bytes(word, "little")

    red = spawn(kernel, body % "2, 20000000, 1500000")  # a servo: 1.5 of 20 ms
    other_beat = spawn(kernel, body % "3, 5000000, 1000000")  # the same timer at another period
    too_fast = spawn(kernel, body % "5, 50000, 1000")  # no timer reaches this pin
    kernel.wait(0.2)
    assert [numbers(kernel, guest)[0] for guest in (red, other_beat, too_fast)] == [0, 0, -10]
    assert rules(kernel, red) == [[0, RuleKind.PWM, 2, 20_000_000, 1_500_000, 1]]
    assert rules(kernel, too_fast) == []
    clock = 84_000_000
    ticks = (timer(TIM_PSC) + 1) * (timer(TIM_ARR) + 1)
    assert abs(ticks / clock - 0.020) < 1e-6
    assert abs((timer(TIM_PSC) + 1) * timer(TIM_CCR3) / clock - 0.0015) < 1e-6
    assert timer(TIM_CCMR2) & 0xFF == 0x68, "PWM mode 1 with preload, channel 3"
    assert (timer(TIM_CCER), timer(TIM_CR1) & 1) == (1 << 8, 1), "the other one is the kernel's"
    kernel.delete(red.number)
    assert (timer(TIM_CCER), timer(TIM_CR1) & 1) == (0, 0)
    full = spawn(kernel, body % "2, 1000000, 1000000")
    kernel.wait(0.1)
    assert numbers(kernel, full) == [0]
    assert timer(TIM_CCR3) == timer(TIM_ARR) + 1, "always high"


@pytest.mark.boards("stm32f4", "hifive1")  # its guest divides, which takes a library on Cortex-M0
def test_the_kernels_pulses_have_their_width(
    boot: Callable[..., Kernel], tmp_path: Path, firmware: Firmware
) -> None:
    kernel = boot("-icount", "shift=3,sleep=off", "-gdb", f"unix:{tmp_path}/gdb,server,nowait")
    kernel.get("d")  # its sockets are there
    with Debugger(tmp_path / "gdb") as debugger:  # QEMU has no pins to read back
        debugger.command(f"M{firmware.symbol('mma_stand_in'):x},4:{b'MMIN'.hex()}")
    spawn(kernel, "pwm(5, 4000000, 1000000); for (;;) pause(1000000);")  # no timer reaches pin 5
    guest = spawn(
        kernel,
        """
        uint64_t rose = 0, high = 0, whole = 0;
        for (int was = 1, n = 0; n < 22;) {
            int is = gpio_read(5);
            if (is != was) {
                uint64_t at = now();
                if (!is && rose) high += at - rose;
                if (is && rose) whole += at - rose;
                if (is) rose = at;
                was = is;
                n++;
            }
        }
        WORD(MEMORY) = (uint32_t)whole / 10;
        WORD(MEMORY + 4) = (uint32_t)high / 10;
        publish(0, 8);
        finish(0);""",
    )
    kernel.ended(guest, 30)
    whole, high = numbers(kernel, guest)
    assert abs(whole - 4000) < 40, "microseconds"
    assert abs(high - 1000) < 140
