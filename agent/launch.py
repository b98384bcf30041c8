"""From a TaskInfo to what a target launches. docs/tasks.md tells framework authors the same in words."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent.errors import TaskError
from agent.facts import items_of, mem_bytes, ranges_of, round_scalar, scalar_of
from agent.proto import mesos_pb2 as mesos
from hal.target import Budget, Grants, Launch

MAGIC = b"\0asm"
"""How every WASM binary begins (WebAssembly core specification, 5.5.16)."""

LABEL_PREFIX = "mma."
STACK, MEMORY, LOG, SHA256 = "mma.stack", "mma.memory", "mma.log", "mma.sha256"
LABELS = (STACK, MEMORY, LOG, SHA256)

WHAT_WE_RUN = (
    "This agent runs WebAssembly modules only: put one into TaskInfo.data, or name it as the first of "
    "CommandInfo.uris."
)
CHECKS = (("check", mesos.CheckInfo.COMMAND), ("health_check", mesos.HealthCheck.COMMAND))
"""Fields of TaskInfo, and the type that is served, in the order in which a guest's exports are numbered."""
_FORM = 'command.value = "healthy", command.shell = false'
_MOST_MEM = 4096.0
"""MB: as much as a 32-bit memory can have."""
_PIN_LIMIT = 4096
"""Pins of one task; a range of billions would not fit in memory."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task's module comes from: its own `data`, or a `uri` that is to be fetched."""

    data: bytes = b""
    uri: str = ""
    cache: bool = False
    sha256: str = ""
    """Lower-case hex, when the framework tells what it must be."""


def source_of(task: mesos.TaskInfo) -> Source:
    """The module's source; TaskError, with a sentence for the framework, when the task has none."""
    labels = labels_of(task.labels)
    digest = labels.get(SHA256, "").lower()
    if digest and not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise TaskError(
            f"The label {SHA256} is not 64 hex digits.", remedy="Give the module's SHA-256 or none."
        )
    if task.data.startswith(MAGIC):
        return Source(data=task.data, sha256=digest)
    command = command_of(task)
    if command.uris:
        first = command.uris[0]
        return Source(uri=first.value, cache=first.cache, sha256=digest)
    if task.data:
        begins = task.data[:16]
        raise TaskError(f"The task's data is no WASM module: it begins with {begins!r}.", remedy=WHAT_WE_RUN)
    if task.HasField("container"):
        raise TaskError("The task asks for a container image.", remedy=WHAT_WE_RUN)
    if command.value:
        raise TaskError(f"The task is the command {command.value[:80]!r}.", remedy=WHAT_WE_RUN)
    raise TaskError("The task has no module.", remedy=WHAT_WE_RUN)


def command_of(task: mesos.TaskInfo) -> mesos.CommandInfo:
    """The task's own command, or that of its custom executor; the default executor has none."""
    custom = task.HasField("executor") and task.executor.type != mesos.ExecutorInfo.DEFAULT
    return task.executor.command if custom else task.command


def check_module(module: bytes, source: Source, limit: int) -> bytes:
    """The module when it may be launched; TaskError when it is too large, altered or no WASM."""
    where = source.uri or "The task's data"
    if len(module) > limit:
        raise TaskError(
            f"{where} has {len(module):,} bytes; this agent takes modules of up to {limit:,}.",
            remedy="Strip the module, or raise the agent's --module-limit.",
        )
    if source.sha256 and (actual := hashlib.sha256(module).hexdigest()) != source.sha256:
        raise TaskError(
            f"{where} has the SHA-256 {actual}, but the label {SHA256} says {source.sha256}.",
            remedy="Publish the module again or correct the label.",
        )
    if not module.startswith(MAGIC):
        what = f"begins with {module[:16]!r}" if module else "is empty"
        raise TaskError(f"{where} is no WASM module: it {what}.", remedy=WHAT_WE_RUN)
    return module


def launch_of(
    task: mesos.TaskInfo, key: str, module: bytes, mem_limit: int | None, *, bursts: bool = False
) -> Launch:
    """What the target gets. `mem_limit` is the exact size behind the agent's `mem`, in bytes; `bursts` is as
    in the target's Description."""
    budget = budget_of(task, mem_limit)
    return Launch(
        key=key,
        module=module,
        arguments=tuple(command_of(task).arguments),
        budget=replace(budget, burst=burst_of(task, bursts)),
        grants=Grants(gpio=_pins_of(task.resources), sensors=items_of(task.resources, "sensors")),
        checked=exports_of(task),
    )


def budget_of(task: mesos.TaskInfo, mem_limit: int | None) -> Budget:
    """The task's `mem` in exact bytes, with the parts that its labels fix.

    A device's own size seldom is a whole thousandth of a MB, and its scalar may be rounded up: a task that
    holds all of it gets all there is and no more.
    """
    labels = labels_of(task.labels)
    mem = scalar_of(task.resources, "mem")
    total: int | None = mem_bytes(mem) if mem > 0 else None
    if total is not None and mem_limit is not None:
        total = min(total, mem_limit)
    cpus = scalar_of(task.resources, "cpus")
    return Budget(
        total=total,
        cpus=cpus if cpus > 0 else Budget().cpus,
        stack=_bytes_label(labels, STACK),
        memory=_bytes_label(labels, MEMORY),
        log=_bytes_label(labels, LOG),
    )


def burst_of(task: mesos.TaskInfo, bursts: bool) -> int:
    """Bytes past `mem` that TaskInfo.limits admits. TaskError for a limit that nothing would keep.

    A master has seen to it that none is below what the task holds, and that they are of cpus and mem only.
    """
    limits = {name: limit.value for name, limit in task.limits.items()}
    if math.isfinite(most := limits.get("cpus", math.inf)) and most > scalar_of(task.resources, "cpus"):
        raise TaskError(
            f"The task's limit of {most:g} cpus would not be kept: what others leave idle is for all.",
            remedy='Make it "Infinity", or leave it out.',
        )
    mem = scalar_of(task.resources, "mem")
    most = min(limits.get("mem", mem), _MOST_MEM)
    if round_scalar(most) <= round_scalar(mem):
        return 0
    if not bursts:
        raise TaskError(
            f"The task's limit of {most:g} MB is above its mem of {mem:g}; no device takes memory back.",
            remedy="Ask for as much mem as it needs, without a limit of mem.",
        )
    return mem_bytes(most) - mem_bytes(mem)


def exports_of(task: mesos.TaskInfo) -> tuple[str, ...]:
    """The exports that are to be called. TaskError, with a sentence for the framework, for what cannot be."""
    return tuple(_export(task, name, kind) for name, kind in CHECKS if task.HasField(name))


def _export(task: mesos.TaskInfo, name: str, kind: int) -> str:
    wanted = getattr(task, name)
    words = name.replace("_", " ")
    if wanted.type != kind:
        asked = type(wanted).Type.Name(wanted.type)
        raise TaskError(
            f"The task asks for a {words} of type {asked}; nothing on the device would answer one.",
            remedy=f"Use type COMMAND, which calls an export of the module: {_FORM}.",
        )
    command = wanted.command.command if name == "check" else wanted.command
    if command.shell or not command.value:
        raise TaskError(
            f"The command of the task's {words} is one for a shell, and the device has none.",
            remedy=f"Name an export of the module: {_FORM}.",
        )
    if list(command.arguments) not in ([], [command.value]) or command.environment.variables:
        raise TaskError(
            f"The command of the task's {words} has arguments or an environment; an export takes none.",
            remedy="Leave them out.",
        )
    return str(command.value)


def labels_of(labels: mesos.Labels) -> dict[str, str]:
    """As a mapping; of a key that comes twice the last one counts."""
    return {label.key: label.value for label in labels.labels}


def _bytes_label(labels: Mapping[str, str], key: str) -> int | None:
    text = labels.get(key)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise TaskError(f"The label {key} is {text!r}.", remedy="Give a number of bytes, such as 2048.")
    return int(text)


def _pins_of(resources: Sequence[mesos.Resource]) -> frozenset[int]:
    spans = ranges_of(resources, "gpio")
    if sum(end - begin + 1 for begin, end in spans) > _PIN_LIMIT:
        raise TaskError(f"The task asks for more than {_PIN_LIMIT} pins.", remedy="Ask for fewer gpio.")
    return frozenset(pin for begin, end in spans for pin in range(begin, end + 1))
