"""Panes whose border can be moved, by keys and by the mouse; each keeps its share of the room.

A view names its pairs of neighbours. Whether they lie side by side or one above the other is the layout's
business and differs with the size of the terminal, so a pair has a share for each of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget

Way = Literal["across", "down"]

_LEAST, _MOST = 0.12, 0.88
_RULES: Mapping[Way, tuple[str, ...]] = {
    "across": ("width", "min_width", "max_width"),
    "down": ("height", "min_height", "max_height"),
}


@dataclass(frozen=True, slots=True)
class Split:
    """Two neighbours, by selectors; of several that match, those in sight are meant."""

    name: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class _Border:
    split: Split
    first: Widget
    second: Widget
    way: Way

    @property
    def room(self) -> int:
        """Cells of both together."""
        one, other = self.first.outer_size, self.second.outer_size
        return one.width + other.width if self.way == "across" else one.height + other.height

    @property
    def start(self) -> int:
        """Where the first begins on the screen."""
        return self.first.region.x if self.way == "across" else self.first.region.y

    @property
    def share(self) -> float:
        """Of the first."""
        size = self.first.outer_size
        return (size.width if self.way == "across" else size.height) / max(1, self.room)

    def at(self, place: Offset) -> bool:
        """Whether the line between them is there."""
        one, other = self.first.region, self.second.region
        if self.way == "across":
            at_first = place.x == one.right - 1 and bool(self.first.styles.border_right[0])
            at_second = place.x == other.x and bool(self.second.styles.border_left[0])
            return (at_first or at_second) and one.y <= place.y < max(one.bottom, other.bottom)
        at_second = place.y == other.y and bool(self.second.styles.border_top[0])
        return at_second and one.x <= place.x < one.right


class Panes:
    """The pairs of one screen."""

    def __init__(self, screen: Screen[None], splits: Sequence[Split]) -> None:
        self._screen = screen
        self._splits = splits
        self._touched: set[Widget] = set()
        self._dragged: _Border | None = None
        self.shares: dict[str, float] = {}
        """Of the first of each pair, by its name and way."""

    def restore(self, kept: object) -> None:
        """Shares from a file."""
        if isinstance(kept, dict):
            for name, share in kept.items():
                if isinstance(share, int | float) and not isinstance(share, bool):
                    self.shares[str(name)] = min(_MOST, max(_LEAST, float(share)))
            self.arrange()

    def arrange(self) -> None:
        """Give the panes their room, after the layout changed."""
        if not self.shares and not self._touched:
            return
        for widget in self._touched:
            _clear(widget)
        self._touched.clear()
        self._screen.call_after_refresh(self._apply)

    def move(self, way: Way, by: int) -> bool:
        """Move the border next to what has the focus by so many cells; False where there is none."""
        focused = self._screen.focused
        borders = [one for one in self._borders() if one.way == way]
        near = [
            one
            for one in borders
            if focused is not None and {one.first, one.second} & {focused, *focused.ancestors}
        ]
        if not borders:
            return False
        border = (near or borders)[0]
        self._set(border, border.share + by / max(1, border.room))
        return True

    # -- by the mouse

    def grab(self, place: Offset) -> bool:
        """Take the border that is there, if one is."""
        self._dragged = next((one for one in self._borders() if one.at(place)), None)
        if self._dragged is not None:
            self._dragged.second.capture_mouse()
        return self._dragged is not None

    def drag(self, place: Offset) -> None:
        """Move what was taken there."""
        border = self._dragged
        if border is not None:
            at = place.x if border.way == "across" else place.y
            self._set(border, (at - border.start) / max(1, border.room))
            self._screen.clear_selection()

    def drop(self) -> None:
        """Let it go."""
        if self._dragged is not None:
            self._dragged.second.release_mouse()
            self._dragged = None

    # -- the layout

    def _borders(self) -> Iterator[_Border]:
        for split in self._splits:
            first, second = self._in_sight(split.first), self._in_sight(split.second)
            if first is not None and second is not None:
                across = first.region.y == second.region.y and first.region.x != second.region.x
                yield _Border(split, first, second, "across" if across else "down")

    def _in_sight(self, selector: str) -> Widget | None:
        return next((one for one in self._screen.query(selector) if one.display and one.region.area), None)

    def _set(self, border: _Border, share: float) -> None:
        share = min(_MOST, max(_LEAST, share))
        self.shares[f"{border.split.name} {border.way}"] = round(share, 4)
        self._give(border, share)

    def _apply(self) -> None:
        for border in self._borders():
            share = self.shares.get(f"{border.split.name} {border.way}")
            if share is not None:
                self._give(border, share)

    def _give(self, border: _Border, share: float) -> None:
        for widget, part in ((border.first, share), (border.second, 1 - share)):
            size = f"{round(part * 1000)}fr"
            self._touched.add(widget)
            if border.way == "across":
                widget.styles.width, widget.styles.min_width, widget.styles.max_width = size, 0, "100%"
            else:
                widget.styles.height, widget.styles.min_height, widget.styles.max_height = size, 0, "100%"


def _clear(widget: Widget) -> None:
    for rules in _RULES.values():
        for rule in rules:
            widget.styles.inline.clear_rule(rule)
    widget.refresh(layout=True)
