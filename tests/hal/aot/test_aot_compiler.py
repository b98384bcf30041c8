"""Objects and images: sizes, records, budgets, arguments, stack bounds, names; on every kind of machine."""

from __future__ import annotations

import hashlib
import struct
import time
from pathlib import Path

import pytest
import wasmtime
from native import X86_64, Native, TrapError

from hal import aot
from hal.abi import Trap
from hal.aot import Image, Layout, Machine, Object, link
from hal.aot.compiler import compile_for
from hal.boards import load_board
from hal.errors import BudgetError, ToolchainError
from hal.guest import build_module

CORTEX_M4 = Machine(
    "thumbv7em-none-eabi", ("-mcpu=cortex-m4", "-mfloat-abi=softfp", "-mfpu=fpv4-sp-d16"), False
)
CORTEX_M0 = Machine("thumbv6m-none-eabi", ("-mcpu=cortex-m0",), True)
RV32 = Machine("riscv32-unknown-elf", ("-march=rv32imac", "-mabi=ilp32"), False)
MACHINES = {"cortex-m4": CORTEX_M4, "cortex-m0": CORTEX_M0, "rv32": RV32}
EXAMPLES = sorted((Path(__file__).parents[3] / "firmware" / "sdk" / "examples").glob("*.c"))


def wat(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def layout_for(one: Object, linear: int, arguments: tuple[str, ...] = ()) -> Layout:
    code = one.code_bytes + one.arguments_bytes(arguments) + one.rules_bytes
    return Layout(0x20004000, code, 0x20008000, 1024, 0x20009000, one.memory_part(linear))


def contents(image: Image) -> dict[int, int]:
    """Address to byte of all that the records say."""
    out: dict[int, int] = {}
    at = 0
    while at < len(image.stream):
        address, length = struct.unpack_from("<II", image.stream, at)
        at += 8 + length
        assert length
        assert at <= len(image.stream)
        out |= dict(enumerate(image.stream[at - length : at], address))
    return out


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
@pytest.mark.parametrize("source", EXAMPLES, ids=lambda path: path.stem)
def test_examples_compile_and_link_for_every_machine(source: Path, machine: Machine) -> None:
    one = compile_for(build_module(source), machine)
    assert one.code_bytes < 4096
    assert one.instance_bytes <= 16
    layout = layout_for(one, one.wanted_memory, ("7",))
    image = link(one, layout, ("7",))
    inside = contents(image)
    assert all(
        layout.code <= place < layout.code + layout.code_bytes
        or layout.memory <= place < layout.memory + layout.memory_bytes
        for place in inside
    )
    assert image.digest == hashlib.sha256(image.stream).digest()
    assert image.entry & 1 == machine.target.startswith("thumb")
    assert str(image.symbolise(image.entry)) == "mma_start+0x0"
    assert image.initial_memory == one.declared_memory
    assert image.symbolise(layout.code - 4) is None


def test_a_board_tells_its_machine() -> None:
    board = load_board("stm32f4")
    one = aot.compile(wat('(module (func (export "main")))'), board)
    assert one.machine == Machine.of(board)
    assert one.declared_memory == one.wanted_memory == one.instance_bytes == 0


def test_a_second_compile_comes_from_the_cache() -> None:
    module = wat('(module (func (export "main") (result i32) (i32.const 3)))')
    first = compile_for(module, CORTEX_M4)
    written = first.path.stat().st_mtime_ns
    assert compile_for(module, CORTEX_M4) == first
    assert first.path.stat().st_mtime_ns == written


def test_a_second_launch_runs_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither compiler nor linker, whatever the arguments; another place is linked anew."""
    module = build_module(EXAMPLES[0])

    def launch(place: int, *arguments: str) -> Image:
        one = compile_for(module, CORTEX_M4)
        code = one.code_bytes + 64
        part = one.memory_part(one.wanted_memory)
        return link(one, Layout(place, code, place + 0x2000, 1024, place + 0x3000, part), arguments)

    first = launch(0x20004000, "1")
    ran: list[str] = []

    def refuse(words: list[str], **_: object) -> None:
        ran.append(words[1])
        raise OSError("no tool may run")

    monkeypatch.setattr("hal.toolchain.subprocess.Popen", refuse)
    assert launch(0x20004000, "1") == first
    assert launch(0x20004000, "22").entry == first.entry
    assert ran == []
    with pytest.raises(ToolchainError):
        launch(0x20004040 + int(time.time_ns() % 2**20) * 32, "1")
    assert ran == ["ld.lld"]


def test_sizes_of_memory_are_the_modules_own() -> None:
    page = compile_for(
        wat('(module (memory 2 5) (data (i32.const 1000) "x") (func (export "main")))'), CORTEX_M4
    )
    assert (page.declared_memory, page.maximum_memory, page.least_memory) == (131072, 5 * 65536, 1001)
    assert page.wanted_memory == 1001
    exact = compile_for(wat('(module (memory 301 (pagesize 1)) (func (export "main")))'), CORTEX_M4)
    assert exact.least_memory == exact.wanted_memory == exact.declared_memory == 301
    heap = wat(
        '(module (memory 2) (global (export "__heap_base") i32 (i32.const 2080)) (func (export "main")))'
    )
    assert compile_for(heap, CORTEX_M4).wanted_memory == 2080


def test_state_lies_above_linear_memory() -> None:
    module = wat("""(module (memory 64 (pagesize 1)) (data (i32.const 3) "abc")
      (global $g (mut i32) (i32.const 0x11223344)) (global $h (mut i64) (i64.const 0))
      (func (export "main") (result i32)
        (global.set $g (i32.add (global.get $g) (i32.load (i32.const 0))))
        (global.set $h (i64.add (global.get $h) (i64.const 1))) (global.get $g)))""")
    one = compile_for(module, CORTEX_M4)
    assert one.instance_bytes == 16
    layout = layout_for(one, 64)
    assert layout.memory_bytes == 64 + 16
    image = link(one, layout)
    inside = contents(image)
    assert [inside[layout.memory + n] for n in (3, 4, 5)] == list(b"abc")
    state = [place for place in inside if place >= layout.memory + 64]
    assert bytes(inside[place] for place in sorted(state)) == bytes([0x44, 0x33, 0x22, 0x11])


def test_too_little_room_says_how_much_is_missing() -> None:
    one = compile_for(wat('(module (memory 500 (pagesize 1)) (func (export "main")))'), CORTEX_M0)
    with pytest.raises(BudgetError) as memory:
        link(one, layout_for(one, 460))
    assert (memory.value.missing, memory.value.where) == (500 - 464, "memory")
    short = Layout(0x20004000, one.code_bytes - 4, 0x20008000, 1024, 0x20009000, 504)
    with pytest.raises(BudgetError) as code:
        link(one, short)
    assert (code.value.missing, code.value.where) == (4, "code")
    with pytest.raises(BudgetError) as stack:
        link(one, Layout(0x20004000, 4096, 0x20008000, 16, 0x20009000, 504))
    assert stack.value.where == "stack"


def test_touching_declared_memory_past_the_budget_is_its_own_trap() -> None:
    module = wat("""(module (memory 1) (data (i32.const 0) "\\07")
      (func (export "get") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "two") (param i32) (result i32)
        (i32.add (i32.load (local.get 0)) (i32.load offset=4 (local.get 0))))
      (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
      (func (export "size") (result i32) (memory.size)))""")
    with Native(module, memory=4096) as native:
        assert native.call("get", 4092) == [0]
        assert native.call("size") == [1]
        for name, argument, code in (
            ("get", 4093, Trap.BUDGET),
            ("get", 65532, Trap.BUDGET),
            ("get", 65533, Trap.MEMORY),
            ("get", 0xFFFFFFFF, Trap.MEMORY),
            ("two", 4090, Trap.BUDGET),
            ("fill", 4097, Trap.BUDGET),
            ("fill", 65537, Trap.MEMORY),
        ):
            with pytest.raises(TrapError) as trap:
                native.call(name, argument)
            assert (name, argument, trap.value.code) == (name, argument, code)


def test_growth_ends_at_the_budget_and_tells_the_kernel() -> None:
    told: list[tuple[int, int]] = []

    def host(number: int, a: int, b: int, c: int) -> int:
        told.append((number, a))
        return 0

    module = wat("""(module (memory 1)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0))))""")
    with Native(module, memory=3 * 65536, host=host) as native:
        assert native.image.initial_memory == 65536
        assert native.image.linear_memory == 3 * 65536
        assert native.call("grow", 3) == [0xFFFFFFFF]
        assert native.call("grow", 2) == [1]
        assert native.call("grow", 1) == [0xFFFFFFFF]
        assert native.call("get", 3 * 65536 - 1) == [0]
        assert told == [(10, 3 * 65536)]
    with Native(module, memory=1000) as native:
        assert native.call("grow", 0) == [1]
        assert native.call("grow", 1) == [0xFFFFFFFF]


def test_arguments_follow_the_code() -> None:
    logged: list[bytes] = []
    module = build_module(
        b'#include "mma.h"\nint main(void) { char b[8]; for (int i = 0; i < mma_arg_count(); i++) {'
        b' int n = mma_arg(i, b, sizeof b); mma_log(b, n > 8 ? 8 : n); mma_logf("%d", n); }'
        b' mma_logf("%d %d", mma_arg(9, b, 8), mma_arg_i32(0, 5)); return mma_arg_i32(1, 5); }'
    )

    def host(number: int, a: int, b: int, c: int) -> int:
        logged.append(native.read(a, b))
        return 0

    with Native(module, arguments=("-42", "17", "longer than eight", ""), host=host) as native:
        assert native.object.takes_arguments
        assert native.main() == 17
    assert logged == [b"-42", b"3", b"17", b"2", b"longer t", b"17", b"", b"0", b"-4 -42"]


def test_stack_is_bounded_where_calls_end() -> None:
    def stack(body: str) -> int | None:
        return compile_for(wat(f"(module {body})"), CORTEX_M4).stack_bytes

    straight = stack('(func (export "main") (call $a)) (func $a (call $b)) (func $b)')
    assert straight is not None
    assert straight < 100
    assert stack('(func $m (export "main") (call $m))') is None
    assert stack('(func (export "main") (call $a)) (func $a (call $b)) (func $b (call $a))') is None
    through = '(table 1 funcref) (elem (i32.const 0) $leaf) (func $leaf) (func (export "main")'
    through += " (call_indirect (i32.const 0)) {})"
    fixed = stack(through.format(""))
    assert fixed is not None
    assert stack(through.format("(table.set (i32.const 0) (ref.null func))")) is None
    itself = (
        '(table 1 funcref) (elem (i32.const 0) $m) (func $m (export "main") (call_indirect (i32.const 0)))'
    )
    assert stack(itself) is None


def test_recursion_ends_as_a_trap_above_the_stacks_end() -> None:
    module = wat(
        '(module (func $f (export "f") (param i64) (call $f (i64.add (local.get 0) (i64.const 1)))))'
    )
    with Native(module, stack=4096) as native, pytest.raises(TrapError) as trap:
        native.call("f", 0)
    assert trap.value.code == Trap.STACK


def test_addresses_lead_back_to_webassembly_names() -> None:
    module = wat(
        """(module (memory 1)
      (func $odd.name-with/signs (param i32) (result i32) (local.get 0))
      (func (export "main") (result i32) (call $rec (i32.const 5)))
      (func $rec (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.mul (i32.const 3) (call $rec (i32.sub (local.get 0) (i32.const 1)))))
          (else (i32.load (i32.const 0))))))""".replace("$odd.name-with/signs", "$odd.name-with/signs")
    )
    one = compile_for(module, CORTEX_M4)
    assert one.functions == ("odd.name-with/signs", "main", "rec")
    image = link(one, layout_for(one, 256))
    (place,) = [(address, size) for address, size, name, index in image.symbols if name == "rec"]
    symbol = image.symbolise(place[0] + 2 | 1)
    assert symbol is not None
    assert (symbol.name, symbol.offset, symbol.index) == ("rec", 2, 2)


def test_strict_alignment_changes_nothing() -> None:
    strict = Machine(X86_64.target, (*X86_64.flags, "-DMMA_STRICT_ALIGNMENT"), True)
    module = wat("""(module (memory 1) (data (i32.const 0) "\\01\\02\\03\\04\\05\\06\\07\\88\\99")
      (func (export "i") (param i32) (result i64) (i64.load (local.get 0)))
      (func (export "h") (param i32) (result i32) (i32.load16_s offset=1 (local.get 0)))
      (func (export "d") (param i32 f64) (result f64)
        (f64.store (local.get 0) (local.get 1)) (f64.load (local.get 0)))
      (func (export "f") (param i32 f32) (result i32)
        (f32.store offset=1 (local.get 0) (local.get 1)) (i32.load offset=1 (local.get 0))))""")
    for machine in (X86_64, strict):
        with Native(module, machine=machine) as native:
            assert native.call("i", 0) == [0x8807060504030201]
            assert native.call("i", 1) == [0x9988070605040302]
            assert native.call("h", 6) == [0xFFFF9988]
            assert native.call("d", 21, 0x7FF0000000000001) == [0x7FF0000000000001]
            assert native.call("f", 30, 0x7FA00000) == [0x7FA00000]
