"""Reading modules: what targets refuse is refused in words, and garbage never crashes the reader."""

from __future__ import annotations

import contextlib

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from hal import aot
from hal.aot.binary import Reader, read
from hal.aot.translate import translate
from hal.errors import ModuleError

RICH = bytes(
    wasmtime.wat2wasm("""(module
      (import "mma" "log" (func $log (param i32 i32) (result i32)))
      (memory 1 2) (table 3 funcref) (global $g (mut i64) (i64.const -3))
      (data (i32.const 8) "hello") (data "later") (elem (i32.const 1) $f $main)
      (func $f (param i32) (result i32 i64)
        (block $b (result i32) (br_table $b $b (i32.const 3) (local.get 0))) (i64.const 5))
      (func $main (export "main") (result i32)
        (global.set $g (i64.add (global.get $g) (i64.load (i32.const 4))))
        (drop (call $log (i32.const 8) (i32.const 5)))
        (loop (br_if 0 (i32.eqz (memory.grow (i32.const 1)))))
        (drop (call_indirect (param i32) (result i32 i64) (i32.const 1) (i32.const 1)))))""")
)


def test_numbers_are_read_as_the_format_has_them() -> None:
    assert Reader(bytes([0xE5, 0x8E, 0x26])).u32() == 624485
    assert Reader(bytes([0x80, 0x7F])).signed(32) == -128
    assert Reader(bytes([0x7F])).signed(64) == -1
    with pytest.raises(ModuleError):
        Reader(bytes([0x80] * 6)).u32()


def test_names_come_from_the_name_section_or_exports() -> None:
    module = read(RICH)
    assert [module.function_name(index) for index in range(3)] == ["log", "f", "main"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_modules_are_refused_or_translated_but_never_crash(data: st.DataObject) -> None:
    damaged = bytearray(RICH)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(8, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(8, len(damaged)))
    with contextlib.suppress(ModuleError):
        translate(read(bytes(damaged[:cut])), stack_check=False)


def test_an_export_of_a_function_that_is_not_there_is_refused() -> None:
    place = RICH.index(b"\x04main\x00") + 6
    damaged = RICH[:place] + b"\x09" + RICH[place + 1 :]
    with pytest.raises(ModuleError, match="malformed"):
        translate(read(damaged), stack_check=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('(module (func (export "main") (local v128)))', "SIMD"),
        ('(module (memory i64 1) (func (export "main")))', "memory64"),
        ('(module (memory 1 1 shared) (func (export "main")))', "threads"),
        ('(module (memory 1) (memory 1) (func (export "main")))', "multiple memories"),
        ('(module (tag) (func (export "main")))', "exceptions"),
        ('(module (func $f (export "main") (return_call $f)))', "tail call"),
        (
            '(module (import "env" "foo" (func)) (func (export "main")))',
            "imports env.foo, which no target has",
        ),
        ('(module (import "mma" "log" (func)) (func (export "main")))', "imports mma.log as () -> ()"),
        (
            '(module (import "mma" "memory" (memory 1)) (func (export "main")))',
            "imports the memory mma.memory",
        ),
        ("(module)", "exports no main"),
        ('(module (memory (export "main") 1))', "exports main, but as a memory"),
        ('(module (func (export "main") (param i32)))', "main is (i32) -> ()"),
        ('(module (func (export "main") (result i32) (i64.const 1)))', "type mismatch"),
    ],
)
def test_what_no_target_has_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ModuleError) as caught:
        aot.validate(bytes(wasmtime.wat2wasm(text)))
    assert words in str(caught.value)


def test_what_is_no_module_is_refused() -> None:
    for garbage in (b"", b"\x7fELF", b"\0asm\1\0\0\0\3", b"\0asm\x0d\0\1\0"):
        with pytest.raises(ModuleError):
            aot.validate(garbage)


def test_a_good_module_passes() -> None:
    aot.validate(RICH)
