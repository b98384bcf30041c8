"""The debug probes of this computer, and the one that is meant."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hal.errors import NoProbe, ProbeChoice, ProbeError

if TYPE_CHECKING:
    from pyocd.probe.debug_probe import DebugProbe

PYOCD = "pip install 'mesos-micro-agent[probes]'"
"""How pyOCD comes."""


@dataclass(frozen=True, slots=True)
class Found:
    """One probe: `uid` is its serial number, which names it on the command line."""

    uid: str
    title: str


def installed() -> bool:
    """Whether pyOCD is here."""
    return importlib.util.find_spec("pyocd") is not None


def present() -> tuple[Found, ...]:
    """All that are plugged in. NoProbe without pyOCD; ProbeError where USB cannot be asked."""
    return tuple(Found(probe.unique_id, probe.description) for probe in _all(None))


def choose(uid: str | None) -> DebugProbe:
    """The probe whose serial number is or holds `uid`; without one the only one that is there. A probe of
    another computer is `remote:HOST:PORT` (pyocd server). NoProbe, ProbeChoice, ProbeError."""
    found = _all(uid)
    exact = [probe for probe in found if probe.unique_id == uid]
    found = exact or found
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{probe.unique_id} ({probe.description})" for probe in found)
        raise ProbeChoice(f"Several probes may be meant: {names}.", remedy="Choose one by --probe SERIAL.")
    if uid is not None:
        there = ", ".join(probe.unique_id for probe in _all(None)) or "none"
        raise NoProbe(f"There is no probe {uid}.", remedy=f"There are: {there}.")
    raise NoProbe("There is no debug probe.", remedy="Plug it in; `mma doctor` tells whether you may use it.")


def _all(uid: str | None) -> list[DebugProbe]:
    if not installed():
        raise NoProbe("Debug probes need pyOCD, which is not here.", remedy=f"Get it: {PYOCD}")
    from pyocd.probe.aggregator import DebugProbeAggregator

    try:
        return list(DebugProbeAggregator.get_all_connected_probes(uid))
    except Exception as error:  # of libusb and each kind of probe: they have no common ancestor
        raise ProbeError(
            f"The probes cannot be listed: {error}.", remedy="`mma doctor` tells whether you may use them."
        ) from error
