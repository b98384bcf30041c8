"""What all our drawing widgets share: spans become strips by the tones of the theme, a line at a time.

Only lines that are on the screen are ever made, so a list of ten thousand costs what a screenful costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from console.actions import Scope, bindings
from console.look.spans import Line, Span, Tone, fit, plain
from console.messages import Done

_TONE_CSS = "\n".join(
    f"""
    & > .tone--{tone} {{ {css} }}"""
    for tone, css in {
        "text": "color: $tone-text;",
        "strong": "color: $strong; text-style: bold;",
        "dim": "color: $dim;",
        "accent": "color: $tone-accent;",
        "good": "color: $tone-good;",
        "warn": "color: $tone-warn;",
        "bad": "color: $tone-bad;",
        "info": "color: $tone-info;",
        "track": "color: $track;",
        "head": "color: $dim; text-style: bold;",
        "mark": "color: $tone-accent; text-style: bold;",
    }.items()
)

# Textual inherits CSS from the first base alone, so each widget class that draws spans takes both of these.
COMPONENTS = {f"tone--{tone.value}" for tone in Tone} | {"line--cursor", "line--cursor-idle"}
COMPONENT_CSS = f"""{_TONE_CSS}
    & > .line--cursor {{ background: $cursor; }}
    & > .line--cursor-idle {{ background: $cursor-idle; }}
"""


class Toned(Widget):
    """A widget that draws spans."""

    _toned: Mapping[tuple[Tone, Style | None], Style] = MappingProxyType({})
    """Styles made so far, by tone and what is under it."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without the one that makes true colours of a terminal's sixteen: tones have no others."""
        return [one for one in super().get_line_filters() if not isinstance(one, ANSIToTruecolor)]

    def notify_style_update(self) -> None:
        """Another theme, another focus: styles are made anew."""
        super().notify_style_update()
        self._toned = {}

    def strip(self, spans: Iterable[Span], cells: int, under: Style | None = None) -> Strip:
        """Spans as exactly `cells` cells over the widget's colours, or over `under`."""
        segments = []
        for text, tone, click in fit(tuple(spans), cells):
            if text:
                style = self._toned.get((tone, under)) or self._style(tone, under)
                if click:
                    style += Style.from_meta({"@click": click})
                segments.append(Segment(text, style))
        return Strip(segments, cells)

    def _style(self, tone: Tone, under: Style | None) -> Style:
        base = self.rich_style if under is None else self.rich_style + under
        style = base + self.get_component_rich_style(f"tone--{tone.value}", partial=True)
        self._toned = {**self._toned, (tone, under): style}
        return style

    def cursor_style(self) -> Style:
        """Background of the selected line, by focus."""
        name = "line--cursor" if self.has_focus else "line--cursor-idle"
        return Style(bgcolor=self.get_component_rich_style(name).bgcolor)


class OneLine(Toned):
    """One line of spans, such as a status bar."""

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    DEFAULT_CSS = f"""
    OneLine {{ height: 1; width: 1fr; {COMPONENT_CSS} }}
    """

    _shown: Line = ()
    _shown_cells = -1

    def spans(self, cells: int) -> Iterable[Span]:
        """What it says now in so many cells."""
        return ()

    def update(self) -> None:
        """Draw anew if it says something else now."""
        cells = self.size.width
        spans = tuple(self.spans(cells))
        if spans != self._shown or cells != self._shown_cells:
            self._shown, self._shown_cells = spans, cells
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line, whatever `y`."""
        cells = self.size.width
        if y:
            return self.strip((), cells)
        return self.strip(self._shown if cells == self._shown_cells else self.spans(cells), cells)


class LinesView(ScrollView, Toned, can_focus=True):
    """Lines that scroll; subclasses say what each one is."""

    BINDINGS = bindings(Scope.LIST)
    ALLOW_SELECT = False  # ours marks whole lines

    _picked = range(0)
    _mark_from: int | None = None

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's own name)
        super().__init__(id=id)
        self._drawn: dict[int, Strip] = {}

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    DEFAULT_CSS = f"""
    LinesView {{
        background: $background;
        color: $tone-text;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        overflow-y: auto;
        {COMPONENT_CSS}
    }}
    """

    def line(self, number: int) -> Iterable[Span]:
        """The spans of one line; empty past the end."""
        return ()

    @property
    def cells(self) -> int:
        """Width to draw in. The scrollbar's column is kept free, so that nothing moves when it comes."""
        return max(0, self.size.width - 1)

    def render_line(self, y: int) -> Strip:
        """Line `y` of the window, which is kept in mind for renew()."""
        strip = self._drawn[y] = self.window_line(y)
        return strip

    def renew(self) -> None:
        """Draw anew those lines in sight that look different now.

        What Textual does for each line that it is told to draw costs it five times of what it costs to make
        the line; of a fleet's readings or of a page's facts few lines change at a time.
        """
        across, down = self.size
        changed = [Region(0, y, across, 1) for y in self._drawn if y < down and self.looks_new(y)]
        if changed:
            self.refresh(*changed)

    def looks_new(self, y: int) -> bool:
        """Whether line `y` of the window differs from how it was drawn."""
        return self.window_line(y) != self._drawn[y]

    def window_line(self, y: int) -> Strip:
        """Line `y` of the window, made of what is known now."""
        number = y + self.scroll_offset.y
        return self.strip(
            self.line(number), self.cells, self.marked_style if number in self._picked else None
        )

    # -- copying: the mouse marks whole lines

    @property
    def marked_style(self) -> Style:
        """Background of lines that the mouse marked."""
        return Style(bgcolor=self.get_component_rich_style("line--cursor").bgcolor)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Lines are marked from here on."""
        self._mark_from = event.y + self.scroll_offset.y if event.button == 1 else None
        if self._picked:
            self._picked = range(0)
            self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """To here, while the button is held."""
        if self._mark_from is None or event.button != 1:
            return
        here = event.y + self.scroll_offset.y
        if here != self._mark_from or self._picked:
            self._picked = range(min(here, self._mark_from), max(here, self._mark_from) + 1)
            self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The mark stays until the next press."""
        self._mark_from = None

    def copied(self) -> str:
        """What copying takes: the marked lines, or those in sight."""
        top = self.scroll_offset.y
        lines = self._picked or range(top, top + self.size.height)
        return "\n".join(plain(self.line(number)).rstrip() for number in lines).strip("\n")

    def action_list_copy(self) -> None:
        text = self.copied()
        if not text:
            return
        self.app.copy_to_clipboard(text)
        lines = text.count("\n") + 1
        self.post_message(Done(f"Copied {lines} lines." if lines > 1 else f"Copied: {text[:200]}"))

    @property
    def page(self) -> int:
        """Lines that a page key moves by."""
        return max(1, self.size.height - 1)

    def extend_to(self, lines: int) -> None:
        """There are so many lines to scroll through.

        Textual lays the whole screen out anew whenever `virtual_size` is set, which with lines that come
        ceaselessly costs more than drawing them. Only a height that follows the content needs that; else the
        scrollbar is told, which asks for it by itself when it comes or goes.
        """
        size = Size(self.cells, lines)
        height = self.styles.height
        if height is None or height.is_auto:
            self.virtual_size = size
        elif size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)

    def go(self, y: int) -> None:
        """Scroll to a line at once; forced, for the scrollbar that allows it may not be laid out yet."""
        self.scroll_to(y=y, animate=False, force=True)

    # Moving is by whole lines and at once: an animation would lag behind a held key.

    def action_list_down(self) -> None:
        self.go(self.scroll_offset.y + 1)

    def action_list_up(self) -> None:
        self.go(self.scroll_offset.y - 1)

    def action_list_page_down(self) -> None:
        self.go(self.scroll_offset.y + self.page)

    def action_list_page_up(self) -> None:
        self.go(self.scroll_offset.y - self.page)

    def action_list_top(self) -> None:
        self.go(0)

    def action_list_bottom(self) -> None:
        self.go(self.max_scroll_y)
