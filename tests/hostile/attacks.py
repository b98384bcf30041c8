"""Modules that mean harm, written by hand, and how each must end.

Each is the fields of a module; `main` is its entry. How it ends: `exit N`; `trap WORDS` (the
specification's); `limit` for memory past the task's budget; `rejected`, `no room` or `failed` before it ran;
`endless` for what is killed in the end. Several ends divided by `|` are all right: they depend on the
board's room.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attack:
    """One module: its fields, and its end."""

    fields: str
    ends: str


HOSTS = {
    "log": "(param i32 i32) (result i32)",
    "result": "(param i32 i32) (result i32)",
    "arg": "(param i32 i32 i32) (result i32)",
    "sleep_us": "(param i64)",
    "time_us": "(result i64)",
    "yield": "",
    "exit": "(param i32)",
    "sensor_read": "(param i32 i32 i32) (result i32)",
    "gpio_mode": "(param i32 i32) (result i32)",
    "gpio_write": "(param i32 i32) (result i32)",
    "gpio_read": "(param i32) (result i32)",
    "pwm": "(param i32 i32 i32) (result i32)",
    "on_edge": "(param i32 i32 i32) (result i32)",
    "on_threshold": "(param i32 i32) (result i32)",
    "on_timer": "(param i64 i32) (result i32)",
    "on_message": "(param i32 i32 i32) (result i32)",
    "off": "(param i32) (result i32)",
    "wait": "(result i64)",
}


def text_of(attack: Attack) -> str:
    """The module, with imports of the host functions that it calls as $mma_NAME."""
    used = [name for name in HOSTS if f"$mma_{name}" in attack.fields]
    imports = [f'(import "mma" "{name}" (func $mma_{name} {HOSTS[name]}))' for name in used]
    return f"(module {' '.join(imports)} {attack.fields})"


def _main(body: str, result: str = "") -> str:
    return f'(func (export "main") {result} (local $i i32) (local $n i32) {body})'


def _code(body: str) -> str:
    return _main(body, "(result i32)")


def _times(count: int, body: str) -> str:
    """`body` so many times; $i counts."""
    return (
        f"(loop $again {body} (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        f" (br_if $again (i32.lt_u (local.get $i) (i32.const {count}))))"
    )


def _refused(call: str, error: int = -3) -> str:
    """Counts in $n unless the host says `error`."""
    count = "(local.set $n (i32.add (local.get $n) (i32.const 1)))"
    return f"(if (i32.ne {call} (i32.const {error})) (then {count}))"


def _all_refused(calls: list[str], error: int = -3) -> str:
    return "(memory 1)" + _code(" ".join(_refused(call, error) for call in calls) + "(local.get $n)")


OUT = "trap out of bounds memory access"
FAR = ["(i32.const -1)", "(i32.const 0x20000000)", "(i32.const 0x7fffffff)", "(i32.const 0x80000000)"]

MEMORY = {
    "load at the end of the address space": Attack("(memory 1)" + _code("(i32.load (i32.const -4))"), OUT),
    "store in the middle of it": Attack(
        "(memory 1)" + _main("(i64.store (i32.const 0x7fffffff) (i64.const -1))"), OUT
    ),
    "an offset that wraps around": Attack(
        "(memory 1)" + _main("(i32.store offset=0xffffffff (i32.const 1) (i32.const -1))"), OUT
    ),
    "a double across the end": Attack(
        "(memory 1)" + _main("(f64.store (i32.const 0xfffc) (f64.const 1))"), f"{OUT}|limit"
    ),
    "walk up until it hurts": Attack(
        "(memory 1)"
        + _main(
            "(loop $on (i32.store (local.get $i) (i32.const -1))"
            " (local.set $i (i32.add (local.get $i) (i32.const 4))) (br $on))"
        ),
        f"{OUT}|limit",
    ),
    "walk down from zero": Attack(
        "(memory 1)"
        + _main(
            "(loop $on (i32.store8 (local.get $i) (i32.const -1))"
            " (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br $on))"
        ),
        OUT,
    ),
    "the kernel's RAM on Arm": Attack(
        "(memory 1)" + _main("(i32.store (i32.const 0x20000000) (i32.const 0))"), OUT
    ),
    "the kernel's RAM on RISC-V": Attack(
        "(memory 1)" + _main("(i32.store (i32.const 0x80000000) (i32.const 0))"), OUT
    ),
    "the MPU's registers": Attack(
        "(memory 1)" + _main("(i32.store (i32.const 0xe000ed94) (i32.const 0))"), OUT
    ),
    "pins by their registers": Attack(
        "(memory 1)" + _main("(i32.store (i32.const 0x40020014) (i32.const -1))"), OUT
    ),
    "an address that becomes the kernel's when the base is added": Attack(
        "(memory 1)"
        + _main(
            "(loop $on (drop (i32.load (i32.sub (i32.const 0) (local.get $i))))"
            " (local.set $i (i32.add (local.get $i) (i32.const 0x100))) (br $on))"
        ),
        OUT,
    ),
    "fill everything": Attack(
        "(memory 1)" + _main("(memory.fill (i32.const 0) (i32.const 0xff) (i32.const -1))"), OUT
    ),
    "copy from the neighbours": Attack(
        "(memory 1)" + _main("(memory.copy (i32.const 0) (i32.const 0x10000) (i32.const 0x8000))"), OUT
    ),
    "copy a length that wraps around": Attack(
        "(memory 1)" + _main("(memory.copy (i32.const 8) (i32.const 16) (i32.const 0xfffffff0))"), OUT
    ),
    "a passive segment longer than it is": Attack(
        '(memory 1) (data $d "secret")'
        + _main("(memory.init $d (i32.const 0) (i32.const 4) (i32.const 0x1000))"),
        OUT,
    ),
    "a segment that was dropped": Attack(
        '(memory 1) (data $d "secret")'
        + _main("(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))"),
        OUT,
    ),
    "data outside of its memory": Attack(
        '(memory 1) (data (i32.const 0xfffe) "four")' + _main(""), "rejected"
    ),
    "data at a negative place": Attack('(memory 1) (data (i32.const -2) "four")' + _main(""), "rejected"),
    "grow storm": Attack(
        "(memory 0)" + _main(_times(50_000, "(drop (memory.grow (i32.const 1)))")), "exit 0"
    ),
    "grow by more than there is": Attack(
        "(memory 1)" + _code("(i32.and (memory.grow (i32.const 0xffff)) (memory.grow (i32.const -1)))"),
        "exit -1",
    ),
    "believe that it grew": Attack(
        "(memory 0)"
        + _main("(drop (memory.grow (i32.const 0x8000))) (i32.store (i32.const 0x8000) (i32.const 1))"),
        OUT,
    ),
    "declare all of the address space": Attack(
        "(memory 65536)" + _main("(i32.store (i32.const 0xfffffff8) (i32.const 1))"), "limit"
    ),
}

STACK = {
    "recursion without end": Attack(
        "(func $f (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))"
        + _code("(call $f (i32.const 1))"),
        "trap call stack exhausted",
    ),
    "recursion through a table": Attack(
        "(table funcref (elem $f)) (type $t (func (param i64) (result i64)))"
        "(func $f (type $t) (i64.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i64.const 1)))"
        + _main("(drop (call $f (i64.const 1)))"),
        "trap call stack exhausted",
    ),
    "two that call each other": Attack(
        "(func $f (param i32) (result i32) (i32.mul (call $g (local.get 0)) (i32.const 3)))"
        "(func $g (param i32) (result i32) (i32.add (call $f (local.get 0)) (local.get 0)))"
        + _code("(call $f (i32.const 1))"),
        "trap call stack exhausted",
    ),
    "frames of kilobytes": Attack(
        "(memory 1)"
        + f"(func $f (param i32) (local {'i64 ' * 400})"
        + "".join(f"(local.set {n} (i64.load (i32.const {n % 64})))" for n in range(1, 401))
        + "(call $f (local.get 0))"
        + "".join(f"(i64.store (i32.const {n % 64}) (local.get {n}))" for n in range(1, 401))
        + ")"
        + _main("(call $f (i32.const 0))"),
        "trap call stack exhausted|rejected|no room|failed",
    ),
    "many results in each frame": Attack(
        f"(func $f (param i32) (result {'i64 ' * 12}) (call $f (local.get 0)))"
        + _main("(call $f (i32.const 0))" + "(drop)" * 12),
        "trap call stack exhausted",
    ),
    "a host call at every depth": Attack(
        '(memory 1) (data (i32.const 0) "deeper")'
        "(func $f (param i32) (result i32) (drop (call $mma_log (i32.const 0) (i32.const 6)))"
        " (i32.add (call $f (local.get 0)) (i32.const 1)))" + _code("(call $f (i32.const 1))"),
        "trap call stack exhausted",
    ),
    "recursion in the start function": Attack(
        "(func $f (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))"
        "(func $s (drop (call $f (i32.const 1)))) (start $s)" + _main(""),
        "trap call stack exhausted",
    ),
}

_KINDS = "(type $v (func)) (type $i (func (param i32) (result i32))) (func $one (type $v))"
TABLE = {
    "an element past the end": Attack(
        f"{_KINDS} (table 4 funcref) (elem (i32.const 0) $one)"
        + _main("(call_indirect (type $v) (i32.const 4))"),
        "trap undefined element",
    ),
    "element minus one": Attack(
        f"{_KINDS} (table funcref (elem $one))" + _main("(call_indirect (type $v) (i32.const -1))"),
        "trap undefined element",
    ),
    "an element that is null": Attack(
        f"{_KINDS} (table 4 funcref) (elem (i32.const 0) $one)"
        + _main("(call_indirect (type $v) (i32.const 2))"),
        "trap uninitialized element",
    ),
    "a function of another type": Attack(
        f"{_KINDS} (table funcref (elem $one))"
        + _code("(call_indirect (type $i) (i32.const 0x20000000) (i32.const 0))"),
        "trap indirect call type mismatch",
    ),
    "any number as a function": Attack(
        f"{_KINDS} (table 4 funcref) (elem (i32.const 0) $one)"
        + _main(_times(5000, "(call_indirect (type $v) (i32.mul (local.get $i) (i32.const 0x1001)))")),
        "trap undefined element",
    ),
    "table.set past the end": Attack(
        f"{_KINDS} (table 4 funcref) (elem declare func $one)"
        + _main("(table.set 0 (i32.const 0x1000) (ref.func $one))"),
        "trap undefined element",
    ),
    "table.copy past the end": Attack(
        f"{_KINDS} (table 4 funcref) (elem (i32.const 0) $one)"
        + _main("(table.copy (i32.const 1) (i32.const 0) (i32.const 0xffffffff))"),
        "trap undefined element",
    ),
    "table.init with what was dropped": Attack(
        f"{_KINDS} (table 4 funcref) (elem $e func $one)"
        + _main("(elem.drop $e) (table.init $e (i32.const 0) (i32.const 0) (i32.const 1))"),
        "trap undefined element",
    ),
    "table.grow storm": Attack(
        f"{_KINDS} (table 1 funcref)"
        + _main(_times(20_000, "(drop (table.grow 0 (ref.null func) (i32.const 7)))")),
        "exit 0",
    ),
    "a table of millions": Attack(
        f"{_KINDS} (table 9000000 funcref) (elem declare func $one)"
        + _main("(table.set 0 (i32.const 8999999) (ref.func $one))"),
        "rejected",
    ),
    "a host function by the table": Attack(
        "(memory 1) (table funcref (elem $mma_log)) (type $h (func (param i32 i32) (result i32)))"
        + _code("(call_indirect (type $h) (i32.const 0x20000000) (i32.const 64) (i32.const 0))"),
        "exit -3",
    ),
}

HOST = {
    "log what is not its own": Attack(
        _all_refused(
            [f"(call $mma_log {at} (i32.const 64))" for at in FAR]
            + ["(call $mma_log (i32.const 16) (i32.const -8))"]
        ),
        "exit 0",
    ),
    "publish what is not its own": Attack(
        _all_refused([f"(call $mma_result {at} (i32.const 64))" for at in FAR]), "exit 0"
    ),
    "arguments into the kernel": Attack(
        _all_refused([f"(call $mma_arg (i32.const 0) {at} (i32.const 8))" for at in FAR]), "exit 0"
    ),
    "arguments that are not there": Attack(
        _all_refused([f"(call $mma_arg {at} (i32.const 0) (i32.const 8))" for at in FAR], -4), "exit 0"
    ),
    "a sensor's value into the kernel": Attack(
        _all_refused(
            [f"(call $mma_sensor_read (i32.const 0) (i32.const 5) {at})" for at in FAR]
            + [f"(call $mma_sensor_read {at} (i32.const 5) (i32.const 8))" for at in FAR]
        ),
        "exit 0",
    ),
    "a threshold from the kernel": Attack(
        _all_refused([f"(call $mma_on_threshold {at} (i32.const 0))" for at in FAR]), "exit 0"
    ),
    "messages into the kernel": Attack(
        _all_refused([f"(call $mma_on_message {at} (i32.const 64) (i32.const 0))" for at in FAR]), "exit 0"
    ),
    "pins of others": Attack(
        _code(
            _times(
                16,
                _refused("(call $mma_gpio_mode (local.get $i) (i32.const 1))", -1)
                + _refused("(call $mma_gpio_write (local.get $i) (i32.const 1))", -1)
                + _refused("(call $mma_pwm (local.get $i) (i32.const 2000000) (i32.const 1000000))", -1),
            )
            + "(local.get $n)"
        ),
        "exit 0",
    ),
    "pins that nobody has": Attack(
        _main(
            _times(
                2000,
                "(drop (call $mma_gpio_write (i32.sub (i32.const 0) (local.get $i)) (i32.const 1)))"
                "(drop (call $mma_gpio_read (i32.mul (local.get $i) (i32.const 0x10001))))",
            )
        ),
        "exit 0",
    ),
    "timers without end": Attack(
        _code(
            _times(100, "(local.set $n (call $mma_on_timer (i64.const 1) (local.get $i)))") + "(local.get $n)"
        ),
        "exit -5",
    ),
    "a handler that is none": Attack(
        f"{_KINDS} (table funcref (elem $one))"
        + _main(
            "(drop (call $mma_on_timer (i64.const 1000) (i32.const 0x20000001)))"
            "(call_indirect (type $v) (i32.wrap_i64 (call $mma_wait)))"
        ),
        "trap undefined element",
    ),
    "forget the rules of others": Attack(
        _main(_times(300, "(drop (call $mma_off (i32.sub (local.get $i) (i32.const 100))))")), "exit 0"
    ),
    "a status like a kernel's error": Attack(
        _main("(call $mma_exit (i32.const 0x80000000))"), "exit -2147483648"
    ),
}

GREED = {
    "log flood": Attack(
        '(memory 1) (data (i32.const 0) "the same line over and over, as fast as can be")'
        + _main(_times(500, "(drop (call $mma_log (i32.const 0) (i32.const 46)))")),
        "exit 0",
    ),
    "log flood without end": Attack(
        '(memory 1) (data (i32.const 0) "\\02message")'
        + _main("(loop $on (drop (call $mma_log (i32.const 0) (i32.const 8))) (br $on))"),
        "endless",
    ),
    "results without end": Attack(
        "(memory 1)" + _main("(loop $on (drop (call $mma_result (i32.const 0) (i32.const 32))) (br $on))"),
        "endless",
    ),
    "a loop": Attack(_main("(loop $on (br $on))"), "endless"),
    "a loop that works": Attack(
        "(memory 1)"
        + _main(
            "(loop $on (i32.store (i32.const 0) (local.tee $i (i32.add (local.get $i)"
            " (i32.const 1)))) (br $on))"
        ),
        "endless",
    ),
    "yield without end": Attack(_main("(loop $on (call $mma_yield) (br $on))"), "endless"),
    "sleep a moment without end": Attack(
        _main("(loop $on (call $mma_sleep_us (i64.const 1)) (br $on))"), "endless"
    ),
    "sleep for ever": Attack(_main("(call $mma_sleep_us (i64.const -1))"), "endless"),
    "wait for nothing": Attack(_code("(i32.wrap_i64 (call $mma_wait))"), "exit -1"),
    "a timer every microsecond": Attack(
        _main(
            "(drop (call $mma_on_timer (i64.const 1) (i32.const 0)))"
            "(loop $on (drop (call $mma_wait)) (br $on))"
        ),
        "endless",
    ),
    "a log of one byte without end": Attack(
        "(memory 1)"
        + _main(
            "(loop $on (drop (call $mma_log (i32.const 0) (i32.const 1)))"
            " (call $mma_sleep_us (i64.const 50)) (br $on))"
        ),
        "endless",
    ),
}

ODD = {
    "a jump with ten thousand ways": Attack(
        _code(
            "(block $a (block $b (br_table " + "$a $b " * 5000 + "$b (i32.const 9999)))"
            "(return (i32.const 3))) (i32.const 4)"
        ),
        "exit 3",
    ),
    "a jump far past its last way": Attack(
        _code(
            "(block $a (block $b (br_table $a $a $b (i32.const -1))) (return (i32.const 5))) (i32.const 6)"
        ),
        "exit 5",
    ),
    "names that would be C": Attack(
        '(func $x (export "\\22;}; int mma_start(void){*(int*)0=0;} //") unreachable)'
        '(func $y (export "*/ #include \\22/etc/passwd\\22\\0a") unreachable)'
        '(func $memcpy (export "memcpy") unreachable) (func $mma_start (export "mma_start") unreachable)'
        + _main(""),
        "exit 0",
    ),
    "a trap in the start function": Attack(
        "(func $s unreachable) (start $s)" + _main(""), "trap unreachable executed"
    ),
    "an integer that no float has": Attack(
        "(memory 1)" + _code("(i32.trunc_f64_s (f64.div (f64.load (i32.const 0)) (f64.load (i32.const 8))))"),
        "trap invalid conversion to integer",
    ),
    "the one division that overflows": Attack(
        "(memory 1)"
        + _code("(i32.div_s (i32.const 0x80000000) (i32.sub (i32.load (i32.const 0)) (i32.const 1)))"),
        "trap integer overflow",
    ),
    "imports of another WASI": Attack(
        '(import "wasi_unstable" "proc_exit" (func (param i32)))' + _main(""), "rejected"
    ),
    "pointers of WASI calls that lead outside": Attack(
        '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
        '(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))'
        '(memory 1) (global (export "__heap_base") i32 (i32.const 256))'
        '(data (i32.const 8) "\\f0\\ff\\ff\\ff\\20\\00\\00\\00")'
        + _code(
            "(local.set $n (call $write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0)))"
            "(local.set $n (i32.add (local.get $n)"
            " (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))))"
            "(local.set $n (i32.add (local.get $n)"
            " (call $write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 0))))"
            "(i32.sub (i32.add (local.get $n) (call $random (i32.const 16) (i32.const -1))) (i32.const 84))"
        ),
        "exit 0",
    ),
    "an import of another type": Attack(
        '(import "mma" "log" (func $l (param i64 i64) (result i32)))' + _main(""), "rejected"
    ),
    "no entry": Attack("(func)", "rejected"),
    "an entry that wants something": Attack('(func (export "main") (param i32))', "rejected"),
}

ATTACKS = {**MEMORY, **STACK, **TABLE, **HOST, **GREED, **ODD}
"""By name."""
