"""Sources to modules: C with mma.h, text, and what the compilers say of bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from hal import aot, toolchain
from hal.aot.binary import read
from hal.errors import ModuleError, ToolchainError
from hal.guest import build_module

EXAMPLES = sorted((toolchain.sdk() / "examples").glob("*.c"))


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_module_of_few_bytes(source: Path) -> None:
    module = build_module(source)
    aot.validate(module)
    (memory,) = read(module).memories
    assert memory.page == 1
    assert memory.minimum < 4096
    assert read(module).function_name(read(module).exports["main"][1]) == "main"


def test_examples_are_the_promised_ones() -> None:
    names = {path.stem for path in EXAMPLES}
    assert {"hello", "fib", "crc32", "blink", "filter", "trap", "oob", "spin"} <= names
    assert {"button", "thermostat", "fade"} <= names


def test_contents_need_no_name() -> None:
    text = b';; a comment\n(; and\n another ;) (module (func (export "main")))'
    assert build_module(text) == bytes(wasmtime.wat2wasm(text))
    assert build_module(build_module(text)) == build_module(text)
    assert (
        build_module(b'int x; __attribute__((export_name("main"))) int f(void) { return 3; }')[:4] == b"\0asm"
    )


def test_wasm_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "one.wasm"
    path.write_bytes(b"\0asm\1\0\0\0")
    assert build_module(path) == b"\0asm\1\0\0\0"
    path.write_bytes(b"none")
    with pytest.raises(ModuleError, match="not WebAssembly"):
        build_module(path)


def test_errors_in_c_come_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad one.c"
    path.write_text('#include "mma.h"\n\nint main(void) {\n    return nothing;\n}\n')
    with pytest.raises(ModuleError) as caught:
        build_module(path)
    assert f"{path}:4:12: error: use of undeclared identifier 'nothing'" in str(caught.value)


def test_many_errors_are_cut() -> None:
    with pytest.raises(ModuleError) as caught:
        build_module(b"int main(void) { return " + b"+".join(b"x%d" % n for n in range(9)) + b"; }")
    assert str(caught.value).splitlines()[-1] == "... and 4 more errors"


def test_errors_in_text_come_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "bad.wat"
    path.write_text("(module\n  (func i32.addd))")
    with pytest.raises(ModuleError, match=r"bad\.wat:2:9: error: unknown operator"):
        build_module(path)


def test_functions_that_nobody_has_are_named() -> None:
    with pytest.raises(ModuleError, match="undefined symbol: launch"):
        build_module(b'#include "mma.h"\nvoid launch(void);\nint main(void) { launch(); return 0; }')


def test_headers_lie_beside_the_source(tmp_path: Path) -> None:
    (tmp_path / "answer.h").write_text("#define ANSWER 42\n")
    path = tmp_path / "uses.c"
    path.write_text('#include "mma.h"\n#include "answer.h"\nint main(void) { return ANSWER; }\n')
    aot.validate(build_module(path))


def test_the_stack_is_as_asked() -> None:
    source = b'#include "mma.h"\nint main(void) { mma_logf("%d", 1); return 0; }'
    small, large = (read(build_module(source, stack=size)).memories[0].minimum for size in (256, 1024))
    assert large - small == 768
    with pytest.raises(ModuleError, match="makes no sense"):
        build_module(source, stack=0)


def test_a_library_that_c_takes_for_granted_is_there() -> None:
    source = b"""#include "mma.h"
        struct big { char bytes[300]; };
        __attribute__((noinline)) struct big copy(const struct big *from) { return *from; }
        int main(void) {
            char *(*volatile copier)(void *, const void *, size_t) = (void *)memcpy;
            static struct big a, b;
            b = copy(&a);
            copier(a.bytes, b.bytes, sizeof a);
            memmove(a.bytes + 1, a.bytes, 20);
            memset(&b, 1, sizeof b);
            return memcmp(&a, &b, sizeof a) + (int)strlen("four");
        }"""
    aot.validate(build_module(source, stack=1024))
    for feature in ("-mcpu=mvp", "-mcpu=generic"):
        aot.validate(build_module(source, stack=1024, flags=(feature,)))


def test_a_missing_compiler_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain.zig.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolchainError, match="pip install"):
        build_module(b"int main;", kind="c")
    monkeypatch.undo()
    toolchain.zig.cache_clear()


def test_a_tool_that_takes_too_long_is_stopped() -> None:
    doubling = "".join(f"#define A{n} A{n - 1} A{n - 1}\n" for n in range(1, 30)) + "A29\n"
    with pytest.raises(ToolchainError, match="longer than"):
        toolchain.run(["clang", "-E", "-x", "c", "-", "-o", "/dev/null"], text=doubling, time_limit=0.2)


def test_formats_are_right() -> None:
    lines: list[bytes] = []
    source = b"""#include "mma.h"
        int main(void) {
            char small[5];
            mma_logf("%d %d %u %x", -2147483647 - 1, 7, 4294967295u, 0xbeefu);
            mma_logf("[%5d] [%05d] [%05d] [%08x] [%3s]", -42, 42, -42, 0x1fu, "ab");
            mma_logf("%c%% %s", 'z', "text");
            mma_log(small, mma_format(small, sizeof small, "%s", "longer"));
            return 0;
        }"""
    module = build_module(source, flags=("-Wno-format",))
    config = wasmtime.Config()
    config.wasm_custom_page_sizes = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    linker = wasmtime.Linker(engine)
    i32 = wasmtime.ValType.i32()

    def log(caller: wasmtime.Caller, place: int, length: int) -> int:
        memory = caller["memory"]
        assert isinstance(memory, wasmtime.Memory)
        lines.append(bytes(memory.read(caller, place, place + length)))
        return 0

    linker.define_func("mma", "log", wasmtime.FuncType([i32, i32], [i32]), log, access_caller=True)
    main = linker.instantiate(store, wasmtime.Module(engine, module)).exports(store)["main"]
    assert isinstance(main, wasmtime.Func)
    assert main(store) == 0
    assert lines == [
        b"-2147483648 7 4294967295 beef",
        b"[  -42] [00042] [-0042] [0000001f] [ ab]",
        b"z% text",
        b"long",
    ]
