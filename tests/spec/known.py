"""What of the test scripts can't pass on a board, by name, and why: it is not played there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """Lines of one script."""

    why: str
    lines: frozenset[int]


PARTIAL = "an executor ends with its trap, so nobody sees what it stored before"
ROOM = "it grows to more memory than the board has"
IMPORTS = "modules that import from each other"
TABLE = "a table without a maximum grows by at most 64 elements"

OFFICIAL = "testsuite"

ON_BOARDS = {
    ("spec", "bounds"): Known(PARTIAL, frozenset({59, 61, 68, 72})),
    ("spec", "memory"): Known(ROOM, frozenset({65, 66, 67, 68, 69, 70, 71, 72, 73, 74})),
    (OFFICIAL, "block"): Known(ROOM, frozenset({384})),
    (OFFICIAL, "call"): Known(ROOM, frozenset({359})),
    (OFFICIAL, "call_indirect"): Known(ROOM, frozenset({603})),
    (OFFICIAL, "elem"): Known(IMPORTS, frozenset({959, 960, 972, 973, 974, 1029})),
    (OFFICIAL, "if"): Known(ROOM, frozenset({601})),
    (OFFICIAL, "local_tee"): Known(ROOM, frozenset({345})),
    (OFFICIAL, "loop"): Known(ROOM, frozenset({468})),
    (OFFICIAL, "memory_size"): Known(ROOM, frozenset({11, 13, 23, 25, 27, 45, 55, 57, 59, 61, 63})),
    (OFFICIAL, "nop"): Known(ROOM, frozenset({381, 382})),
    (OFFICIAL, "select"): Known(ROOM, frozenset({330, 331})),
    (OFFICIAL, "table_grow"): Known(TABLE, frozenset({65})),
}
"""By folder and name of the script."""

PARTLY = {
    "data": "modules that import a memory or a global",
    "elem": "modules that import a table, or with typed references",
    "exports": "reads of globals from outside",
    "imports": IMPORTS,
    "names": "a module that our reader of texts refuses, for its confusing characters",
    "store1": "several memories",
    "table_copy": IMPORTS,
    "table_grow": IMPORTS,
    "table_init": IMPORTS,
    "type-equivalence": "recursive types",
    "unreached-valid": "typed references",
}
"""Official scripts some of whose modules no target takes, by what those modules use."""

_LEFT_OUT = {
    "typed function references": """br_on_non_null br_on_null br_table call_ref local_init ref
        ref_as_non_null ref_is_null return_call_ref table table-sub""",
    "garbage collection": """array array_copy array_fill array_init_data array_init_elem array_new_data
        array_new_elem br_on_cast br_on_cast_fail extern i31 ref_cast ref_eq ref_null ref_test struct
        type-canon type-rec type-subtyping""",
    "several memories": """address0 address1 align0 binary0 data0 data1 data_drop0 exports0 float_exprs0
        float_exprs1 float_memory0 imports0 imports1 imports2 imports3 imports4 instance linking1 linking2
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
    IMPORTS: "global linking linking0 linking3 load1 ref_func",
}
LEFT_OUT = {name: why for why, names in _LEFT_OUT.items() for name in names.split()}
"""Official scripts that are not played at all, by what their modules use."""


def left_out(name: str) -> str:
    """Why an official script is not played on a board; empty if it is."""
    return "vectors" if name.startswith("simd_") else LEFT_OUT.get(name, "")
