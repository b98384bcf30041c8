"""A whole module to one C file, to be compiled with firmware/sdk/executor/."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hal.aot import checks, imports, wasi
from hal.aot.binary import Module, Segment
from hal.aot.function import FunctionWriter
from hal.aot.instructions import MEMORY_INIT, TABLE_INIT, Instruction, decode
from hal.aot.shared import C_TYPES, Shared
from hal.errors import ModuleError

FLOATS = ("f32", "f64")

HOSTS: Mapping[tuple[str, str], str] = {
    **{(imports.MODULE, name): f"mma_host_{name}" for name in imports.FUNCTIONS},
    **wasi.HOSTS,
}


@dataclass(frozen=True, slots=True)
class Harness:
    """How tests on the gateway reach into a module: every exported function gets
    `void mma_export_N(u64 *values)`, arguments in and results out, and no entry is needed.

    `hosts` are the C functions behind imports, `prelude` is C that defines them. With a `script`, C that has
    `u32 mma_script(void)`, the executor runs that in place of an entry; what it returns is the exit status,
    and only exports that it names are there.
    """

    hosts: Mapping[tuple[str, str], str]
    prelude: str
    script: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """The C of a module and what was learnt on the way."""

    c: str
    functions: tuple[str, ...]
    """WebAssembly names by function index."""
    names: tuple[str, ...]
    """C names by function index."""
    calls: Mapping[int, frozenset[int]]
    """Which functions each one calls, or may through a table: one that is written may even hold itself."""
    entry: int | None
    """What mma_start calls, after the module's start function."""
    start: int | None
    least_memory: int
    declared_memory: int
    maximum_memory: int | None
    page_bytes: int
    grows: bool
    floats: bool
    """It may use floating point registers."""
    takes_arguments: bool
    rules: int
    segments: tuple[tuple[int, bytes], ...]
    shown: Mapping[str, str]
    """What a debugger is to show in the place of C names."""


def translate(
    module: Module, *, stack_check: bool, harness: Harness | None = None, checked: Sequence[str] = ()
) -> Translation:
    """Write C for a module. `checked` are exports that may be called while it waits. ModuleError for what no
    target has, and for what names what it does not have."""
    try:
        return _translate(module, stack_check, harness, checked)
    except IndexError as error:  # nothing here may crash, even on what wasmtime would have refused
        raise ModuleError(f"The module is malformed: {error}.") from error


def _translate(
    module: Module, stack_check: bool, harness: Harness | None, checked: Sequence[str]
) -> Translation:
    called = checks.exports(module, checked)
    entry = _entry(module) if harness else imports.entry(module)
    if len(module.memories) > 1:
        raise ModuleError("The module has several memories; targets have one.")
    bodies = [decode(module, code) for code in module.codes]
    hosts = harness.hosts if harness else {**HOSTS, **(checks.HOSTS if called else {})}
    shared = Shared(module, bodies, hosts, checks.wait_index(module) if called else None)
    writers = [
        FunctionWriter(shared, index, code, body)
        for index, (code, body) in enumerate(zip(module.codes, bodies, strict=True), shared.imported)
    ]
    functions = [writer.write() for writer in writers]
    used = _used_segments(bodies)
    tail = [_export(shared, index) for index in _exported(module)] if harness else []
    if harness and harness.script:
        tail = [f"static {one}" for one in tail]
        tail += [harness.script, _start(shared, "mma_script()")]
    else:
        if called:
            tail.append(checks.check_function([shared.call(index, []) for index in called]))
        tail.append(_start(shared, _entry_call(shared, entry), "mma_check_begin();" if called else ""))
    segments = _segments(shared, used)
    references = _references(shared)  # after all that refers
    if called and shared.least < checks.LINE:
        raise ModuleError(
            f"The task is to be checked, and its module has less than {checks.LINE} bytes to answer in.",
            remedy="Give it a memory.",
        )
    limits = module.memories[0] if module.memories else None
    maximum = limits.maximum * limits.page if limits and limits.maximum is not None else None
    text = "\n".join((*functions, *tail, *_globals(shared)))
    floats = bool(re.search(r"^(?!#line).*\b(float|double)\b", text, re.MULTILINE))
    head = [
        f"#define MMA_PAGE {shared.page}u",
        f"#define MMA_DECLARED {shared.declared}ull",
        f"#define MMA_LEAST {shared.least}u",
        f"#define MMA_MAXIMUM {1 << 32 if maximum is None else maximum}ull",
        f"#define MMA_GROWS {int(shared.grows)}",
        f"#define MMA_STACK_CHECK {int(stack_check)}",
        f"#define MMA_FLOATS {int(floats)}",
        '#include "executor.h"',
        '#include "checks.h"' if called else "",
        *(('#include "wasi.h"', *wasi.absent(module)) if wasi.used(module) and not harness else ()),
        "#define HIDDEN __attribute__((nodebug))",
        harness.prelude if harness else "",
    ]
    structs = [
        f"typedef struct {{ {' '.join(f'{kind} a{n};' for n, kind in enumerate(kinds))} }} {name};"
        for kinds, name in shared.structs.items()
    ]
    prototypes = [f"{shared.prototype(one.index, one.notes.parameters())};" for one in writers]
    parts = (
        head,
        shared.names.typedefs(),
        structs,
        prototypes,
        references,
        _globals(shared),
        _tables(shared),
        segments,
    )
    calls = {
        writer.index: frozenset(writer.calls | ({writer.index} if writer.indirect else set()))
        for writer in writers
    }
    names = [shared.name(index) for index in range(len(module.functions))]
    if shared.calling is not None:  # it stands for what it calls, and has a frame
        calls[shared.calling] = frozenset(called)
        names[shared.calling] = checks.HOSTS[imports.MODULE, checks.WAIT]
    c = "\n".join("\n".join(part) for part in (*parts, functions, ['#line 1 "module.c"'], tail)) + "\n"
    return Translation(
        c=c,
        functions=tuple(module.function_name(index) for index in range(len(module.functions))),
        names=tuple(names),
        calls=calls,
        entry=entry,
        start=module.start,
        least_memory=shared.least,
        declared_memory=shared.declared,
        maximum_memory=maximum,
        page_bytes=shared.page,
        grows=shared.grows,
        floats=floats,
        takes_arguments=bool(harness and harness.script)
        or wasi.takes_arguments(module)
        or any(one.name in ("arg", "arg_count") for one in module.imported),
        rules=imports.RULES if called else imports.rules(module),
        segments=tuple(shared.data),
        shown=shared.names.shown,
    )


def _used_segments(bodies: list[list[Instruction]]) -> tuple[set[int], set[int]]:
    """Data and element segments that memory.init and table.init name."""
    data: set[int] = set()
    elements: set[int] = set()
    for body in bodies:
        for instruction in body:
            if instruction.code == MEMORY_INIT:
                data.add(instruction.a)
            elif instruction.code == TABLE_INIT:
                elements.add(instruction.a)
    return data, elements


def _entry(module: Module) -> int | None:
    """A harness starts an entry where there is one."""
    try:
        return imports.entry(module)
    except ModuleError:
        return None


def _exported(module: Module) -> list[int]:
    return sorted({index for kind, index in module.exports.values() if kind == "func"})


def _globals(shared: Shared) -> list[str]:
    lines = []
    for index in sorted(shared.written_globals):
        kind = shared.module.globals[index].type
        bits = shared.evaluate(shared.module.globals[index].start)
        if kind in FLOATS:
            wide = "u64" if kind == "f64" else "u32"
            start = f"__builtin_bit_cast({C_TYPES[kind]}, ({wide}){bits}ull)"
        else:
            start = f"{bits}ull"
        lines.append(f"static {C_TYPES[kind]} g{index} = {start};")
    return lines


def _references(shared: Shared) -> list[str]:
    """The functions that references name, and their types' numbers. Called last: writing finds more."""
    if not shared.module.tables and not shared.references:
        return []
    functions = ["0", *(_pointer(shared, index) for index in shared.references)]
    kinds = ["0", *(str(shared.type_number(shared.module.signature(index))) for index in shared.references)]
    wide = "u8" if len(shared.used_types) < 256 else "u16"
    return [
        f"__attribute__((unused)) static const mma_function mma_functions[] = {{{', '.join(functions)}}};",
        f"__attribute__((unused)) static const {wide} mma_signatures[] = {{{', '.join(kinds)}}};",
    ]


def _pointer(shared: Shared, index: int) -> str:
    if index < shared.imported:
        return f"(mma_function){shared.host(index)}"
    return f"(mma_function){shared.name(index)}"


def _tables(shared: Shared) -> list[str]:
    lines = []
    functions = {number: index for index, number in shared.references.items()}
    for number, (table, items) in enumerate(zip(shared.module.tables, shared.tables, strict=True)):
        minimum = table.limits.minimum
        written = number in shared.written_tables
        grown = number in shared.grown_tables
        wide = "u16" if table.type == "funcref" else "u32"
        size = max(1, shared.capacity(number) if written else len(items))
        text = ", ".join(map(str, items)) or "0"
        lines.append(f"#define T{number}_COUNT {f'T{number}_count' if grown else f'{minimum}u'}")
        lines.append(f"#define T{number}_FILLED {f'T{number}_COUNT' if written else f'{len(items)}u'}")
        if not written and shared.uniform(number) is not None and items:
            code = ", ".join(_pointer(shared, functions[item]) for item in items)
            lines.append(f"__attribute__((unused)) static const mma_function T{number}_code[] = {{{code}}};")
            continue
        constant = "" if written else "const "
        lines.append(f"__attribute__((unused)) static {constant}{wide} T{number}[{size}] = {{{text}}};")
        if grown:
            lines += [
                f"static u32 T{number}_count = {minimum}u;",
                f"static u32 T{number}_grow(u32 value, u32 count) {{",
                f"    u32 old = T{number}_count;",
                f"    if (count > {shared.capacity(number)}u - old) return (u32)-1;",
                f"    while (count--) T{number}[T{number}_count++] = value;",
                "    return old;",
                "}",
            ]
    return lines


def _segments(shared: Shared, used: tuple[set[int], set[int]]) -> list[str]:
    """Contents of segments for memory.init and table.init, and the sizes that drops make zero."""
    lines = []
    for number, segment in enumerate(shared.module.segments):
        data = segment.data if segment.mode == "passive" and number in used[0] else b""
        bytes_ = ", ".join(map(str, data)) or "0"
        lines.append(f"__attribute__((unused)) static const u8 D{number}[] = {{{bytes_}}};")
        lines.append(f"__attribute__((unused)) static u32 D{number}_bytes = {len(data)}u;")
    for number, segment in enumerate(shared.module.elements):
        items = _items(shared, segment) if number in used[1] else []
        text = ", ".join(map(str, items)) or "0"
        lines.append(f"__attribute__((unused)) static const u16 E{number}[] = {{{text}}};")
        lines.append(f"__attribute__((unused)) static u32 E{number}_count = {len(items)}u;")
    return lines


def _items(shared: Shared, segment: Segment) -> list[int]:
    return [shared.evaluate(item) for item in segment.items] if segment.mode == "passive" else []


def _entry_call(shared: Shared, entry: int | None) -> str:
    """What the entry returns, if anything, is the exit status."""
    if entry is None:
        return "0"
    call = shared.call(entry, [])
    return call if shared.module.signature(entry).results else f"({call}, 0)"


def _start(shared: Shared, status: str, before: str = "") -> str:
    """Where the kernel begins: the start function, then what gives the exit status."""
    lines = [before] if before else []
    lines += [f"{shared.call(shared.module.start, [])};"] if shared.module.start is not None else []
    end = "mma_wasi_proc_exit" if wasi.used(shared.module) else "mma_host_exit"
    lines.append(f"{end}({status});")
    body = "\n    ".join(lines)
    return f"__attribute__((noreturn)) HIDDEN void mma_start(void) {{\n    {body}\n}}"


def _export(shared: Shared, index: int) -> str:
    """A way to call one function with its values in an array, for tests on the gateway's own CPU."""
    signature = shared.module.signature(index)
    arguments = [
        f"mma_{kind}((u{kind[1:]})values[{number}])"
        if kind in FLOATS
        else f"({C_TYPES[kind]})values[{number}]"
        for number, kind in enumerate(signature.parameters)
    ]
    call = shared.call(index, arguments)
    if not signature.results:
        lines = [f"{call};"]
    else:
        many = len(signature.results) > 1
        lines = [f"{shared.result_type(signature)} out = {call};"]
        for number, kind in enumerate(signature.results):
            value = f"out.a{number}" if many else "out"
            if kind in FLOATS:
                value = f"mma_i{kind[1:]}_from_{kind}({value})"
            lines.append(f"values[{number}] = {value};")
    body = "\n    ".join(lines)
    return f"void mma_export_{index}(u64 *values) {{\n    {body}\n}}"
