"""What the emulation tests share: the bare-metal program, and proof that nothing survives a test."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import bare
import pytest


@pytest.fixture(scope="session")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of bare.py."""
    return bare.build(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def qemu() -> None:
    """Skip where QEMU is not installed."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed: apt install qemu-system-arm")


@pytest.fixture(autouse=True)
async def nothing_survives() -> AsyncIterator[None]:
    """Every task and child process that a test began must be gone after it."""
    tasks, before = asyncio.all_tasks(), _children()
    yield
    for _ in range(100):
        left, started = asyncio.all_tasks() - tasks - {asyncio.current_task()}, _children() - before
        if not left and not started:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"still there after the test: {[task.get_name() for task in left]}, processes {started}")


def _children() -> set[str]:
    """Ids of our child processes (Linux; elsewhere none are seen)."""
    if sys.platform != "linux":
        return set()
    return {
        pid
        for children in Path("/proc/self/task").glob("*/children")
        for pid in children.read_text().split()
        if Path(f"/proc/{pid}/cmdline").exists()
    }
