"""Kernels under QEMU for the tests of the firmware."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from kernel_client import Kernel

from hal.boards import load_board
from hal.firmware import Firmware, build


@pytest.fixture(scope="session")
def firmware() -> Firmware:
    """The kernel of stm32f4."""
    board = load_board("stm32f4")
    if shutil.which(board.emulators["qemu"]["system"]) is None:
        pytest.skip("QEMU is not installed")
    return build(board)


@pytest.fixture
def boot(firmware: Firmware) -> Iterator[Callable[..., Kernel]]:
    """Boots kernels; all are gone after the test."""
    kernels: list[Kernel] = []

    def one(*options: str) -> Kernel:
        kernels.append(Kernel(firmware, options))
        return kernels[-1]

    yield one
    for kernel in kernels:
        kernel.close()


@pytest.fixture
def kernel(boot: Callable[..., Kernel]) -> Kernel:
    """One freshly booted kernel."""
    return boot()
