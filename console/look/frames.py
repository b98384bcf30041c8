"""How often Textual may paint: 240 times a second instead of 60.

A key that comes just after a paint waits for one or two more periods, then for the paint itself: at 60 a
second up to 45 ms, at 240 some 25. An idle console paints nothing, and events of a session lead to 30 paints
a second at most (console.state.feed).
"""

from __future__ import annotations

import os


def quicken() -> None:
    """Before Textual is imported, which reads it from the environment. A person's own setting stays."""
    os.environ.setdefault("TEXTUAL_FPS", "240")
