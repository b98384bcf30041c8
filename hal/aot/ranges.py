"""What addresses there can be: the values of a function's i32 locals, followed through its blocks and loops.

Every local holds a set of values (hal.aot.arcs). Branches cut them: after `x < 10` was true x is below 10,
and so is what was computed from x by adding constants. Where ways meet, sets are joined. What a loop makes
of its locals is guessed first, by letting the sets grow until they last; then they are let shrink.

It is also noted how many bytes from a value on were loaded or stored already: they are in memory, which
never shrinks. So a pointer that was followed on every way to here needs no check, nor does one that a loop
took over from such pointers.

Why a check may be left out by this: at last one pass over the body starts each loop from its guess, and every
way back to the loop's head, as every way into it, must end within that guess. So the guess holds by induction
over the turns of the loop, however it was found; if that pass fails, nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, pairwise
from typing import NamedTuple

from hal.aot import arcs, reach
from hal.aot.arcs import ALL, FLAG, Arc, compute, join, meet, one, span, widen
from hal.aot.binary import Module
from hal.aot.instructions import (
    ACCESS,
    BLOCK,
    BR,
    BR_IF,
    BR_TABLE,
    CALL,
    CALL_INDIRECT,
    ELSE,
    END,
    GLOBAL_GET,
    GLOBAL_SET,
    IF,
    LOCAL_GET,
    LOCAL_SET,
    LOCAL_TEE,
    LOOP,
    NUMERIC,
    RETURN,
    Instruction,
)
from hal.aot.reach import NOTHING, Kept, Reach

SHL = 0x74
"""i32.shl"""
MOST_STEPS = 150_000
"""Instructions that all passes over all functions of a module may look at: a second or two."""
MOST_LOCALS = 64
"""Locals of a function that is looked at: each branch costs as many steps."""
MOST_PASSES = 60
PATIENT_PASSES = 40
"""From then on sets grow to all values at once."""
SHRINKING_PASSES = 4

_INVERSE = {"eq": "ne", "ne": "eq"}
for _sign in ("_s", "_u"):
    _INVERSE |= {f"lt{_sign}": f"ge{_sign}", f"ge{_sign}": f"lt{_sign}"}
    _INVERSE |= {f"gt{_sign}": f"le{_sign}", f"le{_sign}": f"gt{_sign}"}
_MIRROR = {"eq": "eq", "ne": "ne"}
for _sign in ("_s", "_u"):
    _MIRROR |= {f"lt{_sign}": f"gt{_sign}", f"gt{_sign}": f"lt{_sign}"}
    _MIRROR |= {f"le{_sign}": f"ge{_sign}", f"ge{_sign}": f"le{_sign}"}

_LOADS = {
    "u8": span(0, 255),
    "s8": arcs.arc(-128, 255),
    "u16": span(0, 65535),
    "s16": arcs.arc(-32768, 65535),
}
_UNARY = {"clz": span(0, 32), "ctz": span(0, 32), "popcnt": span(0, 32)}
_UNARY |= {"extend8_s": _LOADS["s8"], "extend16_s": _LOADS["s16"]}


class Known(NamedTuple):
    """What is known of a local at a loop's head."""

    arc: Arc
    safe: int
    reach: Kept = ()

    def holds(self, other: Known) -> bool:
        """Whether it is true of all that another is true of."""
        if not self.arc.holds(other.arc) or self.safe > other.safe:
            return False
        return not self.reach or reach.lasting(self.reach, other.reach) == self.reach


Heads = dict[int, dict[int, Known]]
"""By the place of the loop, by local."""


class Found(NamedTuple):
    """What came out for one function."""

    addresses: dict[int, Arc]
    """Of loads and stores by place in the body, without offsets; those that are not in it may have any."""
    safe: frozenset[int]
    """Those that can't fail since others did not before."""
    reached: frozenset[int] = frozenset()
    """Those of them whose index was one before."""


class Fact(NamedTuple):
    """What is known of one value."""

    arc: Arc
    root: int
    """Values of one root differ by constants."""
    far: int = 0
    """It is the root plus this."""
    test: Test | None = None
    """It is 1 if this holds, else 0."""
    safe: int = 0
    """So many bytes from there on are in memory."""
    reach: Reach = NOTHING
    """What is known of sums with it."""
    scaled: tuple[Fact, int] | None = None
    """It is the one, shifted by the other."""
    sum: tuple[Fact, Fact, int] | None = None
    """It is the first, plus the second shifted by the third."""


class Test(NamedTuple):
    """A compare."""

    name: str
    a: Fact
    b: Fact


State = list[Fact]
"""By local. Those of other types have facts that mean nothing."""


class _Frame:
    """A block, loop, if or the function itself, on the way."""

    def __init__(self, at: int, loop: bool, height: int, arity: int, results: int) -> None:
        self.at = at
        self.loop = loop
        self.height = height
        self.arity = arity
        """Values that it begins with."""
        self.results = results
        self.after: State | None = None
        """What holds at its end by branches; None if none goes there."""
        self.otherwise: State | None = None
        """What holds where its else begins."""


class Ranges:
    """Looks at the functions of one module, as far as there is time."""

    def __init__(self, module: Module, constants: dict[int, int], least: int) -> None:
        """`constants` are the globals that never change, `least` bytes of memory are there for certain."""
        self.module = module
        self.least = least
        self.constants = constants
        self.steps = MOST_STEPS

    def of(self, index: int, body: Sequence[Instruction], changes: dict[int, set[int]]) -> Found:
        """What there is to know of a function. `changes` is as hal.aot.values.assigned has it."""
        nothing = Found({}, frozenset())
        signature = self.module.signature(index)
        kinds = (*signature.parameters, *self.module.codes[index - len(self.module.imported)].locals)
        if len(kinds) > MOST_LOCALS or not any(one.code in ACCESS for one in body):
            return nothing
        walk = _Walk(self, body, changes, kinds, len(signature.parameters))
        heads: Heads = {}
        for number in range(MOST_PASSES):
            if not self._afford(body):
                return nothing
            walk.run(heads)
            grown = walk.grown(heads, hasty=number >= PATIENT_PASSES)
            if grown == heads:
                break
            heads = grown
        else:
            return nothing
        found = walk.found()
        for _ in range(SHRINKING_PASSES):
            smaller = walk.entering
            if smaller == heads or not self._afford(body):
                break
            walk.run(smaller)
            if walk.grown(smaller) != smaller:
                break
            heads, found = smaller, walk.found()
        return found

    def _afford(self, body: Sequence[Instruction]) -> bool:
        self.steps -= sum(1 + len(one.extra) for one in body)
        return self.steps >= 0


class _Walk:
    """Passes over one function."""

    def __init__(
        self,
        ranges: Ranges,
        body: Sequence[Instruction],
        changes: dict[int, set[int]],
        kinds: Sequence[str],
        parameters: int,
    ) -> None:
        self.ranges = ranges
        self.module = ranges.module
        self.body = body
        self.changes = changes
        self.kinds = kinds
        self.parameters = parameters
        self.stops = _stops(body)
        self.shifts = {
            first.a & 31 for first, second in pairwise(body) if (first.code, second.code) == (0x41, SHL)
        }

    def run(self, heads: Heads) -> None:
        """One pass, each loop beginning with what `heads` says of the locals that it changes."""
        self.heads = heads
        self.entering: Heads = {}
        """What really comes to each loop's head, from before and from its end."""
        self.addresses: dict[int, Arc] = {}
        self.followed: set[int] = set()
        self.reached: set[int] = set()
        self.ids = count(1)
        self.stack: list[Fact] = []
        zero = one(0)
        self.state: State | None = [
            Fact(ALL if number < self.parameters or kind != "i32" else zero, next(self.ids))
            for number, kind in enumerate(self.kinds)
        ]
        self.frames = [_Frame(-1, False, 0, 0, 0)]
        for at, instruction in enumerate(self.body):
            if self.frames:
                self._one(at, instruction)

    def found(self) -> Found:
        """What the last pass saw."""
        return Found(self.addresses, frozenset(self.followed | self.reached), frozenset(self.reached))

    def grown(self, heads: Heads, *, hasty: bool = False) -> Heads:
        """Heads that hold what came in the last pass; the very same where they did already."""
        out = dict(heads)
        for at, locals_ in self.entering.items():
            old = heads.get(at)
            if old is None:
                out[at] = locals_
            elif not all(old[number].holds(one_) for number, one_ in locals_.items()):
                out[at] = {number: self._grow(old[number], one_, hasty) for number, one_ in locals_.items()}
        return out

    def _grow(self, old: Known, new: Known, hasty: bool) -> Known:
        both = join(old.arc, new.arc)
        safe = min(old.safe, new.safe)
        if hasty:
            kept = reach.lasting(old.reach, new.reach)
            return Known(old.arc if both == old.arc else ALL, safe if safe == old.safe else 0, kept)
        return Known(widen(old.arc, both, self.stops), safe, reach.kept_both(old.reach, new.reach))

    # -- states ------------------------------------------------------------------------------------

    def _new(self, arc: Arc = ALL, test: Test | None = None, safe: int = 0, known: Reach = NOTHING) -> Fact:
        return Fact(arc, next(self.ids), 0, test, safe, known)

    def _safe(self, fact: Fact) -> int:
        """How many bytes from a value on are in memory: that may also follow from what it is."""
        return max(fact.safe, self.ranges.least - fact.arc.unsigned()[1])

    def _follow(self, at: int, address: Fact, end: int) -> None:
        """Note a load or store: the trap aside, what it touches is in memory from now on."""
        self.addresses[at] = address.arc
        if address.sum and self.state is not None and self._reach(self.state, end, *address.sum):
            self.reached.add(at)
        if self._safe(address) >= end:
            self.followed.add(at)
            return
        if not address.root or self.state is None:
            return
        for number, known in enumerate(self.state):
            if known.root == address.root:
                rest = end - (known.far - address.far)
                if known.safe < rest <= end:
                    self.state[number] = known._replace(safe=rest)

    def _reach(self, state: State, end: int, base: Fact, index: Fact, shift: int) -> bool:
        """Note that so many bytes from base + (index << shift) on are in memory, unless that was known."""
        key = base.root, base.far, shift
        if any(one_.reach.get(key, 0) >= end for one_ in (index, *state) if _same(one_, index)):
            return True
        top = self.frames[-1].height  # what lies below outlives this block, and ways around this place
        for facts, first in ((state, 0), (self.stack, top)):
            for number in range(first, len(facts)):
                if _same(facts[number], index):
                    more = reach.grown(facts[number].reach, key, end)
                    facts[number] = facts[number]._replace(reach=more)
        return False

    def _keep(self, state: State, number: int, at: int) -> Kept:
        """What is known of sums with a local whose bases a loop does not change."""
        index, kept = state[number], dict[tuple[int, int], int]()
        wanted = index.arc.number
        for local, base in enumerate(state) if wanted is not None or index.reach else ():
            if local in self.changes[at] or self.kinds[local] != "i32":
                continue
            for shift in self.shifts:
                size = index.reach.get((base.root, base.far, shift), 0)
                if wanted is not None and base.safe:
                    size = max(size, base.safe - (wanted << shift))
                if size > 0:
                    kept[local, shift] = size
        return tuple(sorted(kept.items()))

    def _join(self, a: State | None, b: State | None) -> State | None:
        if a is None or b is None:
            return b if a is None else a
        out = []
        for one_, other in zip(a, b, strict=True):
            if one_ is other:
                out.append(one_)
                continue
            safe = min(self._safe(one_), self._safe(other))
            known = reach.both(one_.reach, other.reach)
            if one_[1:3] == other[1:3]:
                out.append(Fact(join(one_.arc, other.arc), one_.root, one_.far, None, safe, known))
            else:
                out.append(self._new(join(one_.arc, other.arc), None, safe, known))
        return out

    def _where(self, state: State | None, fact: Fact, *, true: bool) -> State | None:
        """The state where a value is not 0, or is 0; None if that can't be."""
        if state is None:
            return None
        name, a, b = fact.test or Test("ne", fact, Fact(one(0), 0))
        if not true:
            name = _INVERSE[name]
        first = self._cut(state, a, name, b.arc)
        return None if first is None else self._cut(first, b, _MIRROR[name], a.arc)

    def _cut(self, state: State, fact: Fact, name: str, other: Arc) -> State | None:
        """The state where `fact name other` holds."""
        if name == "ne":
            if other.number is None:
                return state
        else:
            limit = arcs.bounds(name, other)
            if limit is None or meet(fact.arc, limit) is None:
                return None
        out = state
        for number, known in enumerate(state):
            if known.root == fact.root and fact.root:
                far = known.far - fact.far
                if name == "ne":
                    left = arcs.without(known.arc, (other.lo + far) & arcs.MOST)
                else:
                    left = meet(known.arc, limit.turn(far)) if limit else None
                if left is None:
                    return None
                if left != known.arc:
                    out = list(out) if out is state else out
                    out[number] = known._replace(arc=left)
        return out

    # -- instructions ------------------------------------------------------------------------------

    def _pop(self) -> Fact:
        return self.stack.pop() if self.stack else self._new()

    def _drop(self, number: int) -> None:
        for _ in range(number):
            self._pop()

    def _fill(self, number: int) -> None:
        self.stack += [self._new() for _ in range(number)]

    def _one(self, at: int, instruction: Instruction) -> None:
        code = instruction.code
        if code in (BLOCK, LOOP, IF):
            self._open(at, instruction)
        elif code == ELSE:
            frame = self.frames[-1]
            frame.after = self._join(frame.after, self.state)
            self.state, frame.otherwise = frame.otherwise, None
            del self.stack[frame.height :]
            self._fill(frame.arity)
        elif code == END:
            self._end()
        elif self.state is not None:
            self._plain(at, instruction, self.state)

    def _plain(self, at: int, instruction: Instruction, state: State) -> None:
        code = instruction.code
        if code == LOCAL_GET:
            self.stack.append(state[instruction.a])
        elif code in (LOCAL_SET, LOCAL_TEE):
            self.state = list(state)
            self.state[instruction.a] = self.stack[-1] if code == LOCAL_TEE else self._pop()
        elif code == 0x41:
            self.stack.append(self._new(one(instruction.a)))
        elif code in NUMERIC:
            self._numeric(code)
        elif code in ACCESS:
            access = ACCESS[code]
            if access.store:
                self._pop()
            self.state = list(state)
            self._follow(at, self._pop(), instruction.b + access.width)
            if not access.store:
                self.stack.append(self._new(_LOADS.get(access.c, ALL) if access.type == "i32" else ALL))
        elif code in (BR, BR_IF, BR_TABLE, RETURN, 0x00):
            self._branch(instruction, state)
        elif code == 0x1B:
            condition, other, first = self._pop(), self._pop(), self._pop()
            self.stack.append(self._select(condition, first, other))
        elif code == GLOBAL_GET:
            number = self.ranges.constants.get(instruction.a)
            self.stack.append(self._new(ALL if number is None else one(number)))
        else:
            self._other(instruction)

    def _other(self, instruction: Instruction) -> None:
        """Instructions of which nothing is known but how many values they take and give."""
        code = instruction.code
        if code in (CALL, CALL_INDIRECT):
            through = code == CALL_INDIRECT
            signature = self.module.types[instruction.a] if through else self.module.signature(instruction.a)
            self._drop(len(signature.parameters) + through)
            self._fill(len(signature.results))
        elif 0x42 <= code <= 0x44:
            self._fill(1)
        else:
            takes, gives = _ARITY.get(code, (0, 0))
            self._drop(takes)
            self._fill(gives)

    def _numeric(self, code: int) -> None:
        numeric = NUMERIC[code]
        values = [self._pop() for _ in numeric.operands][::-1]
        kind, _, name = numeric.name.partition(".")
        if numeric.result != "i32" or kind != "i32" or numeric.operands[0] != "i32":
            # compares of other types are flags, all else may be anything
            flag = name in _INVERSE or name in ("eqz", "lt", "gt", "le", "ge")
            self.stack.append(self._new(FLAG if flag and numeric.result == "i32" else ALL))
        elif name == "eqz":
            (value,) = values
            name_, a, b = value.test or Test("ne", value, Fact(one(0), 0))
            self.stack.append(self._new(FLAG, Test(_INVERSE[name_], a, b)))
        elif name in _INVERSE:
            self.stack.append(self._new(FLAG, Test(name, *values)))
        elif len(values) == 1:
            self.stack.append(self._new(_UNARY.get(name, ALL)))
        else:
            a, b = values
            arc = compute(name, a.arc, b.arc)
            if name == "add" and a.arc.number is not None:
                a, b = b, a
            if name in ("add", "sub") and b.arc.number is not None:
                by = b.arc.number if name == "add" else -b.arc.number
                safe = a.safe - by if 0 <= by < a.safe else 0
                self.stack.append(Fact(arc, a.root, a.far + by, None, safe))
            else:
                scaled = (a, b.arc.number & 31) if name == "shl" and b.arc.number is not None else None
                if name == "add" and a.scaled:
                    a, b = b, a
                sum_ = (a, *b.scaled) if name == "add" and b.scaled else None
                self.stack.append(self._new(arc)._replace(scaled=scaled, sum=sum_))

    def _select(self, condition: Fact, first: Fact, other: Fact) -> Fact:
        """The first where the condition is not 0."""
        name, a, b = condition.test or Test("ne", condition, Fact(one(0), 0))
        yes = _narrow(_narrow(first, a, name, b.arc), b, _MIRROR[name], a.arc)
        name = _INVERSE[name]
        no = _narrow(_narrow(other, a, name, b.arc), b, _MIRROR[name], a.arc)
        safe = min(self._safe(yes), self._safe(no))
        return self._new(join(yes.arc, no.arc), None, safe, reach.both(yes.reach, no.reach))

    # -- blocks ------------------------------------------------------------------------------------

    def _open(self, at: int, instruction: Instruction) -> None:
        block = instruction.block
        arity, results = (len(block.parameters), len(block.results)) if block else (0, 0)
        condition = self._pop() if instruction.code == IF and self.state is not None else None
        if self.state is not None:
            self._drop(arity)
        frame = _Frame(at, instruction.code == LOOP, len(self.stack), arity, results)
        self.frames.append(frame)
        self._fill(arity)
        if condition is not None:
            frame.otherwise = self._where(self.state, condition, true=False)
            self.state = self._where(self.state, condition, true=True)
        elif frame.loop and self.state is not None:
            self._enter(at, self.state)
            changed = self.changes[at]
            known = self.heads.get(at, self.entering[at])
            before = self.state
            self.state = [
                self._begin(before, known[number]) if number in changed else fact
                for number, fact in enumerate(before)
            ]

    def _begin(self, before: State, known: Known) -> Fact:
        """A local in a loop that changes it."""
        sums = {(before[n].root, before[n].far, shift): size for (n, shift), size in known.reach}
        return self._new(known.arc, None, known.safe, sums)

    def _enter(self, at: int, state: State) -> None:
        """Note what comes to a loop's head."""
        before, now = self.entering.get(at), {}
        for number in self.changes[at]:
            arc, safe, kept = state[number].arc, self._safe(state[number]), self._keep(state, number, at)
            if before:
                arc, safe = join(before[number].arc, arc), min(before[number].safe, safe)
                kept = reach.kept_both(before[number].reach, kept)
            now[number] = Known(arc, safe, kept)
        self.entering[at] = now

    def _end(self) -> None:
        frame = self.frames.pop()
        if not frame.loop:
            self.state = self._join(self._join(self.state, frame.after), frame.otherwise)
        del self.stack[frame.height :]
        self._fill(frame.results)

    def _branch(self, instruction: Instruction, state: State) -> None:
        code = instruction.code
        if code == BR_IF:
            condition = self._pop()
            self._jump(instruction.a, self._where(state, condition, true=True))
            self.state = self._where(state, condition, true=False)
            return
        if code == BR:
            self._jump(instruction.a, state)
        elif code == BR_TABLE:
            for depth in set(instruction.extra):
                self._jump(depth, state)
        self.state = None

    def _jump(self, depth: int, state: State | None) -> None:
        if state is None or depth >= len(self.frames):
            return
        frame = self.frames[-1 - depth]
        if frame.loop:
            self._enter(frame.at, state)
        else:
            frame.after = self._join(frame.after, state)


_ARITY = {
    0x1A: (1, 0),
    GLOBAL_SET: (1, 0),
    0x25: (1, 1),  # table.get
    0x26: (2, 0),  # table.set
    0x3F: (0, 1),  # memory.size
    0x40: (1, 1),  # memory.grow
    0xD0: (0, 1),  # ref.null
    0xD1: (1, 1),  # ref.is_null
    0xD2: (0, 1),  # ref.func
    0xFC08: (3, 0),  # memory.init
    0xFC0A: (3, 0),  # memory.copy
    0xFC0B: (3, 0),  # memory.fill
    0xFC0C: (3, 0),  # table.init
    0xFC0E: (3, 0),  # table.copy
    0xFC0F: (2, 1),  # table.grow
    0xFC10: (0, 1),  # table.size
    0xFC11: (3, 0),  # table.fill
}
"""Values that the remaining instructions take and give."""


def _same(a: Fact, b: Fact) -> bool:
    return a.root == b.root and a.far == b.far


def _narrow(value: Fact, fact: Fact, name: str, other: Arc) -> Fact:
    """A value where `fact name other` holds; itself where that says nothing of it."""
    if value.root != fact.root or not fact.root:
        return value
    far = value.far - fact.far
    if name == "ne":
        left = arcs.without(value.arc, (other.lo + far) & arcs.MOST) if other.number is not None else None
    else:
        limit = arcs.bounds(name, other)
        left = meet(value.arc, limit.turn(far)) if limit else None
    return value if left is None else value._replace(arc=left)


def _stops(body: Sequence[Instruction]) -> list[int]:
    """Numbers at which growing sets may stop: what the function compares with, and around it."""
    out = {0, arcs.MOST, 1 << 31, (1 << 31) - 1}
    for first, second in pairwise(body):
        if first.code == 0x41 and 0x46 <= second.code <= 0x4F and len(out) < 100:
            out |= {(first.a + far) & arcs.MOST for far in (-1, 0, 1)}
    return sorted(out)
