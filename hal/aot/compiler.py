"""Compiles a module for a machine, once: the result is kept in the user's cache under its content's name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hal import toolchain
from hal.aot import imports, linker
from hal.aot.annotate import rename
from hal.aot.binary import read
from hal.aot.model import MODULE, Layout, Machine, Object
from hal.aot.runtime import BUILTIN_STACK, FLAGS, flags, frame_sizes, keep, kept, runtime, sources_digest
from hal.aot.translate import Harness, Translation, translate
from hal.aot.validate import validate_core
from hal.boards import Board

EXCEPTION_BYTES = {"thumb": 40, "riscv32": 0, "x86_64": 128}
"""Most stack that an interrupt or host call takes from an executor, by the head of its target: the CPU's
frame on Arm (aligned to 8), nothing on RISC-V, the red zone on x86-64."""

FLOAT_BYTES = 72 + 64
"""What it takes besides where floating point registers are in use: the CPU's s0-s15 and the kernel's
s16-s31."""

PROVISIONAL = Layout(
    code=0x20010000,
    code_bytes=1 << 28,
    stack=0x40010000,
    stack_bytes=1 << 24,
    memory=0x50010000,
    memory_bytes=0x12345678,
)
"""Anywhere: sizes don't depend on the place, or are largest for odd numbers such as these."""


def compile_module(module: bytes, board: Board, checked: Sequence[str] = ()) -> Object:
    """A module compiled for a board; `checked` are exports that may be called while it waits. ModuleError if
    it is at fault, ToolchainError if the compiler is."""
    return compile_for(module, Machine.of(board), checked=checked)


def is_kept(module: bytes, machine: Machine, checked: Sequence[str] = ()) -> bool:
    """Whether compile_for() would only have to look into the cache."""
    return kept(_digest(module, machine, None, checked)[:40])


def compile_for(
    module: bytes, machine: Machine, harness: Harness | None = None, checked: Sequence[str] = ()
) -> Object:
    """As compile_module, for a machine. A harness is for tests on the gateway."""
    digest = _digest(module, machine, harness, checked)

    def build(folder: Path) -> None:
        validate_core(module)
        parsed = read(module)
        if not harness:
            imports.check_imports(parsed)
        translation = translate(parsed, stack_check=machine.stack_check, harness=harness, checked=checked)
        (folder / "module.c").write_text(translation.c)
        if ".debug_info" in parsed.customs:
            (folder / MODULE).write_bytes(module)
        # without floats no such register is touched, not even by clang's own ideas: frames stay small
        plain = ["-mfloat-abi=soft"] if _has_fpu(machine) and not translation.floats else []
        words: list[str | Path] = [*flags(machine), *plain, "-w", "-I", toolchain.sdk() / "executor"]
        words += ["-g", f"-fdebug-compilation-dir={toolchain.cache_folder() / 'aot' / digest[:40]}"]
        toolchain.must(["clang", *words, "-fstack-usage", "-c", "module.c", "-o", "module.o"], folder=folder)
        rename(folder / "module.o", dict(translation.shown))
        one = _measure(digest, machine, folder, translation)
        facts = asdict(one) | {"machine": None, "path": None}
        facts["segments"] = [(offset, data.hex()) for offset, data in one.segments]
        (folder / "facts.json").write_text(json.dumps(facts))

    folder = keep(digest[:40], build)
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    facts["segments"] = tuple((offset, bytes.fromhex(data)) for offset, data in facts["segments"])
    facts["functions"] = tuple(facts["functions"])
    return Object(**(facts | {"machine": machine, "path": folder / "module.o"}))


def _digest(module: bytes, machine: Machine, harness: Harness | None, checked: Sequence[str]) -> str:
    words = [sources_digest(), machine.target, *machine.flags, str(machine.stack_check), *FLAGS]
    words += [harness.prelude, harness.script, *harness.hosts.values()] if harness else []
    words += ["checked", *checked] if checked else []
    return hashlib.sha256("\0".join(words).encode() + b"\0" + module).hexdigest()


def _measure(digest: str, machine: Machine, folder: Path, translation: Translation) -> Object:
    """Link anywhere to learn the sizes; stack from clang's frame sizes and the calls."""
    unmeasured = Object(
        digest=digest,
        machine=machine,
        path=folder / "module.o",
        code_bytes=0,
        instance_bytes=0,
        least_memory=translation.least_memory,
        declared_memory=translation.declared_memory,
        maximum_memory=translation.maximum_memory,
        page_bytes=translation.page_bytes,
        grows=translation.grows,
        stack_bytes=None,
        stack_margin=0,
        takes_arguments=translation.takes_arguments,
        rules=translation.rules,
        functions=translation.functions,
        segments=translation.segments,
    )
    sizes = linker.measure(unmeasured, PROVISIONAL)
    frames = frame_sizes(folder / "module.su")
    shims = sum(size for name, size in frames.items() if name.startswith("mma_wasi_"))
    reserve = max(runtime(machine).stack, BUILTIN_STACK if sizes.builtins else 0) + _exception(
        machine, translation.floats
    )
    depth = _deepest(translation, frames)
    margin = max(frames.values(), default=0) + reserve if machine.stack_check else 0
    below = margin or reserve  # what must be free below the deepest caller's frame, or below all
    return replace(
        unmeasured,
        code_bytes=-(-sizes.code // 4) * 4,
        instance_bytes=-(-sizes.instance // 8) * 8,
        stack_bytes=None if depth is None else -(-(depth + shims + below) // 8) * 8,
        stack_margin=margin,
    )


def _has_fpu(machine: Machine) -> bool:
    return any(flag.startswith("-mfpu=") for flag in machine.flags)


def _exception(machine: Machine, floats: bool) -> int:
    size = next((size for head, size in EXCEPTION_BYTES.items() if machine.target.startswith(head)), 0)
    return size + (FLOAT_BYTES if floats and _has_fpu(machine) else 0)


def _deepest(translation: Translation, frames: Mapping[str, int]) -> int | None:
    """Most bytes of stack along any chain of calls; None if some chain has no end.

    Functions that clang inlined have no frame of their own any more; their callers' frames hold theirs.
    """
    depths: dict[int, int] = {}
    open_: set[int] = set()

    begin = [index for index in (translation.start, translation.entry) if index is not None]
    work = [(index, False) for index in begin]
    while work:
        index, done = work.pop()
        callees = translation.calls.get(index, frozenset())
        if done:
            open_.discard(index)
            own = frames.get(translation.names[index], 0)
            depths[index] = own + max((depths[callee] for callee in callees), default=0)
        elif index in open_:
            return None
        elif index not in depths:
            open_.add(index)
            if callees & open_:
                return None
            work.append((index, True))
            work += [(callee, False) for callee in callees]
    return frames.get("mma_start", 0) + max((depths[index] for index in begin), default=0)
