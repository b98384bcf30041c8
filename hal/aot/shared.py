"""What the functions of one module have in common when written as C: names, globals, tables, segments.

Guests' mutable state is C variables: the linker places them in the slot's memory part, above linear memory,
where no WASM address reaches. What is never written becomes constants beside the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hal.aot import debug, wasi
from hal.aot.annotate import Names
from hal.aot.binary import Constant, Module, Signature
from hal.aot.instructions import (
    GLOBAL_SET,
    MEMORY_GROW,
    TABLE_COPY,
    TABLE_FILL,
    TABLE_GET,
    TABLE_GROW,
    TABLE_INIT,
    TABLE_SET,
    Instruction,
)
from hal.aot.limits import MOST_ELEMENTS
from hal.aot.lines import read_lines
from hal.aot.ranges import Ranges
from hal.errors import ModuleError

C_TYPES = {"i32": "u32", "i64": "u64", "f32": "float", "f64": "double", "funcref": "u32", "externref": "u32"}
"""C types of values. A funcref is its place in mma_functions, 0 is null; no target makes externrefs."""

LETTERS = {"i32": "i", "i64": "l", "f32": "f", "f64": "d", "funcref": "r", "externref": "r"}

SURE = 256
"""Bytes of linear memory that every slot gives a module that declares as much: checks against constants
below it are one compare."""

GROWTH = 64
"""Elements that a table may grow by where its module names no smaller maximum: they are reserved in RAM."""

FEW = 4
"""Functions of one type in a table up to which a call through it compares rather than loads."""


class Shared:
    """Facts of the whole module, and the C text of references to its parts."""

    def __init__(
        self,
        module: Module,
        bodies: list[list[Instruction]],
        hosts: Mapping[tuple[str, str], str],
        calling: int | None = None,
    ) -> None:
        """`calling`: the imported function that may call the module's own, and so needs their stack."""
        self.calling = calling
        self.module = module
        self.imported = len(module.imported)
        self.hosts = hosts
        self.lines = read_lines(module.data)
        self._find_writes(bodies)
        self.structs: dict[tuple[str, ...], str] = {}
        self.references: dict[int, int] = {}
        self.used_types: dict[Signature, int] = {}
        self.tables = [self._initial_table(index) for index in range(len(module.tables))]
        self.page = module.memories[0].page if module.memories else 1
        self.declared = module.memories[0].minimum * self.page if module.memories else 0
        self.data = self._initial_data()
        self.least = self._least()
        self.debug = debug.read(module.customs, module.code_start)
        self.names = Names()
        self.ranges = Ranges(module, self._constants(), self.least)

    def _find_writes(self, bodies: list[list[Instruction]]) -> None:
        self.written_globals: set[int] = set()
        self.written_tables: set[int] = set()
        self.read_tables: set[int] = set()
        self.grown_tables: set[int] = set()
        self.grows = False
        for body in bodies:
            for instruction in body:
                code = instruction.code
                if code == GLOBAL_SET:
                    self.written_globals.add(instruction.a)
                elif code in (TABLE_SET, TABLE_FILL, TABLE_GROW):
                    self.written_tables.add(instruction.a)
                    if code == TABLE_GROW:
                        self.grown_tables.add(instruction.a)
                elif code == TABLE_INIT:
                    self.written_tables.add(instruction.b)
                elif code == TABLE_COPY:
                    self.written_tables.add(instruction.a)
                    self.read_tables.add(instruction.b)
                elif code == TABLE_GET:
                    self.read_tables.add(instruction.a)
                elif code == MEMORY_GROW:
                    self.grows = True

    # -- constants ---------------------------------------------------------------------------------

    def evaluate(self, constant: Constant | None) -> int:
        """A constant expression's value; function references are as `reference` numbers them."""
        stack: list[int] = []
        for what, operand in constant.steps if constant else ():
            if what == "const":
                stack.append(operand)
            elif what == "global":
                if operand >= len(self.module.globals):
                    raise ModuleError(
                        f"A constant of the module uses global {operand}, which it does not have."
                    )
                stack.append(self.evaluate(self.module.globals[operand].start))
            elif what == "func":
                stack.append(self.reference(operand))
            elif what == "null":
                stack.append(0)
            elif len(stack) >= 2:
                b, a = stack.pop(), stack.pop()
                value = a + b if what == "add" else a - b if what == "sub" else a * b
                stack.append(value & ((1 << operand) - 1))
        if len(stack) != 1:
            raise ModuleError("A constant of the module is malformed.")
        return stack[0]

    def constant_global(self, index: int) -> int | None:
        """The bits of a global that never changes; None if it may."""
        if index >= len(self.module.globals):
            raise ModuleError(f"The module uses global {index}, which it does not have.")
        return None if index in self.written_globals else self.evaluate(self.module.globals[index].start)

    def _constants(self) -> dict[int, int]:
        """The i32 globals that never change."""
        return {
            index: self.evaluate(one.start)
            for index, one in enumerate(self.module.globals)
            if one.type == "i32" and index not in self.written_globals
        }

    def _initial_data(self) -> list[tuple[int, bytes]]:
        out = []
        for number, segment in enumerate(self.module.segments):
            if segment.mode == "active":
                offset = self.evaluate(segment.offset)
                if offset + len(segment.data) > self.declared:
                    raise ModuleError(f"The module's data segment {number} ends outside its memory.")
                if segment.data:
                    out.append((offset, segment.data))
        return out

    def _least(self) -> int:
        """Bytes of linear memory without which the module isn't worth a slot."""
        if self.page == 1:
            return self.declared
        ends = [offset + len(data) for offset, data in self.data]
        what = self.module.exports.get("__heap_base")
        if what and what[0] == "global":
            ends.append(self.constant_global(what[1]) or 0)
        elif wasi.used(self.module):
            return self.declared  # a C library's data go on behind their initial values, nobody says how far
        return min(max([*ends, SURE]), self.declared)

    # -- functions ---------------------------------------------------------------------------------

    def name(self, index: int) -> str:
        """The C name of a function. Its index comes first: the linker's symbols lead back by it."""
        clean = re.sub(r"[^A-Za-z0-9_]", "_", self.module.function_name(index))[:60]
        return f"f{index}_{clean}"

    def result_type(self, signature: Signature) -> str:
        """C type of what a function returns; several results are a struct."""
        if not signature.results:
            return "void"
        if len(signature.results) == 1:
            return C_TYPES[signature.results[0]]
        name = "R" + "".join(LETTERS[kind] for kind in signature.results)
        self.structs[tuple(C_TYPES[kind] for kind in signature.results)] = name
        return name

    def prototype(self, index: int, parameters: list[str] | None = None) -> str:
        """`static u32 f3_name(u32 l0, float l1)`, with other declarations of its parameters if given."""
        signature = self.module.signature(index)
        kinds = [f"{C_TYPES[kind]} l{number}" for number, kind in enumerate(signature.parameters)]
        shown = ", ".join(kinds if parameters is None else parameters) or "void"
        return f"static {self.result_type(signature)} {self.name(index)}({shown})"

    def host(self, index: int) -> str:
        """The C function behind an imported one."""
        one = self.module.imported[index]
        if (one.module, one.name) not in self.hosts:
            raise ModuleError(f"The module imports {one.module}.{one.name}, which no target has.")
        return self.hosts[one.module, one.name]

    def call(self, index: int, arguments: list[str]) -> str:
        """A call of a function or host function."""
        name = self.host(index) if index < self.imported else self.name(index)
        return f"{name}({', '.join(arguments)})"

    def type_number(self, signature: Signature) -> int:
        """Small number of a function type, equal for equal types; 0 is no function."""
        return self.used_types.setdefault(signature, len(self.used_types) + 1)

    def reference(self, index: int) -> int:
        """The number of a function as a reference."""
        if index >= len(self.module.functions):
            raise ModuleError(f"The module refers to function {index}, which it does not have.")
        return self.references.setdefault(index, len(self.references) + 1)

    def candidates(self, type_index: int, table: int) -> dict[int, int] | None:
        """Functions that a call through a table may reach, by element, where the table never changes and they
        are few; otherwise None. Known callees can be inlined, and their stack is bounded."""
        if table >= len(self.tables):
            raise ModuleError(f"The module calls through table {table}, which it does not have.")
        if table in self.written_tables:
            return None
        functions = {number: index for index, number in self.references.items()}
        signature = self.module.types[type_index]
        found = {
            place: functions[item]
            for place, item in enumerate(self.tables[table])
            if item and self.module.signature(functions[item]) == signature
        }
        return found if len(found) <= FEW else None

    def call_indirect(self, type_index: int, table: int, index: str, arguments: list[str]) -> str:
        """A call through a table: bounds, null and type are checked, by the constants' own numbers where
        the table never changes."""
        known = self.candidates(type_index, table)
        signature = self.module.types[type_index]
        if known is not None:
            return self._call_known(signature, table, index, arguments, known)
        kinds = ", ".join(C_TYPES[kind] for kind in signature.parameters) or "void"
        wanted = self.type_number(signature)
        pointer = f"({self.result_type(signature)} (*)({kinds}))"
        one = self.uniform(table)
        if one is not None:
            check = f"mma_table_check({index}, 1u, T{table}_COUNT)"
            if one != signature:
                check += ", mma_signature_check(1u, 2u)"
            return f"({check}, ({pointer}T{table}_code[{index}])({', '.join(arguments)}))"
        slot = f"mma_indirect({index}, T{table}_COUNT, T{table}_FILLED, T{table}, {wanted}u)"
        return f"({pointer}mma_functions[{slot}])({', '.join(arguments)})"

    def _call_known(
        self, signature: Signature, table: int, index: str, arguments: list[str], known: dict[int, int]
    ) -> str:
        """The same where the callees are known. What else the index may be is a trap, which is found out as
        in any call."""
        kind = self.result_type(signature)
        result = "" if kind == "void" else "callee = "
        lines = [f"case {place}: {result}{self.call(one, arguments)}; break;" for place, one in known.items()]
        wanted = self.type_number(signature)
        if self.uniform(table) is not None:
            trap = f"mma_table_check({index}, 1u, T{table}_COUNT); mma_signature_check(1u, 2u)"
        else:
            trap = f"(void)mma_indirect({index}, T{table}_COUNT, T{table}_FILLED, T{table}, {wanted}u)"
        lines.append(f"default: {trap}; __builtin_unreachable();")
        declared = "" if kind == "void" else f"{kind} callee; "
        value = "" if kind == "void" else " callee;"
        return f"__extension__({{ {declared}switch ({index}) {{ {' '.join(lines)} }}{value} }})"

    # -- tables ------------------------------------------------------------------------------------

    def _initial_table(self, index: int) -> list[int]:
        """References in a table after instantiation, up to the last that is not null."""
        table = self.module.tables[index]
        if table.limits.minimum > MOST_ELEMENTS and index in self.written_tables:
            raise ModuleError(
                f"The module's table {index} has {table.limits.minimum} elements; targets' "
                f"tables have at most {MOST_ELEMENTS}."
            )
        items: dict[int, int] = {}
        if table.start:
            if table.limits.minimum > MOST_ELEMENTS:
                raise ModuleError(f"The module's table {index} has more than {MOST_ELEMENTS} elements.")
            items = dict.fromkeys(range(table.limits.minimum), self.evaluate(table.start))
        for number, segment in enumerate(self.module.elements):
            if segment.mode == "active" and segment.where == index:
                offset = self.evaluate(segment.offset)
                if offset + len(segment.items) > table.limits.minimum:
                    raise ModuleError(f"The module's element segment {number} ends outside its table.")
                for place, item in enumerate(segment.items, offset):
                    items[place] = self.evaluate(item)
        last = max((place for place, item in items.items() if item), default=-1)
        if last >= MOST_ELEMENTS:
            raise ModuleError(f"The module's table {index} has more than {MOST_ELEMENTS} elements.")
        return [items.get(place, 0) for place in range(last + 1)]

    def uniform(self, table: int) -> Signature | None:
        """The one type of all functions of a table that is full and never changes: no check is left but
        that of the index."""
        if table in self.written_tables or table in self.read_tables:
            return None
        items = self.tables[table]
        if len(items) != self.module.tables[table].limits.minimum or 0 in items:
            return None
        functions = {number: index for index, number in self.references.items()}
        kinds = {self.module.signature(functions[item]) for item in items}
        return kinds.pop() if len(kinds) == 1 else None

    def element(self, table: int, index: str) -> str:
        """An element of a table whose index was checked; those past the array's end are null."""
        if table in self.written_tables:
            return f"T{table}[{index}]"
        return f"({index} < T{table}_FILLED ? T{table}[{index}] : 0)"

    def capacity(self, table: int) -> int:
        """Elements reserved for a table that may be written."""
        limits = self.module.tables[table].limits
        most = limits.minimum + GROWTH if table in self.grown_tables else limits.minimum
        return min(most, limits.maximum) if limits.maximum is not None else most

    # -- segments ----------------------------------------------------------------------------------

    def drop_data(self, segment: int) -> str:
        """data.drop as a statement."""
        return f"D{segment}_bytes = 0;"

    def data_source(self, segment: int) -> str:
        """Pointer and size of a data segment, for memory.init."""
        return f"D{segment}, D{segment}_bytes"
