"""Runs one program and ends it when its owner is gone: the other half of process.py.

Started as `python -I -S supervise.py SCRATCH PROGRAM [ARGUMENT ...]`, alone in its session. Stdin is a pipe
from the owner: a byte `t` or `k` on it terminates or kills the program, and its end, which the kernel
brings about however the owner dies, kills the program too. On stdout it says once `pid N` or
`error TEXT`; stderr is the program's. It exits as the program did, after everything that the program left
behind was killed and the folder SCRATCH (unless empty) removed.

It imports little, for it starts once for each program: 14 ms, and 3 MB that no other process shares.
"""

import os
import select
import signal
import sys

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _child(program: list[str], supervisor: int, report: int) -> None:
    """In the forked child: become the program. On failure, write the reason to `report` and exit."""
    try:
        os.setsid()
        if _LINUX:  # should somebody kill the supervisor itself
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(127)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(2, 1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(program[0], program)
    except OSError as error:
        os.write(report, (error.strerror or str(error)).encode())
        os._exit(127)


def _kill(group: int, number: int) -> None:
    try:  # contextlib would be one import more
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _bury_strays() -> None:
    """Kill what the program started and left: orphans come to us, the subreaper (Linux only)."""
    for _ in range(100):
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
                strays = [int(word) for word in file.read().split()]
        except OSError:
            return
        if not strays:
            return
        for stray in strays:
            try:
                os.kill(stray, signal.SIGKILL)
                os.waitpid(stray, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


def _remove(folder: str) -> None:
    if folder:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    scratch, program = sys.argv[1], sys.argv[2:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # the owner decides, not the terminal
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    report_read, report_write = os.pipe()
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(program, supervisor, report_write)
    os.close(report_write)
    failure = os.read(report_read, 1024)  # ends when exec succeeds: pipes are close-on-exec
    os.write(1, b"error " + failure + b"\n" if failure else b"pid %d\n" % pid)
    os.close(1)
    status = _watch(pid, wake_read)
    _kill(pid, signal.SIGKILL)
    if _LINUX:
        _bury_strays()
    _remove(scratch)
    if os.WIFSIGNALED(status):
        import resource

        ending = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core dump is enough
        if ending != signal.SIGKILL:
            signal.signal(ending, signal.SIG_DFL)
        os.kill(supervisor, ending)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _watch(pid: int, wake: int) -> int:
    """Obey the owner until the program ends; its wait status."""
    sources = [0, wake]
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        ready, _, _ = select.select(sources, [], [])
        if wake in ready:
            os.read(wake, 64)
        if 0 in ready:
            orders = os.read(0, 64)
            if not orders:
                sources.remove(0)
            _kill(pid, signal.SIGKILL if not orders or b"k" in orders else signal.SIGTERM)


main()
