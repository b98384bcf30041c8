"""What of the test scripts can't pass on a board, by name, and why: it is not played there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """Lines of one script."""

    why: str
    lines: frozenset[int]


def _at(why: str, *lines: int | range) -> Known:
    spread = (line if isinstance(line, range) else [line] for line in lines)
    return Known(why, frozenset(number for part in spread for number in part))


PARTIAL = "an executor ends with its trap, so nobody sees what it stored before"
ROOM = "it grows to more memory than the board has"
IMPORTS = "modules that import from each other"
TABLE = "a table without a maximum grows by at most 64 elements"
PAST = "what it looks at is to be written by a call that ends past the board's memory"
CUT = "what it depends on was cut from its module, see trim.py"

OFFICIAL = "testsuite"

ON_BOARDS = {
    ("spec", "bounds"): _at(PARTIAL, 59, 61, 68, 72),
    ("spec", "memory"): _at(ROOM, range(65, 75)),
    (OFFICIAL, "block"): _at(ROOM, 384),
    (OFFICIAL, "call"): _at(ROOM, 359),
    (OFFICIAL, "call_indirect"): _at(ROOM, 603),
    (OFFICIAL, "elem"): _at(IMPORTS, 959, 960, 972, 973, 974, 1029),
    (OFFICIAL, "global"): _at(ROOM, 268),
    (OFFICIAL, "if"): _at(ROOM, 601),
    (OFFICIAL, "imports"): _at(ROOM, 667, 668, 670),
    (OFFICIAL, "linking0"): _at(IMPORTS, 42),
    (OFFICIAL, "linking3"): _at(IMPORTS, 82, 83),
    (OFFICIAL, "load1"): _at(IMPORTS, range(25, 30)),
    (OFFICIAL, "local_tee"): _at(ROOM, 345),
    (OFFICIAL, "loop"): _at(ROOM, 468),
    (OFFICIAL, "memory_size"): _at(ROOM, 11, 13, 23, 25, 27, 45, 55, 57, 59, 61, 63),
    (OFFICIAL, "nop"): _at(ROOM, 381, 382),
    (OFFICIAL, "ref_is_null"): _at(CUT, 66, 67),
    (OFFICIAL, "select"): _at(ROOM, 330, 331),
    (OFFICIAL, "table_grow"): _at(TABLE, 65),
}
"""By folder and name of the script: on every board."""

_SHORT = """address align br_table bulk call call_indirect left-to-right memory memory_copy memory_fill
    memory_init memory_trap"""

SMALL = ("microbit", "hifive1")
"""Boards with 16 KB of RAM, of which a module has some 11."""

ON_SMALL = {
    ("spec", "memory"): _at(ROOM, 115, 116),
    (OFFICIAL, "memory_copy"): _at(PAST, range(4857, 4862), range(5117, 5579)),
    (OFFICIAL, "memory_fill"): _at(PAST, 140),
    (OFFICIAL, "memory_size"): _at(ROOM, 9, 39, 41, 43),
}
"""By folder and name of the script: on these boards besides."""

NOT_SMALL = {"skip-stack-guard-page": "frames larger than their stacks"}
"""Official scripts that are not played there at all."""

SHORT = {
    ("spec", "bounds"),
    ("spec", "memory"),
    *((OFFICIAL, name) for name in _SHORT.split()),
}
"""Scripts some of whose steps touch memory that these boards have not, or call deeper than their stack: the
steps end with that trap, which is told apart from those of the specification."""


def known_lines(board: str, folder: str, name: str) -> frozenset[int]:
    """Lines of a script that are not played on a board."""
    found = [ON_BOARDS.get((folder, name))]
    if board in SMALL:
        found.append(ON_SMALL.get((folder, name)))
    return frozenset(line for one in found if one for line in one.lines)


PARTLY = {
    "array": "garbage collection",
    "array_init_data": "garbage collection",
    "array_init_elem": "garbage collection",
    "br_table": "typed references",
    "data": "offsets by an imported global",
    "data1": "several memories",
    "elem": "typed references, offsets by an imported global, tables of other modules",
    "exports": "reads of globals from outside",
    "global": "constants by an earlier global, and tables with a start value",
    "imports": IMPORTS,
    "imports2": "several memories",
    "linking0": "several memories",
    "linking3": IMPORTS,
    "load1": "several memories",
    "ref_is_null": "typed references",
    "ref_null": "garbage collection",
    "store1": "several memories",
    "table": "tables with a start value",
    "table_grow": IMPORTS,
    "table_init": "garbage collection",
    "type-equivalence": "recursive types",
    "unreached-valid": "typed references",
}
"""Official scripts some of whose modules no target takes, by what those modules use."""

_LEFT_OUT = {
    "typed function references": """br_on_non_null br_on_null call_ref local_init ref
        ref_as_non_null return_call_ref table-sub""",
    "garbage collection": """array_copy array_fill array_new_data
        array_new_elem br_on_cast br_on_cast_fail extern i31 ref_cast ref_eq ref_test struct
        type-canon type-rec type-subtyping""",
    "several memories": """address0 address1 align0 binary0 data0 data_drop0 exports0 float_exprs0
        float_exprs1 float_memory0 imports0 imports1 imports3 imports4 instance linking1 linking2
        load0 load2 memory-multi memory_copy0 memory_copy1 memory_fill0 memory_grow memory_init0
        memory_size0 memory_size1 memory_size2 memory_size_import memory_trap0 memory_trap1 start0 store0
        store2 traps0""",
    "64-bit memories": """address64 align64 binary_leb128_64 bulk64 call_indirect64 endianness64
        float_memory64 load64 memory64 memory64-imports memory_copy64 memory_fill64 memory_grow64
        memory_init64 memory_redundancy64 memory_trap64 table64 table_copy64 table_copy_mixed table_fill64
        table_get64 table_grow64 table_init64 table_set64 table_size64""",
    "vectors": """i16x8_relaxed_q15mulr_s i32x4_relaxed_trunc i8x16_relaxed_swizzle relaxed_dot_product
        relaxed_laneselect relaxed_madd_nmadd relaxed_min_max""",
    "tail calls": "return_call return_call_indirect",
    "exceptions": "tag throw throw_ref try_table",
    IMPORTS: "linking",
}
LEFT_OUT = {name: why for why, names in _LEFT_OUT.items() for name in names.split()}
"""Official scripts that are not played at all, by what their modules use."""

TWINS = {"linking", "memory_copy64", "table_copy64", "table_init64"}
"""Those of them that have modules which could be played: other scripts have the same, or sharing is their
point."""


def left_out(name: str) -> str:
    """Why an official script is not played on a board; empty if it is."""
    return "vectors" if name.startswith("simd_") else LEFT_OUT.get(name, "")
