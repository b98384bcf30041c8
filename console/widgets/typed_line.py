"""One line at the edge of a screen in which one types; hidden until it is wanted."""

from __future__ import annotations

from textual.containers import Horizontal


class TypedLine(Horizontal):
    """Labels and an input, shown while it has the class `-on`."""

    DEFAULT_CSS = """
    TypedLine {
        height: 1;
        display: none;
        background: $panel;
        &.-on { display: block; }
        Label { width: auto; padding: 0 1; color: $tone-accent; text-style: bold; }
        Input, Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    }
    """
