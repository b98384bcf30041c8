"""The microcontroller target: executors compiled ahead of time, on a device behind a link."""

from __future__ import annotations

from hal.mcu.placed import Placed
from hal.mcu.target import McuTarget

__all__ = ["McuTarget", "Placed"]
