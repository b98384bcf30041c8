"""Where a session on a fleet was left: view, filters, sorting, sizes of panes, colours; kept for each fleet.

One JSON file a fleet in the user's state folder. It holds what was looked at and nothing else, so a file that
is broken is left aside, which the person is told once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_VERSION = 1
_LARGEST = 256 * 1024


@dataclass(frozen=True, slots=True)
class Saved:
    """`views` has for each view by name what its screen made of itself (View.remembered)."""

    view: str = ""
    theme: str = ""
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    trouble: str = ""
    """Why what was kept could not be used; empty if it could, or if there was nothing."""


class Store:
    """The file of one fleet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, targets: Sequence[str], master: str | None) -> Store:
        """Of a fleet: its targets in any order, and the master where one was named."""
        import platformdirs

        name = hashlib.sha256("\n".join([master or "", *sorted(targets)]).encode()).hexdigest()[:16]
        return cls(platformdirs.user_state_path("mesos-micro-agent") / "console" / f"{name}.json")

    def read(self) -> Saved:
        """What was kept. Never fails."""
        try:
            with self.path.open("rb") as file:
                data = file.read(_LARGEST + 1)
            found = json.loads(data) if len(data) <= _LARGEST else None
        except FileNotFoundError:
            return Saved()
        except (OSError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("version") != _VERSION:
            return Saved(trouble=f"{self.path} is broken, so the views are as at first.")
        view, theme, views = found.get("view"), found.get("theme"), found.get("views")
        return Saved(
            view if isinstance(view, str) else "",
            theme if isinstance(theme, str) else "",
            {name: one for name, one in views.items() if isinstance(one, dict)}
            if isinstance(views, dict)
            else {},
        )

    def write(self, saved: Saved) -> None:
        """Keep it; whole or not at all. A folder that cannot be written to keeps nobody from leaving."""
        text = json.dumps(
            {"version": _VERSION, "view": saved.view, "theme": saved.theme, "views": dict(saved.views)}
        )
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
            beside.write_text(text, encoding="utf-8")
            beside.replace(self.path)
