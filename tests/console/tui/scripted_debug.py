"""A board held in a guest's source, and its memory, as the debugger and the survey would tell them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from console.debug.view import (
    Bits,
    Break,
    Bytes,
    Code,
    DebugView,
    Frame,
    Phase,
    Register,
    Said,
    Slot,
    Spot,
    Text,
    Unmodelled,
    Value,
)
from console.errors import UsageError
from console.live.seam import Post, Step
from console.memory.view import Area, Field, Kind, MemoryView, Region, Symbol
from console.state.events import DebugChanged, MemoryChanged

NOW = 1_767_268_800.0
PATH = "/home/you/filter.c"
SOURCE = """\
// Watches temp0: the mean of its last eight readings.
#include "mma.h"

#define WINDOW 8

static int32_t readings[WINDOW];
static int32_t sum;

/* Replace the oldest reading;
   the mean of all in the window. */
static int32_t smooth(int32_t n, int32_t reading) {
    int32_t *oldest = &readings[n % WINDOW];
    sum += reading - *oldest;
    *oldest = reading;
    return sum / (n + 1 < WINDOW ? n + 1 : WINDOW);
}

int main(void) {
    int32_t limit = mma_arg_i32(0, 30000);
    for (int32_t n = 0; n < 40; n++) {
        int32_t reading;
        if (mma_sensor_read("temp0", &reading)) return 2;
        if (smooth(n, reading) > limit) mma_log_text("hot");
    }
    return 0;
}""".splitlines()
TASK = "filter-9c1d22ab"
AT = 0x20001164


def held() -> DebugView:
    """Stopped in the guest's `smooth`."""
    spot = Spot(AT + 6, "smooth", PATH, 13, TASK)
    code = [
        ("push {r4, r5, r7, lr}", 11),
        ("mov r4, r0", 11),
        ("and.w r5, r0, #7", 12),
        ("ldr r3, [r2, #4]", 13),
        ("subs r1, r1, r3", 13),
        ("add r5, r1", 13),
        ("str r1, [r2, #4]", 14),
        ("sdiv r0, r5, r4", 15),
        ("pop {r4, r5, r7, pc}", 16),
    ]
    fields = (Bits("TXE", "7", 1, "", False), Bits("TC", "6", 1, "", True), Bits("RXNE", "5", 0, "", False))
    return DebugView(
        "stm32f4@qemu",
        Phase.STOPPED,
        f"breakpoint in smooth of {TASK}, hit 3",
        3,
        NOW - 12,
        75.0,
        (
            Frame(0, spot, "n=17, reading=29437"),
            Frame(1, Spot(0x20001036, "main", PATH, 23, TASK)),
        ),
        0,
        spot,
        Text(PATH, tuple(SOURCE), frozenset((11, 12, 13, 14, 15, 18, 19, 20, 22, 23, 25))),
        (
            Value("n", "17", "int32_t", True, True),
            Value("reading", "29437", "int32_t", True, True),
            Value("oldest", "0x204", "int32_t *", False, False, "→ 29400", "oldest", opens=True),
            Value(
                "window", "{sum = 235344, count = 8}", "struct window", path="window", opens=True, opened=True
            ),
            Value("sum", "235344", "int32_t", True, path="window.sum", depth=1),
            Value("count", "8", "uint8_t", path="window.count", depth=1),
        ),
        1,
        (Value("sum / 8", "29418", "", True),),
        (
            *(Value(f"r{n}", f"{n * 0x1111:#010x}", changed=n in (0, 5)) for n in range(13)),
            Value("sp", "0x20001ca0"),
            Value("lr", "0x20001037"),
            Value("pc", f"{AT + 6:#010x}", changed=True),
        ),
        tuple(
            Code(AT + 2 * n, text, b"\x10\xb5", "smooth", 2 * n, line, PATH)
            for n, (text, line) in enumerate(code)
        ),
        (
            Break("name:smooth", "smooth", "function", TASK, True, 3, 0, "", False, ((PATH, 11),), (AT,)),
            Break("2", "filter.c:25", "breakpoint", "filter.c:25", False, spots=((PATH, 25),)),
            Break("name:blink", "blink", "function", "waits for an executor that has it", waiting=True),
        ),
        (Slot(0, "running", TASK, True), Slot(1, "running", "spin-77aa01fe", False)),
        ("GPIOA", "RCC", "USART1"),
        "USART1",
        (
            Register("SR", 0x40011000, 0xC0, True, "", "Status", fields),
            Register("DR", 0x40011004, None, False, "a read changes the hardware", "Data"),
        ),
        (Unmodelled("USART1.GTPR", 214, 0x08001B2C, "write"),),
        Bytes(0x20001CA0, bytes(range(64)), "$sp", frozenset((4, 5))),
        (
            Said("note", "attached to QEMU at stm32f4@qemu; attaching held it for 31 ms"),
            Said("typed", "info registers pc"),
            Said("gdb", f"pc             {AT + 6:#x}          <smooth+6>"),
        ),
        True,
        False,
        "QEMU runs backwards only while it replays a recorded run.",
    )


def survey() -> MemoryView:
    """Two executors and a kernel."""
    ram = 0x20000000
    regions = [
        Region("stack", Kind.KERNEL_STACK, ram, 1024, "kernel", 648),
        Region(
            "kernel/executor",
            Kind.DATA,
            ram + 0x400,
            1664,
            "kernel",
            before=1600,
            symbols=(Symbol("mma_executors", ram + 0x400, 1664, "struct mma_executor [8]"),),
        ),
    ]
    at = ram + 0x1000
    for task, sizes in ((TASK, (1408, 2048, 4096, 512, 256)), ("spin-77aa01fe", (64, 256, 992, 512, 256))):
        kinds = (Kind.GUEST_CODE, Kind.GUEST_STACK, Kind.GUEST_MEMORY, Kind.GUEST_LOG, Kind.GUEST_RESULT)
        for kind, size in zip(kinds, sizes, strict=True):
            peak = size // 3 if kind in (Kind.GUEST_STACK, Kind.GUEST_MEMORY) else None
            symbols = (Symbol("smooth", AT, 18), Symbol("main", at, 256)) if kind is Kind.GUEST_CODE else ()
            regions.append(Region(kind.value, kind, at, size, task, peak, None, symbols))
            at += size
    regions.append(Region("free", Kind.FREE, at, ram + 0x20000 - at))
    flash = (
        Region("kernel/coap", Kind.CODE, 0x08000000, 10_970, "kernel", before=10_984),
        Region("kernel/server", Kind.CODE, 0x08002ADA, 9_492, "kernel", before=9_492),
        Region("free", Kind.FREE, 0x08004FEE, 0x100000 - 0x4FEE),
    )
    return MemoryView(
        "stm32f4@qemu",
        "",
        (Area("ram", ram, 0x20000, tuple(regions)), Area("flash", 0x08000000, 0x100000, flash)),
        build="ffab4edc6cbfb9ab",
        last_build="62b10106cbfb9abe",
    )


class ScriptedDebugger:
    """Takes calls down and shows the scripted view."""

    def __init__(self, post: Post) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._post = post
        self.view = DebugView()

    def show(self, view: DebugView) -> None:
        """As the debugger would."""
        self.view = view
        self._post(DebugChanged(view))

    async def attach(self, target: str) -> None:
        self.calls.append(("attach", target))
        if target == "host":
            raise UsageError("host has no debug stub.", remedy="Choose an emulated board.")
        self.show(held())

    async def detach(self) -> None:
        self.calls.append(("detach",))
        self.show(DebugView("stm32f4@qemu"))

    async def go(self, how: Step, *, reverse: bool = False) -> None:
        self.calls.append(("go", how, reverse))
        self.show(replace(self.view, phase=Phase.RUNNING))

    async def pause(self) -> None:
        self.calls.append(("pause",))
        self.show(held())

    async def stop_on_trap(self, on: bool) -> None:
        self.calls.append(("stop_on_trap", on))
        self.show(replace(self.view, on_trap=on))

    async def command(self, line: str) -> str:
        self.calls.append(("command", line))
        return ""

    async def complete(self, text: str) -> tuple[str, tuple[str, ...]]:
        self.calls.append(("complete", text))
        return "info registers", ("info registers",)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def call(*arguments: object) -> None:
            self.calls.append((name, *arguments))

        return call


class ScriptedMemory:
    """Shows the scripted map; its bytes count up."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.view = MemoryView()
        self.written: list[tuple[int, bytes]] = []

    def _show(self, view: MemoryView) -> None:
        self.view = view
        self._post(MemoryChanged(view))

    async def survey(self, target: str) -> None:
        self._show(replace(survey(), bytes=self.view.bytes, fields=self.view.fields))

    async def look(self, target: str, address: int, size: int) -> None:
        data = bytes((address + n) * 7 & 0xFF for n in range(size))
        fields = (
            Field(address, 4, "mma_usage.at.low", "uint32_t", "119426311"),
            Field(address + 4, 4, "mma_usage.next", "struct mma_usage *", "0x20000418", leads=True),
            Field(address + 8, 1, "mma_usage.on", "_Bool", "true"),
        )
        known = address + size <= AT  # an executor's code has none
        self._show(replace(self.view, bytes=Bytes(address, data), fields=fields if known else ()))

    async def address_of(self, target: str, text: str) -> int:
        if text == "smooth":
            return AT
        raise UsageError(f"There is no symbol {text}.", remedy="/ filters the list by name.")

    async def find(self, target: str, start: int, pattern: bytes) -> int:
        return AT + 8

    async def write(self, target: str, address: int, data: bytes) -> None:
        self.written.append((address, data))
