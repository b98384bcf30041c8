"""The kernel itself, under QEMU: executors live, end, and are kept from each other."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
from aiocoap import ACK, CON, DELETE, EMPTY, GET, NON, POST, PUT, RST, Message
from aiocoap.optiontypes import OpaqueOption
from kernel_client import Debugger, Kernel, to_frame

from hal.abi import EndCause, ErrorNumber, ResetCause, State, Trap
from hal.firmware import Firmware, sizes
from hal.keys import DEVELOPMENT_KEY, DeviceKey, provision
from hal.link.proof import OPTION

FACTS = {  # isolation, clock in Hz, alignment
    "stm32f4": ("mpu", 168_000_000, 32),
    "microbit": ("none", 16_000_000, 8),
    "lm3s6965evb": ("mpu", 50_000_000, 32),
    "hifive1": ("pmp", 200_000_000, 16),
}
GUARDED = ("stm32f4", "hifive1", "lm3s6965evb")
"""Boards whose hardware keeps executors in their slots."""
HELLO = """
void start(void) {
    volatile int on_stack[2] = {1};
    MEM[0] = 'h'; MEM[1] = 'i';
    say(0, 2);
    publish(0, 2);
    finish(7);
}"""
LOOP = "void start(void) { for (;;) WORD(MEMORY)++; }"


def test_it_describes_itself(kernel: Kernel) -> None:
    board = kernel.firmware.board
    found = kernel.get("d")
    assert (found[0], found[1]) == (1, board.name)
    assert found[3] > 0
    assert found[4] == ResetCause.POWER
    assert found[5] + found[6] == board.ram.end
    assert found[6] == found[7] == found[8] == sizes(kernel.firmware).arena
    assert (found[9], found[10]) == (board.options["block"], board.options["slots"])
    assert 0 < found[11] <= 32
    assert (found[13], found[14], found[15]) == FACTS[board.name]
    assert b"</s>;ct=60;obs" in kernel.get(".well-known/core")


def test_boot_ids_differ(boot: Callable[..., Kernel]) -> None:
    assert len({boot().get("d")[3] for _ in range(3)}) == 3


def test_a_life(kernel: Kernel) -> None:
    boot_id = kernel.get("d")[3]
    guest = kernel.spawn(HELLO, key=b"lifetime", share=500)
    assert guest.taken == 512 + 512 + 512 + 256 + 64
    assert kernel.get("d")[7] == kernel.get("d")[6] - guest.taken
    found = kernel.ended(guest)
    assert found[0] == b"lifetime"
    assert (found[2], found[3]) == (EndCause.EXIT, 7)
    assert 0 < found[8] <= 64
    assert found[9] == 4
    assert found[10] == 3
    assert kernel.log(guest) == (0, b"hi\n")
    assert kernel.log(guest, 1) == (1, b"i\n")
    assert kernel.log(guest, 99) == (3, b"")
    assert kernel.get(f"x/{guest.number}/result") == b"hi"
    assert kernel.get("s") == [boot_id, [guest.number, State.ENDED, EndCause.EXIT, 3, 1]]
    assert kernel.delete(guest.number) == "2.02"
    assert kernel.get("s") == [boot_id]
    assert kernel.get("d")[7] == kernel.get("d")[6]


TRAP = """
__attribute__((noinline)) void inner(int x) { if (!MEM[x]) trap(3); }
__attribute__((noinline)) void outer(int x) { inner(x); MEM[3] = 1; }
void start(void) { outer(5); MEM[4] = 2; finish(0); }
"""


def test_a_trap_tells_where(kernel: Kernel) -> None:
    guest = kernel.spawn(TRAP)
    found = kernel.ended(guest)
    assert (found[2], found[3]) == (EndCause.TRAP, Trap.DIVIDE)
    places = [guest.symbol(name) for name in ("inner", "outer", "start")]
    for address, (low, high) in zip([found[4], *found[13]], places, strict=True):
        assert low <= address <= high


OVERFLOW = """
__attribute__((noinline)) int deeper(int x) { volatile int a[8]; a[x & 7] = x; return deeper(x + 1) + a[0]; }
void start(void) { finish(deeper(0)); }
"""
FLOAT_OVERFLOW = """
__attribute__((noinline)) float deeper(float x) { float y = deeper(x * 1.5f); return y * x; }
void start(void) { finish((int)deeper(2.0f)); }
"""


def overflow(kernel: Kernel, source: str) -> None:
    neighbour = kernel.spawn(LOOP)
    guest = kernel.spawn(source)
    found = kernel.ended(guest)
    assert (found[2], found[3]) == (EndCause.TRAP, Trap.STACK)
    low, high = guest.symbol("deeper")
    assert len(found[13]) == 8
    assert all(low <= address <= high for address in found[13])
    assert kernel.look(neighbour)[1] == State.RUNNING


@pytest.mark.boards(*GUARDED)
def test_stack_overflow_is_a_trap(kernel: Kernel) -> None:
    overflow(kernel, OVERFLOW)


@pytest.mark.boards("stm32f4")
def test_stack_overflow_of_floats_is_a_trap(kernel: Kernel) -> None:
    overflow(kernel, FLOAT_OVERFLOW)


LOOPS_ON = "masks interrupts, in vain"
HOSTILE = {
    "writes its code": "WORD(STACK - 8) = 1; finish(0);",
    "writes below its slot": "WORD(CODE - 4) = 1; finish(0);",
    "reads above its slot": "WORD(MEMORY + 4096); finish(0);",
    "returns from its entry": "",
}
HOSTILE_ARM = {
    "reads the kernel": "WORD(0x20000000); finish(0);",
    "reads flash": "WORD(0x08000000); finish(0);",
    "writes the UART": "WORD(0x40011004) = 65; finish(0);",
    "turns the MPU off": "WORD(0xE000ED94) = 0; finish(0);",
    "runs its data": "((void (*)(void))(MEMORY | 1))(); finish(0);",
    "runs the kernel": "((void (*)(void))0x08000101)(); finish(0);",
    "has no stack and calls": '__asm volatile("mov sp, %0\\n svc #1" ::"r"(0x20000400)); finish(0);',
    "has a neighbour's stack": '__asm volatile("mov sp, %0\\n svc #1" ::"r"(STACK - 8192)); finish(0);',
    "has its stack in its memory": '__asm volatile("mov sp, %0\\n svc #1" ::"r"(MEMORY + 256)); finish(0);',
    "has no stack and breaks": '__asm volatile("mov sp, %0\\n udf #0" ::"r"(0x20000400)); finish(0);',
    "has no stack and waits": '__asm volatile("mov sp, %0\\n b ." ::"r"(0x20000400)); finish(0);',
    "has no stack and floats": '__asm volatile("vmov s0, %0\\n mov sp, %0\\n b ." ::"r"(0x20000400));',
    "hits a breakpoint": '__asm volatile("bkpt 0"); finish(0);',
    "runs nonsense": '__asm volatile("udf #0"); finish(0);',
    "divides where it is": '__asm volatile("mov pc, %0" ::"r"(0)); finish(0);',
    "pretends to return from an exception": '__asm volatile("bx %0" ::"r"(0xFFFFFFF9)); finish(0);',
    LOOPS_ON: '__asm volatile("cpsid i\\n cpsid f\\n msr primask, %0\\n b ." ::"r"(1));',
    "takes privileges": '__asm volatile("msr control, %0\\n isb" ::"r"(0)); WORD(0x20000000); finish(0);',
}


HOSTILE_RISCV = {
    "reads the kernel": "WORD(0x80000000); finish(0);",
    "writes the kernel": "WORD(0x80000400) = 1; finish(0);",
    "reads flash": "WORD(0x20400000); finish(0);",
    "writes the UART": "WORD(0x10013000) = 65; finish(0);",
    "stops the clock": "WORD(0x02004004) = 0xFFFFFFFF; finish(0);",
    "takes the interrupts": "WORD(0x0C002000) = 0; finish(0);",
    "reads the byte after its data": "*(volatile uint8_t *)(MEMORY + 512); finish(0);",
    "straddles its slot's end": '__asm volatile("lw a0, 0(%0)" ::"r"(MEMORY + 510) : "a0"); finish(0);',
    "runs its data": "((void (*)(void))MEMORY)(); finish(0);",
    "runs its stack": "((void (*)(void))(STACK + 64))(); finish(0);",
    "runs the kernel": "((void (*)(void))0x20400004)(); finish(0);",
    "opens the memory protection": '__asm volatile("csrw pmpcfg0, zero"); finish(0);',
    "moves the memory protection": '__asm volatile("csrw pmpaddr2, %0" ::"r"(-1)); finish(0);',
    "takes the traps": '__asm volatile("csrw mtvec, %0" ::"r"(CODE)); finish(0);',
    "reads the kernel's scratch": '__asm volatile("csrr a0, mscratch" ::: "a0"); finish(0);',
    "takes privileges": '__asm volatile("csrs mstatus, %0" ::"r"(0x1800)); finish(0);',
    "pretends to return from a trap": '__asm volatile("mret"); finish(0);',
    "masks interrupts": '__asm volatile("csrci mstatus, 8"); finish(0);',
    "hits a breakpoint": '__asm volatile("ebreak"); finish(0);',
    "runs nonsense": '__asm volatile(".4byte 0"); finish(0);',
    "has no stack and overflows": '__asm volatile("mv sp, %0\\n sw a0, 0(sp)" ::"r"(CODE)); finish(0);',
}


@pytest.mark.boards(*GUARDED)
def test_nobody_leaves_his_slot(kernel: Kernel) -> None:
    board = kernel.firmware.board
    hostile = HOSTILE | (HOSTILE_ARM if board.arch == "cortex_m" else HOSTILE_RISCV)
    counting = (
        "void start(void) { for (;;) { WORD(MEMORY)++; WORD(MEMORY + 4) = ~WORD(MEMORY); publish(0, 8); } }"
    )
    neighbour = kernel.spawn(counting, share=500)
    boot_id = kernel.get("d")[3]
    outcomes = {}
    for name, body in hostile.items():
        if "vmov" in body and not board.options.get("fpu"):
            continue
        if name == "turns the MPU off" and board.name == "lm3s6965evb":
            continue  # in vain, but untold: this machine of QEMU's knows no bus faults
        guest = kernel.spawn(f"void start(void) {{ {body} }}")
        if name == LOOPS_ON:
            kernel.wait(0.1)
            assert kernel.look(guest)[1] == State.RUNNING
            assert kernel.post(f"x/{guest.number}", {0: 2})[0] == "2.04"
        outcomes[name] = kernel.ended(guest)
        assert kernel.delete(guest.number) == "2.02"
    for name, found in outcomes.items():
        expected = EndCause.KILLED if name == LOOPS_ON else EndCause.FAULT
        if name.startswith("has no stack") or name == "has a neighbour's stack":
            expected = EndCause.TRAP
        assert found[2] == expected, (name, found)
    assert outcomes["reads the kernel"][5] == board.ram.address
    assert kernel.get("d")[3] == boot_id, "the kernel was reset"
    count, complement = struct.unpack("<II", kernel.get(f"x/{neighbour.number}/result"))
    assert count > 100
    assert count ^ complement == 0xFFFFFFFF


@pytest.mark.boards("stm32f4")
def test_floating_point_registers_are_each_ones_own(kernel: Kernel) -> None:
    source = """
    void start(void) {
        float a = %s, b = a * 2, c = a * 3, d = a * 4, e = a * 5;
        for (int i = 0; i < 30; i++) {
            __asm volatile("" : "+t"(a), "+t"(b), "+t"(c), "+t"(d), "+t"(e));
            if (i & 1) pause(500); else for (volatile int k = 0; k < 20000; k++);
        }
        finish((int)(a + b + c + d + e));
    }"""
    guests = [kernel.spawn(source % value) for value in ("1.5f", "10.0f", "100.0f")]
    assert [kernel.ended(guest)[3] for guest in guests] == [22, 150, 1500]
    leak = 'void start(void) { uint32_t x; __asm volatile("vmov %0, s20" : "=r"(x)); finish((int)x); }'
    assert kernel.ended(kernel.spawn(leak))[3] == 0


def test_shares_and_promptness(boot: Callable[..., Kernel], firmware: Firmware) -> None:
    shift = 6 if firmware.board.arch == "riscv" else 3  # QEMU is slow where memory protection splits a page
    kernel = boot("-icount", f"shift={shift}")
    guests = [kernel.spawn(LOOP, share=share) for share in (100, 300, 600)]
    before = [kernel.look(guest)[6] for guest in guests]
    used, total = [0], 0
    while total < 200_000:  # virtual microseconds; how long that takes is the host's affair
        kernel.wait(0.2)
        used = [kernel.look(guest)[6] - early for guest, early in zip(guests, before, strict=True)]
        total = sum(used)
    assert [part / total for part in used] == pytest.approx([0.1, 0.3, 0.6], abs=0.1)
    most = (
        1000 + (5000 << shift) // 1000
    )  # microseconds: a slice that runs ends first, and 5,000 instructions
    sleeper = """
    void start(void) {
        int late = 0;
        for (int i = 0; i < 50; i++) {
            uint64_t before = now();
            pause(2000);
            late += now() - before - 2000 > %d;
        }
        finish(late);
    }"""
    guest, looks = kernel.spawn(sleeper % most, share=300), 0
    while (found := kernel.look(guest))[1] != State.ENDED:
        looks += 1
        assert looks < 60
        kernel.wait(0.5)
    assert found[2] == EndCause.EXIT
    # Answering costs the kernel some 15,000 instructions, and goes first: no more wakes than looks suffer.
    assert found[3] <= looks + 1, "a sleeper goes first when it wakes"


def test_an_idle_board_costs_nothing(kernel: Kernel) -> None:
    kernel.spawn("void start(void) { for (;;) pause(1000000); }")

    def host_ticks() -> int:
        with open(f"/proc/{kernel.process.pid}/stat") as file:
            return sum(int(word) for word in file.read().rsplit(")", 1)[1].split()[11:13])

    kernel.wait(0.2)
    before = host_ticks()
    kernel.wait(1.5)
    assert host_ticks() - before <= 6, "hundredths of a second of the host's CPU in 1.5 s"


def test_host_calls_check_pointers_and_grants(kernel: Kernel) -> None:
    source = """
    void start(void) {
        int r[12], n = 0;
        r[n++] = say(0xFFFFFFF0u, 0x20);
        r[n++] = say(500, 13);
        r[n++] = say(500, 12);
        r[n++] = publish(0, 65);
        r[n++] = memory_size(100);
        r[n++] = say(99, 2);
        r[n++] = memory_size(513);
        r[n++] = memory_size(512);
        r[n++] = gpio_read(3);
        r[n++] = gpio_mode(5, 1);
        r[n++] = gpio_mode(99, 1);
        r[n++] = (int)HOST(77, 0, 0, 0);
        for (int i = 0; i < n; i++) WORD(MEMORY + 4 * i) = (uint32_t)r[i];
        publish(0, 4 * n);
        finish(0);
    }"""
    guest = kernel.spawn(source, gpio=1 << 3)
    kernel.ended(guest)
    E = ErrorNumber
    results = list(struct.unpack("<12i", kernel.get(f"x/{guest.number}/result")))
    assert results[:8] == [E.FAULT, E.FAULT, 0, E.NOROOM, 0, E.FAULT, E.NOROOM, 0]
    assert results[8] in (0, 1)
    assert results[9:] == [E.DENIED, E.NOENT, E.UNSUPPORTED]
    assert b"this gpio is not granted" in kernel.log(guest)[1]


@pytest.mark.boards("stm32f4")  # whose sensor QEMU has
def test_sensor(kernel: Kernel) -> None:
    source = """
    void start(void) {
        const char *name = "temp0";
        for (int i = 0; i < 5; i++) MEM[i] = name[i];
        int error = sensor(0, 5, 8);
        publish(8, 4);
        finish(error ? error : sensor(0, 4, 8));
    }"""
    granted, denied = kernel.spawn(source, sensors=1), kernel.spawn(source)
    assert kernel.ended(granted)[3] == ErrorNumber.NOENT
    (value,) = struct.unpack("<i", kernel.get(f"x/{granted.number}/result"))
    assert -300_000 < value < 1_100_000
    assert kernel.ended(denied)[3] == ErrorNumber.DENIED


def test_log_ring(kernel: Kernel) -> None:
    source = """
    void start(void) {
        for (int i = 0; i < 100; i++) {
            MEM[0] = '0' + i / 10; MEM[1] = '0' + i % 10; say(0, 2);
            if (i == 9) pause(300000);
        }
        finish(0);
    }"""
    guest = kernel.spawn(source, log=64)
    kernel.wait(0.1)
    assert kernel.log(guest) == (0, b"".join(b"%02d\n" % i for i in range(10)))
    found = kernel.ended(guest)
    assert (found[10], found[11]) == (300, 300 - 30 - 64)
    assert kernel.log(guest, 30) == (236, b"".join(b"%02d\n" % i for i in range(100))[236:])


def test_refusals(kernel: Kernel) -> None:
    largest = kernel.get("d")[8]
    code, why = kernel.create(memory=largest)
    assert code == "4.13"
    assert why == {0: ErrorNumber.NOROOM, 1: 512 + 512 + 256 + 64, 2: largest}
    assert kernel.create(key=b"short") == ("4.00", {0: ErrorNumber.INVALID})
    assert kernel.create(stack=100)[0] == "4.00"
    assert kernel.create(memory=0xFFFFFFF0)[0] == "4.00"
    assert kernel.create(key=b"the same")[0] == "2.01"
    assert kernel.create(key=b"the same") == ("4.09", {0: ErrorNumber.STATE})
    for _ in range(kernel.slots - 1):
        assert kernel.create()[0] == "2.01"
    assert kernel.create() == ("5.03", {0: ErrorNumber.BUSY})
    assert kernel.delete(2) == "2.02"
    assert kernel.create()[1][0] == 2
    assert str(kernel.request(GET, "x/9").code)[:4] == "4.04"
    assert str(kernel.request(PUT, "d").code)[:4] == "4.05"
    assert str(kernel.request(GET, "d", accept=50).code)[:4] == "4.06"
    assert str(kernel.request(GET, "d", if_none_match=True).code)[:4] == "4.02"


def test_uploads(kernel: Kernel) -> None:
    code, place = kernel.create(code=4096)
    number, low = place[0], place[1]
    stream = struct.pack("<II", low, 4000) + bytes(range(250)) * 16
    digest = hashlib.sha256(stream).digest()
    start = {0: 1, 1: digest, 2: low}
    assert code == "2.01"
    assert kernel.post(f"x/{number}", start)[0] == "4.09"
    szx = kernel.block.bit_length() - 5
    for smaller in (0, 3, 0):
        assert str(kernel.upload(number, stream, szx - smaller).code)[:4] == "2.04"
    assert kernel.post(f"x/{number}", start | {1: bytes(32)}) == ("4.09", {0: ErrorNumber.DIGEST})
    assert kernel.post(f"x/{number}", start | {2: place[2]})[0] == "4.00"
    assert kernel.post(f"x/{number}", start | {3: 513})[0] == "4.00"

    def block(index: int, more: bool = True) -> str:
        part = stream[index * kernel.block : (index + 1) * kernel.block]
        return str(kernel.request(PUT, f"x/{number}", part, block1=(index, more, szx)).code)[:4]

    assert [block(0), block(1), block(1), block(3), block(2)] == ["2.31", "2.31", "2.31", "4.08", "2.31"]
    assert block(3, more=False) == "4.00", "the stream ends within a record"
    assert kernel.look_state(number) == State.CREATED
    outside = struct.pack("<II", low + 4000, 2000) + bytes(2000)
    assert str(kernel.upload(number, outside).code)[:4] == "4.00"


@pytest.mark.boards("stm32f4")
def test_blocks_in_flight(kernel: Kernel) -> None:
    """What is ahead is refused with how far the image is; what is known may come again, in other blocks."""
    code, place = kernel.create(code=4096)
    assert code == "2.01"
    number = place[0]
    stream = struct.pack("<II", place[1], 3000) + bytes(range(250)) * 12

    def put(index: int, szx: int) -> tuple[str, Any]:
        size = 16 << szx
        part, more = stream[index * size : (index + 1) * size], (index + 1) * size < len(stream)
        message = Message(code=PUT, payload=part, _mtype=NON, _mid=index, _token=b"\x12")
        message.opt.uri_path, message.opt.block1 = ("x", str(number)), (index, more, szx)
        answer = kernel.unconfirmed(message)
        assert answer.token == b"\x12"
        return str(answer.code)[:4], cbor2.loads(answer.payload) if answer.payload else None

    ahead = ("4.08", {0: ErrorNumber.STATE, 3: 0})
    assert put(2, 5) == ahead
    assert [put(index, 5)[0] for index in (0, 1)] == ["2.31", "2.31"]
    assert put(3, 5) == ("4.08", {0: ErrorNumber.STATE, 3: 1024})
    assert put(31, 1)[0] == "2.31", "bytes 992 to 1024 again"
    assert put(32, 1)[0] == "2.31", "32 bytes more"
    assert put(2, 5)[0] == "2.31", "of which 480 are new"
    assert kernel.get(f"x/{number}")[15] == 1536
    assert [put(index, 5)[0] for index in (3, 4, 5)] == ["2.31", "2.31", "2.04"]
    assert [put(index, 5)[0] for index in (4, 5)] == ["2.31", "2.04"], "the last answer may have got lost"
    assert kernel.get(f"x/{number}")[15] == len(stream)
    start = {0: 1, 1: hashlib.sha256(stream).digest(), 2: place[1]}
    assert kernel.post(f"x/{number}", start)[0] == "2.04"
    assert kernel.get(f"x/{number}")[15] == 0
    assert put(5, 5)[0] == "4.09"


@pytest.mark.boards("stm32f4")
def test_a_flood_of_frames_waits_in_the_receiver(kernel: Kernel) -> None:
    """Nothing is lost while the kernel is busy and a tenant loops: the emulator waits, as a line cannot."""
    kernel.spawn(LOOP)
    blocks = [
        Message(code=PUT, payload=bytes(500), _mtype=NON, _mid=n, _token=b"z", uri_path=("x", "7"))
        for n in range(50)
    ]
    kernel.send(b"".join(to_frame(block.encode()) for block in blocks))
    for _ in blocks:
        assert str(kernel.answer().code)[:4] == "4.04"
    assert kernel.get("k")[9] == 0


def test_a_repeated_request_is_done_once(kernel: Kernel) -> None:
    request = Message(code=POST, _mtype=CON, _mid=0x1234, _token=b"t")
    request.opt.uri_path = ("x",)
    request.payload = cbor2.dumps({0: b"repeated", 1: 64, 2: 256})
    kernel.prove(request)
    answers = [kernel.exchange(request.encode(), 0x1234) for _ in range(3)]
    assert {(str(answer.code)[:4], answer.payload) for answer in answers} == {("2.01", answers[0].payload)}
    assert len(kernel.get("s")) == 2
    assert kernel.get("k")[5] == 2
    request.opt.uri_path = ("x", "0")  # the same message id from a gateway that has restarted
    request.payload = cbor2.dumps({0: 2})
    request.opt.delete_option(OPTION)
    kernel.prove(request)
    assert str(kernel.exchange(request.encode(), 0x1234).code)[:4] == "2.04"


def test_pings_and_strangers(kernel: Kernel) -> None:
    assert kernel.exchange(Message(code=EMPTY, _mtype=CON, _mid=5).encode(), 5).mtype is RST
    assert kernel.exchange(b"\x40\x45\x00\x06", 6).mtype is RST
    assert kernel.exchange(b"\x40\x01\x00\x07\xff", 7).mtype is RST
    before = kernel.get("k")
    kernel.send(
        b"\xc0\xa9\x40\x01\x00\x07ab\xc0\xc0\x0atext\xc0\x45ip\xc0" + b"x" * 2000 + b"\xc0\xdb\x01\xc0"
    )
    after = kernel.get("k")
    assert after[1] - before[1] == 1
    assert after[2] - before[2] == 2


def test_observation(kernel: Kernel) -> None:
    first = kernel.request(GET, "s", observe=0)
    assert first.opt.observe is not None
    guest = kernel.spawn(HELLO)
    kernel.ended(guest)
    kernel.wait(0.1)
    states = [cbor2.loads(notice.payload)[1:] for notice in kernel.notices]
    assert states[-1] == [[guest.number, State.ENDED, EndCause.EXIT, 3, 1]]
    sequence = [notice.opt.observe for notice in kernel.notices]
    assert sequence == sorted(sequence)
    assert all(notice.token == b"\x11" for notice in kernel.notices)
    kernel.request(GET, "s", observe=1)
    kernel.notices.clear()
    kernel.delete(guest.number)
    kernel.wait(0.1)
    assert not kernel.notices


def test_notifications_are_repeated_and_coalesced(kernel: Kernel) -> None:
    kernel.request(GET, "s", observe=0)
    kernel.acknowledge = False
    source = "void start(void) { for (int i = 0; i < 50; i++) { say(0, 1); pause(1000); } finish(0); }"
    kernel.spawn(source)
    kernel.wait(1.2)
    sent = len(kernel.notices)
    assert 3 <= sent <= 5, "at once, after 0.3 s and after 0.6 s more; a busy computer waits longer"
    assert len({notice.mid for notice in kernel.notices}) == 1
    kernel.acknowledge = True
    kernel.send(to_frame(Message(code=EMPTY, _mtype=ACK, _mid=kernel.notices[-1].mid).encode()))
    kernel.wait(0.3)
    assert len(kernel.notices) == sent + 1, "fifty changes, one notification"
    assert cbor2.loads(kernel.notices[-1].payload)[1][1] == State.ENDED
    kernel.notices.clear()
    kernel.acknowledge = False
    kernel.create()
    kernel.wait(0.1)
    kernel.send(to_frame(Message(code=EMPTY, _mtype=RST, _mid=kernel.notices[-1].mid).encode()))
    kernel.wait(0.8)
    assert len(kernel.notices) == 1, "a reset ends the observation"


def test_nobody_changes_anything_without_the_key(kernel: Kernel) -> None:
    guest = kernel.spawn(HELLO, start=False)
    free = kernel.get("d")[7]
    start = cbor2.dumps({0: 1, 1: guest.digest, 2: guest.entry})
    create = cbor2.dumps({0: b"stranger", 1: 64, 2: 256})
    changes = (POST, f"x/{guest.number}", start), (POST, "x", create), (DELETE, f"x/{guest.number}", b"")
    refused = {0: ErrorNumber.DENIED}
    kernel.proves = False
    for code, path, payload in (*changes, (POST, "reset", b"")):
        answer = kernel.request(code, path, payload)
        assert (str(answer.code)[:4], cbor2.loads(answer.payload)) == ("4.01", refused)

    def say(message: Message) -> str:
        message.mid = next(kernel._ids) & 0xFFFF
        return str(kernel.exchange(message.encode(), message.mid).code)[:4]

    def proven(code: Any, path: str, payload: bytes, **wrong: bytes) -> Message:
        message = Message(code=code, payload=payload, _mtype=CON, _token=b"p", uri_path=path.split("/"))
        kernel.prove(message, **wrong)
        return message

    assert say(proven(*changes[0], key=bytes(32))) == "4.01", "another key"
    altered = proven(*changes[0])
    altered.payload = start[:-1] + bytes([start[-1] ^ 1])
    assert say(altered) == "4.01", "another entry address"
    moved = proven(*changes[0])
    moved.opt.uri_path = ("x", "1")
    assert say(moved) == "4.01", "another executor"
    other = proven(*changes[0])
    other.code = DELETE
    assert say(other) == "4.01", "another request"
    cut = proven(*changes[0])
    value = cut.opt.get_option(OPTION)[0].value
    cut.opt.delete_option(OPTION)
    cut.opt.add_option(OpaqueOption(OPTION, value[:-1]))
    assert say(cut) == "4.01", "a part of the proof"
    for at in range(4, len(value)):
        guessed = proven(*changes[0])
        value = bytearray(guessed.opt.get_option(OPTION)[0].value)
        value[at] ^= 1
        guessed.opt.delete_option(OPTION)
        guessed.opt.add_option(OpaqueOption(OPTION, bytes(value)))
        assert say(guessed) == "4.01", f"byte {at} of the proof"
    assert kernel.look_state(guest.number) == State.READY
    assert kernel.get("d")[7] == free

    late, good = proven(*changes[1]), proven(*changes[0])
    assert say(good) == "2.04"
    assert say(good) == "4.01", "replayed"
    assert say(late) == "4.01", "older than what was taken last"
    remove = proven(*changes[2])
    kernel.proves = True
    assert kernel.post("reset")[0] == "2.04"
    kernel.wait(0.2)
    kernel.spawn(HELLO, start=False)
    assert say(remove) == "4.01", "meant for an earlier boot"
    assert kernel.look_state(guest.number) == State.READY


def test_a_provisioned_image_takes_its_own_key_only(firmware: Firmware, tmp_path: Path) -> None:
    key = DeviceKey("mine", bytes(range(32)))
    provision(firmware.elf, key, tmp_path / "mine.elf")
    kernel = Kernel(dataclasses.replace(firmware, elf=tmp_path / "mine.elf"))
    try:
        kernel.wait(0.1)
        assert kernel.get("d")[17] == key.id
        assert "development key" not in kernel.text
        create = Message(code=POST, _mtype=CON, _mid=77, _token=b"k", uri_path=("x",))
        create.payload = cbor2.dumps({0: b"stranger", 1: 64, 2: 256})
        kernel.prove(create)
        assert str(kernel.exchange(create.encode(), 77).code)[:4] == "4.01"
        create.opt.delete_option(OPTION)
        kernel.prove(create, key.secret)
        create.mid = 78
        assert str(kernel.exchange(create.encode(), 78).code)[:4] == "2.01"
    finally:
        kernel.close()


def test_the_development_key_is_said_aloud(kernel: Kernel) -> None:
    assert kernel.get("d")[17] == DEVELOPMENT_KEY.id
    kernel.post("reset")
    kernel.wait(0.3)
    assert kernel.text.endswith("development key\n")


def test_reset(kernel: Kernel) -> None:
    before = kernel.get("d")
    kernel.create()
    assert kernel.post("reset")[0] == "2.04"
    kernel.wait(0.2)
    after = kernel.get("d")
    assert after[3] != before[3]
    assert after[4] == ResetCause.SOFTWARE
    assert kernel.get("s") == [after[3]]
    assert "reset by software" in kernel.text


def test_a_crash_is_told_after_the_restart(
    boot: Callable[..., Kernel], tmp_path: Path, firmware: Firmware
) -> None:
    arm = firmware.board.arch == "cortex_m"
    kernel = boot("-gdb", f"unix:{tmp_path}/gdb,server,nowait")
    before = kernel.get("d")
    guest = kernel.spawn("void start(void) { for (;;) pause(1000); }")
    kernel.wait(0.1)  # so that it has run
    with Debugger(tmp_path / "gdb") as debugger:
        debugger.run_to(
            firmware.symbol("mma_server_poll") & ~1
        )  # in the kernel: in a guest it is the guest's fault
        pc = 15 if arm else 32
        debugger.command(f"P{pc:x}=000000e0")  # among Arm's system registers, where nobody may execute
    kernel.wait(0.3)
    after = kernel.get("d")
    assert after[3] != before[3]
    assert after[4] == ResetCause.CRASH
    assert after[16][0] in ((3, 4, 5, 6) if arm else (1,)), "an exception number, or mcause"
    assert after[16][1] >> 16 == 0xE000, "where it was, also at the very top of its stack"
    assert after[16][5] == guest.number
    assert kernel.get("s") == [after[3]], "no executor survives its kernel"
    assert "reset by kernel crash" in kernel.text


@pytest.mark.boards("stm32f4")
def test_a_kernel_that_hangs_is_restarted(
    boot: Callable[..., Kernel], tmp_path: Path, firmware: Firmware
) -> None:
    kernel = boot("-gdb", f"unix:{tmp_path}/gdb,server,nowait")
    before = kernel.get("d")
    reset = firmware.symbol("mma_arch_reset") & ~1
    with Debugger(tmp_path / "gdb") as debugger:
        code = bytes.fromhex(debugger.command(f"m{reset:x},40"))
        spin = reset + next(at for at in range(0, 64, 2) if code[at : at + 2] == b"\xfe\xe7")  # b .
        debugger.run_to(firmware.symbol("mma_server_poll") & ~1)  # where interrupts are on
        debugger.command(f"Pf={spin.to_bytes(4, 'little').hex()}")
    deadline = time.monotonic() + 60
    while "reset by watchdog" not in kernel.text:
        assert time.monotonic() < deadline
        kernel.wait(0.2)
    after = kernel.get("d")
    assert after[3] != before[3]
    assert after[4] == ResetCause.WATCHDOG
    assert (after[16][0], after[16][1]) == (15, spin), "found by SysTick, where it hung"
    assert kernel.get("s") == [after[3]]


def test_stand_in(boot: Callable[..., Kernel], tmp_path: Path, firmware: Firmware) -> None:
    kernel = boot("-gdb", f"unix:{tmp_path}/gdb,server,nowait")
    kernel.get("d")
    address = firmware.symbol("mma_stand_in")
    with Debugger(tmp_path / "gdb") as debugger:
        page = struct.pack("<I4i4I", 0x4E494D4D, 21_500, 0, 0, 0, 1 << 3, 0, 0, 1 << 3)
        debugger.command(f"M{address:x},{len(page):x}:{page.hex()}")
    source = """
    void start(void) {
        for (int i = 0; i < 5; i++) MEM[i] = "temp0"[i];
        sensor(0, 5, 8);
        gpio_mode(3, 0); gpio_mode(4, 1); gpio_write(4, 1);
        WORD(MEMORY + 12) = gpio_read(3) * 2 + gpio_read(4);
        publish(8, 8);
        for (;;) pause(1000000);
    }"""
    guest = kernel.spawn(source, gpio=0x18, sensors=1)
    kernel.wait(0.2)
    assert kernel.get(f"x/{guest.number}/result") == struct.pack("<iI", 21_500, 3)

    def outputs_and_directions() -> tuple[int, ...]:
        with Debugger(tmp_path / "gdb") as debugger:
            return struct.unpack("<2I", bytes.fromhex(debugger.command(f"m{address + 24:x},8")))

    assert outputs_and_directions() == (1 << 4, 1 << 4)
    kernel.delete(guest.number)
    assert outputs_and_directions()[1] == 0, "who is gone drives nothing"


def test_all_slots_at_once(kernel: Kernel) -> None:
    source = """
    void start(void) {
        uint32_t x = %d;
        for (int i = 0; i < 20000; i++) { x = x * 1664525 + 1013904223; WORD(MEMORY + (i & 63) * 4) = x; }
        WORD(MEMORY) = x;
        publish(0, 4);
        finish(0);
    }"""
    guests = [kernel.spawn(source % seed) for seed in range(kernel.slots - 1)]
    kernel.spawn(LOOP, share=1000)
    for seed, guest in enumerate(guests):
        x = seed
        for _ in range(20000):
            x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        kernel.ended(guest, 30)
        assert kernel.get(f"x/{guest.number}/result") == struct.pack("<I", x)


def test_it_answers_while_everybody_loops(kernel: Kernel) -> None:
    for _ in range(kernel.slots):
        kernel.spawn(LOOP, share=1000)
    began = time.monotonic()
    for _ in range(20):
        kernel.get("s")
    assert (time.monotonic() - began) / 20 < 0.1
