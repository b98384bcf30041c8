"""A board in QEMU that runs the debuggee, and sessions on it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import debuggee
import pytest

from emulation.gdb import stubs
from emulation.gdb.session import Session
from emulation.qemu import QemuMachine
from hal.boards import load_board

MEMORY = (
    (0x08000000, 0x08100000),
    (0x20000000, 0x20020000),
    (0x40000000, 0x60000000),
    (0xE0000000, 0xE0100000),
)
"""Of the stm32f4: QEMU gives zeros where there is nothing."""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The debuggee's ELF."""
    return debuggee.build(tmp_path_factory.mktemp("debuggee"))


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image linked at an address of its own."""
    folder = tmp_path_factory.mktemp("guest with space")
    return debuggee.build(folder, "guest", debuggee.GUEST, debuggee.GUEST_AT)


@pytest.fixture
def gdb() -> None:
    """Skip where GDB is not installed."""
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not installed: apt install gdb-multiarch")


@pytest.fixture
async def machine(qemu: None, program: Path) -> AsyncIterator[QemuMachine]:
    """The debuggee, running."""
    async with QemuMachine(load_board("stm32f4")) as machine:
        await machine.start(program)
        yield machine


@pytest.fixture
async def session(gdb: None, machine: QemuMachine, program: Path) -> AsyncIterator[Session]:
    """Attached, and stopped somewhere."""
    async with Session(stub=stubs.QEMU) as session:
        await session.symbols.load(program)
        assert machine.gdb is not None
        await session.attach(machine.gdb, memory=MEMORY)
        yield session
