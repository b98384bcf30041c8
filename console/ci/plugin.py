"""The pytest plugin: fixtures for tests of guests on a genuine master and an emulated or real board.

    @pytest.mark.mma_targets("stm32f4@qemu", "host")
    def test_fib(launch):
        assert launch("fib", "20").wait().result == "6765"

Fixtures: `mesos_master`, `gateway`, `board`, `launch`, and `mma_target`, the name of the target. A test that
fails reports what the device said. Nothing heavy is imported before a fixture is used. docs/ci.md.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from console.ci.handles import Board, Gateway, Launcher
    from console.ci.loop import Loop

_DEFAULT = "stm32f4@qemu"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mma", "Mesos Micro Agent")
    group.addoption(
        "--mma-target",
        action="append",
        default=[],
        metavar="TARGET",
        help=f"Run tests that need a target on this one, in place of their own (several times; {_DEFAULT}).",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "mma_targets(*names): the targets that a test runs on, once on each")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mma_target" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("mma_targets")
        names = metafunc.config.getoption("--mma-target") or (marker.args if marker else ()) or (_DEFAULT,)
        metafunc.parametrize("mma_target", names, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    gateway: Gateway | None = getattr(item, "funcargs", {}).get("gateway")
    if report.failed and gateway is not None:
        report.sections.append((f"log of {gateway.target}", "\n".join(gateway.log())))
    return report


@pytest.fixture(scope="session")
def _mma_loop() -> Iterator[Loop]:
    from console.ci.loop import Loop

    with Loop() as loop:
        yield loop


@pytest.fixture(scope="session")
def mesos_master(_mma_loop: Loop) -> Iterator[str]:
    """HOST:PORT of a genuine Mesos master that runs as long as the tests."""
    from emulation.errors import EnvironmentMissing
    from emulation.master import Master

    try:
        with _mma_loop.holding(Master()) as master:
            yield master.address
    except EnvironmentMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def mma_target(request: pytest.FixtureRequest) -> str:
    """The target that this test runs on: of its mark mma_targets, or of --mma-target."""
    return str(request.param)


@pytest.fixture
def gateway(_mma_loop: Loop, mesos_master: str, mma_target: str) -> Iterator[Gateway]:
    """The target, freshly booted, behind the master as an agent."""
    from console.ci.handles import Gateway
    from console.ci.rig import open_rig
    from console.errors import ConsoleError, Exit
    from console.fleet.opening import parse_name
    from emulation.errors import EnvironmentMissing

    rig = open_rig(parse_name(mma_target), master=mesos_master, framework="pytest")
    try:
        with _mma_loop.holding(rig) as opened:
            yield Gateway(_mma_loop, opened)
    except EnvironmentMissing as error:
        pytest.skip(str(error))
    except ConsoleError as error:
        if error.exit_code is not Exit.ENVIRONMENT:
            raise
        pytest.skip(str(error))


@pytest.fixture
def board(gateway: Gateway) -> Board:
    """The board: its sensors, pins, power and link."""
    return gateway.board


@pytest.fixture
def launch(gateway: Gateway) -> Launcher:
    """launch(MODULE, *arguments, mem=…, gpio=…, sensors=…) launches a task on the target."""
    return gateway.launch
