"""The console's three looks. One accent; green, amber and red only for states.

Contrast of every text colour on its background is at least 4.5 to 1 (WCAG AA); a test holds that.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="mma-dark",
    dark=True,
    primary="#56c7bd",
    secondary="#82aaff",
    accent="#56c7bd",
    foreground="#d5dae2",
    background="#0f1318",
    surface="#151b22",
    panel="#1d2530",
    success="#8fce7f",
    warning="#e8b765",
    error="#f2777a",
    variables={
        "dim": "#939dac",
        "strong": "#f4f6f9",
        "track": "#2b3542",
        "rule": "#2b3542",
        "cursor": "#223140",
        "cursor-idle": "#1a222c",
        "bar": "#151b22",
        "scrollbar": "#2f3a48",
        "scrollbar-hover": "#445366",
        "scrollbar-active": "#56c7bd",
        "scrollbar-background": "#0f1318",
        "scrollbar-background-hover": "#0f1318",
        "scrollbar-background-active": "#0f1318",
        "scrollbar-corner-color": "#0f1318",
        "border": "#56c7bd",
        "border-blurred": "#2b3542",
        "input-selection-background": "#2c4a5a",
        "block-cursor-background": "#223140",
        "block-cursor-foreground": "#f4f6f9",
        "block-cursor-blurred-background": "#1a222c",
    },
)

LIGHT = Theme(
    name="mma-light",
    dark=False,
    primary="#0b7069",
    secondary="#2b57b8",
    accent="#0b7069",
    foreground="#262b33",
    background="#fbfbf8",
    surface="#f2f2ec",
    panel="#e7e7df",
    success="#256d2a",
    warning="#7d5200",
    error="#ae211b",
    variables={
        "dim": "#5f6672",
        "strong": "#0d1117",
        "track": "#d5d6cf",
        "rule": "#d0d1c9",
        "cursor": "#d9e7e4",
        "cursor-idle": "#ecede7",
        "bar": "#f2f2ec",
        "scrollbar": "#c9cac2",
        "scrollbar-hover": "#a9aba3",
        "scrollbar-active": "#0b7069",
        "scrollbar-background": "#fbfbf8",
        "scrollbar-background-hover": "#fbfbf8",
        "scrollbar-background-active": "#fbfbf8",
        "scrollbar-corner-color": "#fbfbf8",
        "border": "#0b7069",
        "border-blurred": "#d0d1c9",
        "input-selection-background": "#b9dcd7",
        "block-cursor-background": "#d9e7e4",
        "block-cursor-foreground": "#0d1117",
        "block-cursor-blurred-background": "#ecede7",
    },
)

CONTRAST = Theme(
    name="mma-contrast",
    dark=True,
    primary="#5ff0ff",
    secondary="#a8c7ff",
    accent="#5ff0ff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    success="#7dff7d",
    warning="#ffd75f",
    error="#ff8c8c",
    variables={
        **DARK.variables,
        "dim": "#d0d0d0",
        "strong": "#ffffff",
        "track": "#5a5a5a",
        "rule": "#8a8a8a",
        "cursor": "#00366b",
        "cursor-idle": "#262626",
        "bar": "#1c1c1c",
        "scrollbar": "#8a8a8a",
        "scrollbar-hover": "#d0d0d0",
        "scrollbar-active": "#5ff0ff",
        "scrollbar-background": "#000000",
        "scrollbar-background-hover": "#000000",
        "scrollbar-background-active": "#000000",
        "scrollbar-corner-color": "#000000",
        "border": "#5ff0ff",
        "border-blurred": "#8a8a8a",
    },
)

OURS = (DARK, LIGHT, CONTRAST)


def names() -> Sequence[str]:
    """Every theme that can be chosen: ours first, then Textual's."""
    return (*(theme.name for theme in OURS), *sorted(BUILTIN_THEMES))


def variables(theme: Theme) -> dict[str, str]:
    """What our widgets need beside Textual's own variables, mixed from a theme that does not have it."""
    ground = Color.parse(theme.background or ("#121212" if theme.dark else "#efefef"))
    ink = Color.parse(theme.foreground or ("#e0e0e0" if theme.dark else "#1f1f1f"))
    if -1 in (ground.ansi or 0, ink.ansi or 0):  # the terminal's own colours cannot be mixed
        return dict(DARK.variables if theme.dark else LIGHT.variables)

    def mixed(share: float) -> str:
        return ground.blend(ink, share).hex

    return {
        "dim": mixed(0.72),
        "strong": ink.hex,
        "track": mixed(0.2),
        "rule": mixed(0.22),
        "cursor": mixed(0.16),
        "cursor-idle": mixed(0.08),
        "bar": mixed(0.05),
    }
