"""Compiles modules so that nobody else waits for it: what is large in a process of its own, with limits.

The translator is Python. In a thread of the gateway's process it would hold the interpreter for up to a
second at a time, and take some 200 MB that stay; in its own process it can also be stopped. The result comes
by way of the cache, as of any other compilation. Small modules are done at once: a process costs more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar, cast

from hal.aot import compiler
from hal.aot.model import Machine, Object
from hal.aot.validate import validate
from hal.boards import Board
from hal.errors import HalError, ToolchainError

P = ParamSpec("P")
T = TypeVar("T")

ran = logging.getLogger("mma.ran.build")

LARGE = 32 << 10
"""Bytes of a module: most have fewer."""
TIME_LIMIT = 180.0
"""Seconds for all: the translator takes some of them, and each tool has its own limit."""
MEMORY_LIMIT = 2 << 30
"""Bytes of address space."""
NICE = 5
"""The gateway itself goes first."""


def compile_apart(module: bytes, board: Board, checked: Sequence[str] = ()) -> Object:
    """Validate and compile for a board, as hal.aot.validate and compile do. Blocks; for a thread."""
    machine = Machine.of(board)
    if len(module) < LARGE:
        validate(module)
    elif not compiler.is_kept(module, machine, checked):
        _in_a_process((module, machine, tuple(checked)))
    return compiler.compile_for(module, machine, checked=checked)


async def beside(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Run what compiles or links in a thread of a kind of its own: however many modules keep the compiler
    busy, the threads for files, names and reports (asyncio.to_thread) are free."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), partial(work, *arguments, **named))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(32, (os.cpu_count() or 1) + 4), "compile")


def _in_a_process(job: tuple[bytes, Machine, tuple[str, ...]]) -> None:
    """HalError of the child's; ToolchainError where it ran out of time or memory."""
    command = [sys.executable, "-P", "-m", "hal.aot.apart", str(MEMORY_LIMIT)]
    ran.info("%s", shlex.join(command))
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        try:
            answer, _ = process.communicate(pickle.dumps(job), timeout=TIME_LIMIT)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise ToolchainError(
                f"Compiling the module took longer than {TIME_LIMIT:g} s and was stopped.",
                remedy="Make the module smaller.",
            ) from None
    if process.returncode == 0:
        return
    if process.returncode == FAILED:
        raise cast(HalError, pickle.loads(answer))  # our own child's word
    raise ToolchainError(
        "The compiler ended before it was done.",
        remedy="It may have needed more memory than it is allowed; make the module smaller.",
    )


FAILED = 4
"""The child's exit status when its output is the HalError."""


def main() -> None:
    """The child."""
    os.nice(NICE)
    if sys.platform == "linux":
        import ctypes
        import resource

        limit = int(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not without the gateway
    module, machine, checked = pickle.loads(sys.stdin.buffer.read())
    try:
        validate(module)
        compiler.compile_for(module, machine, checked=checked)
    except HalError as error:
        sys.stdout.buffer.write(pickle.dumps(error))
        sys.stdout.buffer.flush()
        os._exit(FAILED)


if __name__ == "__main__":
    main()
