"""Every view of the console, once: tabs, digits, actions and screens are all made from this table.

A further view is one line here and one screen (console.screens.view.View); its screen is imported when it is
shown for the first time.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen

    from console.state.model import State


@dataclass(frozen=True, slots=True)
class ViewEntry:
    """One view. `screen` is module:class; `count` is what stands behind its tab, 0 for nothing."""

    name: str
    label: str
    help: str
    screen: str
    count: Callable[[State], int] = lambda state: 0

    @property
    def key(self) -> str:
        """Its digit: its place in the table."""
        return str(VIEWS.index(self) + 1)

    def make(self) -> Screen[Any]:
        """A screen, for Textual's modes."""
        module, _, name = self.screen.partition(":")
        made: Screen[Any] = getattr(importlib.import_module(module), name)()
        return made


VIEWS: tuple[ViewEntry, ...] = (
    ViewEntry(
        "fleet",
        "Fleet",
        "Targets, what they have and what runs on them.",
        "console.screens.fleet:FleetScreen",
        lambda state: len(state.targets),
    ),
    ViewEntry(
        "offers",
        "Offers",
        "Offers as the master makes them.",
        "console.screens.offers:OffersScreen",
        lambda state: len(state.open_offers),
    ),
    ViewEntry(
        "tasks",
        "Tasks",
        "Tasks, their states and results.",
        "console.screens.tasks:TasksScreen",
        lambda state: len(state.living_tasks),
    ),
    ViewEntry("logs", "Logs", "What executors, devices and Mesos say.", "console.screens.logs:LogsScreen"),
    ViewEntry(
        "debug",
        "Debug",
        "Break, step and look, in the kernel and in executors.",
        "console.screens.debug:DebugScreen",
    ),
    ViewEntry(
        "memory",
        "Memory",
        "Flash and RAM of a device: who has what, to the byte; its bytes.",
        "console.screens.memory:MemoryScreen",
    ),
    ViewEntry(
        "edit",
        "Edit",
        "Sources: a save builds them, and runs them anew where they run.",
        "console.screens.edit:EditScreen",
    ),
)
