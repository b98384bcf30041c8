"""Kernels under QEMU for the tests of the firmware."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from kernel_client import Kernel

from hal.boards import board_names, load_board
from hal.firmware import Firmware, build


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "boards(*names): runs on these boards only; otherwise on all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "firmware" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("boards")
        names = marker.args if marker else board_names()
        metafunc.parametrize("firmware", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def firmware(request: pytest.FixtureRequest) -> Firmware:
    """The kernel of each board in turn."""
    board = load_board(request.param)
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
