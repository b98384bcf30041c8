"""One function's body to C.

The operand stack exists only here: every instruction that does something becomes one C statement with a
fresh temporary, and clang makes registers of them. Control flow becomes labels and gotos in one flat block.

Bounds checks are the price of the sandbox, so each is left out that provably can't fail:
- the address is a constant, or has a small upper bound (a masked index into a table, or one that a loop and
  its compares keep small: hal.aot.ranges), and ends within the memory that every slot of this module has
  (`Shared.least`);
- the same stretch, or index, was checked on every way to here (memory never shrinks; hal.aot.reach);
accesses at constant distances, with nothing observable in between, share one check; those of a loop that only
counts and loads are made before it (hal.aot.loops); others compare with what was (hal.aot.groups).
"""

from __future__ import annotations

from dataclasses import replace

from hal.aot.annotate import Annotator, Mark, hide, render
from hal.aot.binary import Code, Signature
from hal.aot.debug import Place
from hal.aot.groups import CheckGroup, Sum, apart
from hal.aot.instructions import (
    ACCESS,
    BLOCK,
    BR,
    BR_IF,
    BR_TABLE,
    CALL,
    CALL_INDIRECT,
    DATA_DROP,
    ELEM_DROP,
    ELSE,
    END,
    GLOBAL_GET,
    GLOBAL_SET,
    HARMLESS,
    IF,
    LOCAL_GET,
    LOCAL_SET,
    LOCAL_TEE,
    LOOP,
    MEMORY_COPY,
    MEMORY_FILL,
    MEMORY_GROW,
    MEMORY_INIT,
    MEMORY_SIZE,
    NUMERIC,
    REF_FUNC,
    REF_IS_NULL,
    REF_NULL,
    RETURN,
    TABLE_COPY,
    TABLE_FILL,
    TABLE_GET,
    TABLE_GROW,
    TABLE_SET,
    TABLE_SIZE,
    Access,
    Instruction,
)
from hal.aot.loops import hoist
from hal.aot.shared import C_TYPES, Shared
from hal.aot.values import TOP, Frame, Value, assigned, bound, displace, flat_loops, fold
from hal.errors import ModuleError

FIELDS = 1024
"""Offsets up to this are taken for fields of a structure, larger ones for arrays at constant places."""

MOST_WORK = 20_000_000
"""Blocks times locals of one function: what is noted of each local at each block must fit the gateway."""


class FunctionWriter:
    """Writes one function. Use once: `FunctionWriter(shared, index, code, body).write()`."""

    def __init__(self, shared: Shared, index: int, code: Code, body: list[Instruction]) -> None:
        self.shared = shared
        self.changes = assigned(body)
        self.flat = flat_loops(body)
        self.index = index
        self.signature = shared.module.signature(index)
        self.body = body
        self.lines: list[str | CheckGroup | Mark] = []
        self.declared: list[str] = []
        self.stack: list[Value] = []
        self.frames: list[Frame] = []
        self.facts: dict[int, tuple[tuple[int, int], ...]] = {}
        """By root: [low, high) displacements that were checked to lie in memory on every way to here."""
        self.groups: dict[int, CheckGroup] = {}
        """By root: the group that a check may still join."""
        self.checked: set[int] = set()
        """Loads and stores that need no check any more."""
        self.count = 0
        self.at = 0
        self.calls: set[int] = set()
        self.indirect = False
        kinds = (*self.signature.parameters, *code.locals)
        self.kinds = kinds
        parameters = [C_TYPES[kind] for kind in self.signature.parameters]
        self.notes = Annotator(shared.debug, shared.names, index, parameters, code.start)
        self.locals = [self._unknown(kind, f"l{number}", number) for number, kind in enumerate(kinds)]
        first = len(parameters)
        used = {one.a for one in body if one.code in (LOCAL_GET, LOCAL_SET, LOCAL_TEE)}
        self.named = used | set(range(first))
        """Locals that the C has: some bytes of a module declare any number, which would keep clang busy."""
        for number in sorted(used):
            if first <= number < len(kinds):
                self.declared.append(f"{C_TYPES[kinds[number]]} l{number} = 0;")

    # -- small parts -------------------------------------------------------------------------------

    def write(self) -> str:
        """The C definition."""
        changes = self.changes
        if len(changes) * len(self.kinds) > MOST_WORK:
            raise ModuleError(f"{self.shared.name(self.index)} has too many blocks and locals.")
        self.known = self.shared.ranges.of(self.index, self.body, changes)
        self.checked = set(self.known.safe)
        self._push_frame(END, self.signature, changes[-1])
        for at, instruction in enumerate(self.body):
            self.at = at
            if not self.frames:
                raise ModuleError("A function of the module goes on after its end.")
            frame = self.frames[-1]
            if frame.dead and instruction.code not in (BLOCK, LOOP, IF, ELSE, END):
                continue
            if not frame.dead:
                self.lines += self.notes.at(instruction.place, self._known)
            self._one(instruction, changes)
            if instruction.code in (LOCAL_SET, LOCAL_TEE):
                self.lines += self.notes.wrote(instruction.a)
            elif instruction.code in (LOOP, ELSE, END):
                self.notes.joined()
        if self.frames:
            raise ModuleError("A function of the module has no end.")
        lines = [line.c(self.shared.least) if isinstance(line, CheckGroup) else line for line in self.lines]
        enter = "MMA_ENTER();" if self.calls or self.indirect else ""
        head = self.shared.prototype(self.index, self.notes.parameters())
        body = render([*self.notes.declarations(), *self.declared, enter, *lines])
        body = hide(body, "tlrp" if self.notes.function else "trp")
        return f"{self.notes.head()}{head} {{ {body}\n}}\n"

    def _known(self, place: Place) -> str:
        """C of a value that debug information places somewhere; 0 where it is wrong."""
        text = f"{place.index}"
        if place.kind == "local":
            text = self.locals[place.index].text if place.index in self.named else "0"
        elif place.kind == "operand":
            text = self.stack[place.index].text if place.index < len(self.stack) else "0"
        return f"{text} + {place.offset}u" if place.offset else text

    def _fresh(self) -> int:
        self.count += 1
        return self.count

    def _unknown(self, kind: str, text: str, local: int | None = None) -> Value:
        return Value(kind, text, self._fresh(), local=local)

    def _emit(self, line: str) -> None:
        self.lines.append(line)

    def _push(self, kind: str, text: str, bound: int = TOP) -> Value:
        """Compute into a new temporary and push it."""
        value = Value(kind, "", self._fresh(), bound)
        value.text = f"t{value.id}"
        self._emit(f"{C_TYPES[kind]} {value.text} = {text};")
        self.stack.append(value)
        return value

    def _pop(self) -> Value:
        if len(self.stack) <= self.frames[-1].height:
            raise ModuleError("The module takes from an empty stack.")
        return self.stack.pop()

    def _pop_many(self, count: int) -> list[Value]:
        values = [self._pop() for _ in range(count)]
        values.reverse()
        return values

    def _keep(self, local: int | None = None) -> None:
        """Copy operands that name a local (or any local) that is about to change."""
        for number, value in enumerate(self.stack):
            if value.local is not None and local in (None, value.local):
                copy = replace(value, text=f"t{self._fresh()}", local=None)
                self._emit(f"{C_TYPES[value.type]} {copy.text} = {value.text};")
                self.stack[number] = copy

    def _local(self, number: int) -> Value:
        if number >= len(self.locals):
            raise ModuleError(f"The module uses local {number} of a function that has {len(self.locals)}.")
        return self.locals[number]

    # -- blocks ------------------------------------------------------------------------------------

    def _push_frame(self, kind: int, signature: Signature, assigned: set[int], parameters: int = 0) -> None:
        label = self._fresh()
        frame = Frame(
            kind,
            label,
            signature,
            len(self.stack) - parameters,
            dict(self.facts),
            list(self.locals),
            assigned,
        )
        for number, result in enumerate(signature.results):
            self.declared.append(f"{C_TYPES[result]} r{label}_{number};")
        self.frames.append(frame)

    def _open(self, instruction: Instruction, changes: dict[int, set[int]]) -> None:
        signature = instruction.block or Signature((), ())
        if self.frames[-1].dead:
            self._push_frame(instruction.code, signature, set())
            self.frames[-1].dead = self.frames[-1].dead_at_start = True
            return
        condition = self._pop() if instruction.code == IF else None
        self._keep()
        changed = changes[self.at]
        count = len(signature.parameters)
        if count > len(self.stack) - self.frames[-1].height:
            raise ModuleError("The module takes from an empty stack.")
        self._push_frame(instruction.code, signature, changed, count)
        frame = self.frames[-1]
        frame.flat = self.at in self.flat
        if condition:
            frame.parameters = self.stack[frame.height :]
            self._emit(f"if (!{condition.text}) goto e{frame.label};")
        elif instruction.code == LOOP:
            arguments = self.stack[frame.height :]
            for number, value in enumerate(arguments):
                self.declared.append(f"{C_TYPES[value.type]} p{frame.label}_{number};")
                self._emit(f"p{frame.label}_{number} = {value.text};")
            del self.stack[frame.height :]
            self._hoist()
            for number in changed:
                self.locals[number] = self._unknown(self.kinds[number], f"l{number}", number)
            self._emit(f"b{frame.label}:;")
            for number, value in enumerate(arguments):
                self._push(value.type, f"p{frame.label}_{number}")

    def _join(self, frame: Frame) -> None:
        """After a label that several ways lead to, only what held before the block is known."""
        self.facts = dict(frame.facts)
        self.locals = list(frame.locals)
        for number in frame.assigned:
            self.locals[number] = self._unknown(self.kinds[number], f"l{number}", number)

    def _else(self) -> None:
        frame = self.frames[-1]
        if frame.kind != IF:
            raise ModuleError("The module has an else without an if.")
        frame.kind = ELSE
        if frame.dead_at_start:
            return
        if not frame.dead:
            self._results(frame)
            self._emit(f"goto b{frame.label};")
            frame.reached = True
        frame.dead = False
        self._emit(f"e{frame.label}:;")
        self.stack[frame.height :] = frame.parameters
        self.facts = dict(frame.facts)
        self.locals = list(frame.locals)

    def _end(self) -> None:
        frame = self.frames[-1]
        if frame.dead_at_start:
            self.frames.pop()
            return
        alive = not frame.dead
        if frame.kind == IF:  # without else: its parameters are its results
            if alive:
                self._results(frame)
            if frame.signature.results:
                if alive:
                    self._emit(f"goto b{frame.label};")
                self._emit(f"e{frame.label}:;")
                self.stack[frame.height :] = frame.parameters
                self._results(frame)
            else:
                self._emit(f"e{frame.label}:;")
            alive = frame.reached = True
        elif alive and frame.kind != LOOP and (frame.reached or len(self.frames) == 1):
            self._results(frame)
        results = self.stack[frame.height :] if alive and not frame.reached else []
        self.frames.pop()
        if not self.frames:  # the function's own end
            if frame.reached:
                self._emit(f"b{frame.label}:;")
            if alive or frame.reached:
                self._return([f"r{frame.label}_{n}" for n in range(len(self.signature.results))])
            return
        del self.stack[frame.height :]
        if frame.kind == LOOP or not frame.reached:
            if not alive:
                self._die()
            self.stack += results
            return
        self._emit(f"b{frame.label}:;")
        self._join(frame)
        for number, kind in enumerate(frame.signature.results):
            self.stack.append(self._unknown(kind, f"r{frame.label}_{number}"))

    def _results(self, frame: Frame) -> None:
        """Hand the topmost operands to the block's result variables."""
        count = len(frame.signature.results)
        if len(self.stack) - self.frames[-1].height < count:
            raise ModuleError("The module takes from an empty stack.")
        for number, value in enumerate(self.stack[len(self.stack) - count :]):
            self._emit(f"r{frame.label}_{number} = {value.text};")

    def _die(self) -> None:
        """What follows is unreachable, up to the end of the block."""
        frame = self.frames[-1]
        frame.dead = True
        del self.stack[frame.height :]

    def _target(self, depth: int) -> Frame:
        if depth >= len(self.frames):
            raise ModuleError(f"The module branches {depth} blocks out, where there are {len(self.frames)}.")
        return self.frames[-1 - depth]

    def _jump(self, depth: int) -> str:
        """Statements of a branch, its values taken from the top of the stack, which stays."""
        frame = self._target(depth)
        loop = frame.kind == LOOP
        kinds = frame.signature.parameters if loop else frame.signature.results
        if len(self.stack) < len(kinds):
            raise ModuleError("The module takes from an empty stack.")
        values = self.stack[len(self.stack) - len(kinds) :]
        letter = "p" if loop else "r"
        moves = [f"{letter}{frame.label}_{number} = {value.text};" for number, value in enumerate(values)]
        if not loop:
            frame.reached = True
        return " ".join((*moves, f"goto b{frame.label};"))

    def _return(self, values: list[str]) -> None:
        if len(values) > 1:
            kind = self.shared.result_type(self.signature)
            self._emit(f"return ({kind}){{{', '.join(values)}}};")
        else:
            self._emit(f"return {values[0]};" if values else "return;")

    # -- instructions ------------------------------------------------------------------------------

    def _one(self, instruction: Instruction, changes: dict[int, set[int]]) -> None:
        code = instruction.code
        if code not in HARMLESS:
            self.groups.clear()
        if code == LOCAL_GET:
            self.stack.append(self._local(instruction.a))
        elif code in (LOCAL_SET, LOCAL_TEE):
            self._set_local(instruction.a, tee=code == LOCAL_TEE)
        elif code in NUMERIC:
            self._numeric(code)
        elif code in ACCESS:
            self._access(ACCESS[code], instruction.b)
        elif 0x41 <= code <= 0x44:
            self._constant(code, instruction.a)
        elif code in (BLOCK, LOOP, IF):
            self._open(instruction, changes)
        elif code == ELSE:
            self._else()
        elif code == END:
            self._end()
        elif code in (BR, BR_IF, BR_TABLE, RETURN, 0x00):
            self._branch(instruction)
        elif code == CALL:
            self._call(instruction.a)
        elif code == CALL_INDIRECT:
            self._call_indirect(instruction.a, instruction.b)
        elif code in (GLOBAL_GET, GLOBAL_SET):
            self._global(code, instruction.a)
        elif code == 0x1A:
            self._pop()
        elif code == 0x1B:
            self._select()
        elif code in (REF_NULL, REF_IS_NULL, REF_FUNC):
            self._reference(code, instruction.a)
        elif code in (MEMORY_SIZE, MEMORY_GROW, MEMORY_COPY, MEMORY_FILL, MEMORY_INIT, DATA_DROP):
            self._memory(code, instruction.a)
        elif code != 0x01:  # nop
            self._table(code, instruction.a, instruction.b)

    def _constant(self, code: int, bits: int) -> None:
        if code == 0x41:
            self.stack.append(Value("i32", f"{bits}u", self._fresh(), bits, bits))
        elif code == 0x42:
            self.stack.append(Value("i64", f"{bits}ull", self._fresh()))
        else:
            kind, wide = ("f32", 32) if code == 0x43 else ("f64", 64)
            # x*1, x/1, x-0 and the like must still make a signalling NaN quiet; clang would leave them out
            plain = bits & ~(1 << (wide - 1)) not in (0, 0x3F800000 if wide == 32 else 0x3FF0000000000000)
            suffix = "u" if wide == 32 else "ull"
            self._push(kind, f"mma_{kind}{'' if plain else '_opaque'}(0x{bits:x}{suffix})")

    def _set_local(self, number: int, *, tee: bool) -> None:
        value = self._pop()
        self._local(number)
        if value.local != number:
            self._keep(number)
            self._emit(f"l{number} = {value.text};")
        if value.number is not None:
            self.locals[number] = replace(value, local=None)
        else:
            self.locals[number] = replace(value, text=f"l{number}", local=number)
        if tee:
            self.stack.append(self.locals[number])

    def _numeric(self, code: int) -> None:
        numeric = NUMERIC[code]
        values = self._pop_many(len(numeric.operands))
        if numeric.result == "i32":
            known = fold(numeric.name, values)
            if known is not None:
                self._constant(0x41, known)
                return
        names = dict(zip("ab", (value.text for value in values), strict=False))
        value = self._push(numeric.result, numeric.c.format(**names), bound(numeric.name, values))
        value.index = numeric.name in ("i32.shl", "i32.mul")
        if numeric.name == "i32.shl" and values[1].number is not None:
            value.scaled = values[0], values[1].number & 31
        if numeric.name in ("i32.add", "i32.sub"):
            displace(value, *values, sign=1 if numeric.name == "i32.add" else -1)

    def _select(self) -> None:
        first, second, condition = self._pop_many(3)
        self._push(
            first.type, f"{condition.text} ? {first.text} : {second.text}", max(first.bound, second.bound)
        )

    def _branch(self, instruction: Instruction) -> None:
        if instruction.code == 0x00:
            self._emit("MMA_TRAP(UNREACHABLE);")
        elif instruction.code == BR_IF:
            condition = self._pop()
            self._emit(f"if ({condition.text}) {{ {self._jump(instruction.a)} }}")
            return
        elif instruction.code == BR:
            self._emit(self._jump(instruction.a))
        elif instruction.code == BR_TABLE:
            index = self._pop()
            *cases, default = instruction.extra
            self._emit(f"switch ({index.text}) {{")
            for number, depth in enumerate(cases):
                if depth != default:
                    self._emit(f"case {number}: {self._jump(depth)}")
            self._emit(f"default: {self._jump(default)} }}")
        else:
            values = self._pop_many(len(self.signature.results))
            self._return([value.text for value in values])
        self._die()

    def _call(self, index: int) -> None:
        if index >= len(self.shared.module.functions):
            raise ModuleError(f"The module calls function {index}, which it does not have.")
        signature = self.shared.module.signature(index)
        arguments = [value.text for value in self._pop_many(len(signature.parameters))]
        if index >= self.shared.imported or index == self.shared.calling:
            self.calls.add(index)
        self._push_results(signature, self.shared.call(index, arguments))

    def _call_indirect(self, type_index: int, table: int) -> None:
        signature = self.shared.module.types[type_index]
        index = self._pop()
        arguments = [value.text for value in self._pop_many(len(signature.parameters))]
        known = self.shared.candidates(type_index, table)
        if known is None:
            self.indirect = True
        else:
            self.calls.update(one for one in known.values() if one >= self.shared.imported)
        self._push_results(signature, self.shared.call_indirect(type_index, table, index.text, arguments))

    def _push_results(self, signature: Signature, call: str) -> None:
        if len(signature.results) == 1:
            self._push(signature.results[0], call)
        elif signature.results:
            name = f"t{self._fresh()}"
            self._emit(f"{self.shared.result_type(signature)} {name} = {call};")
            for number, kind in enumerate(signature.results):
                self.stack.append(self._unknown(kind, f"{name}.a{number}"))
        else:
            self._emit(f"{call};")

    def _global(self, code: int, index: int) -> None:
        if code == GLOBAL_SET:
            self._emit(f"g{index} = {self._pop().text};")
            return
        kind = self.shared.module.globals[index].type
        known = self.shared.constant_global(index)
        if known is not None and kind in ("i32", "i64", "f32", "f64"):
            self._constant({"i32": 0x41, "i64": 0x42, "f32": 0x43, "f64": 0x44}[kind], known)
        else:
            self._push(kind, f"g{index}" if known is None else f"{known}u")

    def _reference(self, code: int, index: int) -> None:
        if code == REF_NULL:
            self._push("funcref", "0")
        elif code == REF_FUNC:
            self._push("funcref", f"{self.shared.reference(index)}u")
        else:
            self._push("i32", f"{self._pop().text} == 0", 1)

    # -- memory ------------------------------------------------------------------------------------

    def _access(self, access: Access, offset: int) -> None:
        value = self._pop() if access.store else None
        address = self._pop()
        inside = self._inside(self.at, address.bound)
        reached = self.at in self.known.reached and not address.displacement
        parts = apart(address, self.frames, self.locals) if reached and not self.shared.grows else None
        if not inside and self.at not in self.checked:
            parts = self._check(address, offset + access.width)
        # Of two ways to add, the one that leaves the CPU's addressing modes most to do: an index into a table
        # at a constant place (as one that is known to be small must be), or a field of what is pointed at.
        place = f"{address.text}, {offset}u"
        if offset > FIELDS or address.index or inside:
            place = f"{offset}u, {address.text}"
        kind = ""
        if parts and not offset:
            place, kind = f"{parts.base}, {parts.index}", "_SUM"
        if value:
            self._emit(f"MMA_STORE{kind}({access.c}, {place}, {value.text});")
            self.groups.clear()
            return
        wide = C_TYPES[access.type]
        sign = access.c[0] == "s"
        cast = f"({wide})(s{access.type[1:]})" if sign else ""
        most = TOP if sign or access.type != "i32" else (1 << 8 * access.width) - 1
        self._push(access.type, f"{cast}MMA_LOAD{kind}({access.c}, {place})", most)

    def _inside(self, at: int, most: int = TOP) -> bool:
        """Whether a load or store provably lies in the memory that every slot has."""
        access, arc = ACCESS[self.body[at].code], self.known.addresses.get(at)
        most = min(most, arc.unsigned()[1] if arc else TOP)
        return most + self.body[at].b + access.width <= self.shared.least

    def _hoist(self) -> None:
        """Make all checks of a loop before it, where that is the same."""
        hoisted = hoist(self.body, self.at, self.locals, self.shared.least, self.checked)
        if hoisted:
            self._emit(hoisted.c(one_trap=self.shared.page == 1))
            self.checked.update(one.at for one in hoisted.loads)

    def _check(self, address: Value, end: int) -> Sum | None:
        """Trap unless address + end <= the memory's size, end being offset + width. Gives the two parts of an
        address that is checked by them, and alone."""
        first = address.displacement
        known = self.facts.get(address.root, ())
        if any(low <= first and first + end <= high for low, high in known):
            return None
        self.facts[address.root] = (*known[-7:], (first, first + end))
        group = self.groups.get(address.root)
        if group is not None and group.add(first, end, self.shared.least):
            return None
        parts = None if self.shared.grows else apart(address, self.frames, self.locals)
        group = self.groups[address.root] = CheckGroup(address.text, first, [(first, end)], parts)
        self.lines.append(group)
        return None if first else parts

    def _memory(self, code: int, segment: int) -> None:
        if code == MEMORY_SIZE:
            self._push("i32", "MMA_MEMORY_SIZE()")
        elif code == MEMORY_GROW:
            self._push("i32", f"MMA_MEMORY_GROW({self._pop().text})")
        elif code == DATA_DROP:
            self._emit(self.shared.drop_data(segment))
        else:
            a, b, c = (value.text for value in self._pop_many(3))
            if code == MEMORY_INIT:
                self._emit(f"mma_memory_init({a}, {b}, {c}, {self.shared.data_source(segment)});")
            else:
                self._emit(f"mma_memory_{'copy' if code == MEMORY_COPY else 'fill'}({a}, {b}, {c});")

    def _table(self, code: int, a: int, b: int) -> None:
        shared = self.shared
        if code == ELEM_DROP:
            self._emit(f"E{a}_count = 0;")
        elif code == TABLE_SIZE:
            self._push("i32", f"T{a}_COUNT")
        elif code == TABLE_GET:
            index = self._pop().text
            check = f"mma_table_check({index}, 1u, T{a}_COUNT)"
            self._push("funcref", f"({check}, (u32){shared.element(a, index)})")
        elif code == TABLE_SET:
            index, value = (one.text for one in self._pop_many(2))
            self._emit(f"mma_table_check({index}, 1u, T{a}_COUNT);")
            self._emit(f"T{a}[{index}] = {value};")
        elif code == TABLE_GROW:
            value, count = (one.text for one in self._pop_many(2))
            self._push("i32", f"T{a}_grow({value}, {count})")
        else:
            first, second, count = (one.text for one in self._pop_many(3))
            if code == TABLE_FILL:
                self._emit(f"MMA_TABLE_FILL(T{a}, T{a}_COUNT, {first}, {second}, {count});")
            elif code == TABLE_COPY:
                self._emit(f"MMA_TABLE_COPY(T{a}, T{a}_COUNT, {first}, T{b}, T{b}_COUNT, {second}, {count});")
            else:  # table.init: the immediates are segment, table
                self._emit(f"MMA_TABLE_COPY(T{b}, T{b}_COUNT, {first}, E{a}, E{a}_count, {second}, {count});")
