"""Small modules that would cost the gateway much time or memory are refused, or cost little."""

from __future__ import annotations

import time

import pytest
from wasmtime import wat2wasm

from hal import toolchain
from hal.aot import limits, validate
from hal.aot.binary import read
from hal.aot.lines import read_lines
from hal.aot.translate import translate
from hal.errors import ModuleError, ToolchainError


def module(*, declared: str = "", body: str = "", fields: str = "") -> bytes:
    return bytes(wat2wasm(f'(module {fields} (func (export "main") {declared} {body}))'))


@pytest.mark.parametrize(
    ("what", "binary"),
    [
        ("bytes of code", module(body="(drop (i32.const 1))" * (limits.MOST_CODE // 3))),
        ("functions", module(fields="(func)" * limits.MOST_ITEMS)),
        ("globals", module(fields="(global i32 (i32.const 0))" * (limits.MOST_ITEMS + 1))),
        (
            "elements in its segments",
            module(fields=f"(func $f) (elem func {'$f ' * (limits.MOST_ELEMENTS + 1)})"),
        ),
        (
            "bytes of data",
            module(fields=f'(memory 99) (data (i32.const 0) "{"x" * (limits.MOST_DATA + 1)}")'),
        ),
    ],
)
def test_too_much_is_refused_by_name(what: str, binary: bytes) -> None:
    with pytest.raises(ModuleError, match=f"{what}; targets take at most"):
        validate(binary)


def test_locals_are_counted_over_all_functions() -> None:
    """A few bytes declare 50,000, in each of any number of functions; the validator lets that pass."""
    binary = module(fields=f"(func (local {'i32 ' * 30_000}))" * 2)
    with pytest.raises(ModuleError, match="60000 locals"):
        read(binary)


def test_locals_that_nobody_uses_are_not_in_the_c() -> None:
    """clang took more than a minute for 49,000 of them, found by tests/campaigns/modules.py."""
    binary = module(declared=f"(local {'i32 ' * 40_000})", body="(local.set 7 (i32.const 1))")
    c = translate(read(binary), stack_check=False).c
    assert "l7 = 0;" in c
    assert "l8" not in c
    assert len(c) < 10_000


def test_names_of_exports_are_found_at_once() -> None:
    """Looking through all exports for each call was quadratic."""
    fields = "".join(f'(func $f{n} (export "f{n}"))' for n in range(4000))
    parsed = read(module(fields=fields, body="(call $f3999)" * 4000))
    begin = time.process_time()
    assert {parsed.function_name(3999) for _ in range(100_000)} == {"f3999"}
    assert time.process_time() - begin < 5, "it took minutes"


def test_debug_information_beyond_reason_is_left_out() -> None:
    assert (
        read_lines(module() + _custom(".debug_info", 8) + _custom(".debug_line", limits.MOST_DEBUG)).spots
        == ()
    )


def test_patience_ends() -> None:
    limits.Patience().check()
    with pytest.raises(TimeoutError):
        limits.Patience(-1).check()


def _custom(name: str, size: int) -> bytes:
    body = bytes([len(name)]) + name.encode() + bytes(size)
    length = bytes((len(body) >> shift) & 0x7F | (0x80 if shift < 28 else 0) for shift in range(0, 35, 7))
    return b"\0" + length + body


def test_clang_has_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["clang", "--target=thumbv7em-none-eabi", "-x", "c", "-c", "-o", "/dev/null", "-"]
    assert toolchain.run(words, text="int x;").ok
    monkeypatch.setattr(toolchain, "MEMORY_LIMIT", 16 << 20)
    with pytest.raises(ToolchainError, match=r"more memory|failed"):
        toolchain.must(words, text="int x;")
