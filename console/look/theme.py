"""The console's three looks, and what it makes of Textual's. One accent; green, amber and red for states.

Contrast of every text on its background is at least 4.5 to 1 (WCAG AA) in all of them; a test holds that.
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


READABLE = 4.5
"""The least contrast of a text on what is under it: WCAG 2.1, 1.4.3."""

TONES = {
    "text": "foreground",
    "accent": "primary",
    "good": "success",
    "warn": "warning",
    "bad": "error",
    "info": "secondary",
}
"""Tones of text by the colour of a theme that they are nearest to; the variable is `tone-` and the tone."""


def variables(theme: Theme) -> dict[str, str]:
    """What our widgets need beside Textual's own variables, mixed from a theme that does not have it.

    Themes choose their colours for areas as much as for words, so those that words are drawn in are led
    towards black or white until they can be read on everything that they may stand on.
    """
    colours = theme.to_color_system().generate()
    ground, ink = Color.parse(colours["background"]), Color.parse(colours["foreground"])
    if ground.ansi is not None or ink.ansi is not None:  # the terminal's own colours cannot be mixed
        made = dict(DARK.variables if theme.dark else LIGHT.variables)
        made |= {f"tone-{tone}": colours[name] for tone, name in TONES.items()}
        made["field"] = colours["panel"]
        return made | {"on-primary": colours["background"], "on-error": colours["background"]}

    def mixed(share: float) -> str:
        return ground.blend(ink, share).hex

    made = {
        "track": mixed(0.2),
        "rule": mixed(0.22),
        "cursor": mixed(0.16),
        "cursor-idle": mixed(0.08),
        "bar": mixed(0.05),
    } | {name: value for name, value in theme.variables.items() if name in GROUNDS}
    panel, surface = (Color.parse(colours[name]) for name in ("panel", "surface"))
    apart = contrast(panel, surface) > 1.05  # else a field would not be seen on a dialog
    made["field"] = panel.hex if apart else surface.blend(ink, 0.1).hex
    grounds = [Color.parse(made.get(name) or colours[name]) for name in GROUNDS]
    for tone, name in TONES.items():
        made[f"tone-{tone}"] = readable(Color.parse(colours[name]), grounds).hex
    made["dim"] = readable(Color.parse(mixed(0.72)), grounds).hex
    made["strong"] = made["tone-text"]
    for name in ("primary", "error"):  # what a button of that colour says
        made[f"on-{name}"] = readable(ground, [Color.parse(colours[name])]).hex
    return made


GROUNDS = ("background", "surface", "panel", "field", "cursor", "cursor-idle", "bar")
"""Everything that words stand on, by its variable."""


def readable(colour: Color, grounds: Sequence[Color]) -> Color:
    """The colour, or the nearest one towards black or white that can be read on all grounds."""
    ends = (Color(0, 0, 0), Color(255, 255, 255))
    far = max(ends, key=lambda end: min(contrast(end, ground) for ground in grounds))
    return next(
        found
        for step in range(21)
        if min(contrast(found := colour.blend(far, step / 20), ground) for ground in grounds) >= READABLE
        or step == 20
    )


def contrast(one: Color, other: Color) -> float:
    """From 1 to 21: WCAG 2.1, its definition of a contrast ratio."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = [part / 255 for part in (colour.r, colour.g, colour.b)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
