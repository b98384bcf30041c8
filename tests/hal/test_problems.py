"""What compilers write, taken apart: clang's ranges, zig's lines, hints, a linker's words without a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from hal.errors import ModuleError
from hal.guest import build
from hal.problems import Problem, listed, parse

CLANG = """\
In file included from a.c:1:
a.c:4:20:{4:20-4:21}{4:15-4:23}: warning: format specifies type 'char *' [-Wformat]
a.c:5:12:{5:12-5:19}: error: use of undeclared identifier 'nothing'
a.c:6:22: error: call to undeclared function 'mma_foo'
a.c:6:22: note: did you mean 'mma_log'?
/sdk/mma.h:26:27: note: 'mma_log' declared here
a.c:1:10: fatal error: 'none.h' file not found
3 errors generated.
"""


def test_clangs_lines() -> None:
    assert parse(CLANG) == (
        Problem("a.c", 4, 20, "warning", "format specifies type 'char *' [-Wformat]", 21),
        Problem("a.c", 5, 12, "error", "use of undeclared identifier 'nothing'", 19),
        Problem("a.c", 6, 22, "error", "call to undeclared function 'mma_foo'; did you mean 'mma_log'?"),
        Problem("a.c", 1, 10, "error", "'none.h' file not found"),
    )


def test_a_list_for_a_person_has_errors_only_and_an_end() -> None:
    many = [Problem("a.c", n, 1, "error", "wrong") for n in range(1, 8)]
    lines = listed([Problem("a.c", 9, 9, "warning", "odd"), *many]).splitlines()
    assert lines[0] == "a.c:1:1: error: wrong"
    assert lines[-1] == "... and 2 more errors"


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.c", "int main(void) {\n  return x;\n}\n", (2, 10, 0)),
        ("a.zig", "export fn main() i32 {\n    return x;\n}\n", (2, 12, 0)),
        ("a.zig", "export fn main() i32 {\n    const n: i32 = 1.5;\n    return n;\n}\n", (2, 20, 0)),
        ("a.wat", "(module\n  (func i32.addd))", (2, 9, 0)),
        ("a.c", '#include "mma.h"\nvoid f(void);\nint main(void) { f(); return 0; }', (0, 0, 0)),
    ],
)
def test_every_compiler_says_where(name: str, text: str, place: tuple[int, int, int], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ModuleError) as caught:
        build(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.end) == place
    assert problem.path == str(path)
    assert str(caught.value) == str(problem)


def test_warnings_come_with_the_module(tmp_path: Path) -> None:
    path = tmp_path / "a.c"
    path.write_text('#include "mma.h"\nint main(void) {\n    int unused;\n    return 0;\n}\n')
    built = build(path)
    assert built.module[:4] == b"\0asm"
    assert [(one.line, one.severity) for one in built.warnings] == [(3, "warning")]
