"""The text of one file under the editor: colours, problems and breakpoints in place, dirty or not.

Textual's TextArea does the editing; what is ours is drawn over its lines, so that undo, selection and the
mouse stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widgets import TextArea

from console.look import highlight
from console.look.spans import Tone
from console.widgets.lines import COMPONENT_CSS, COMPONENTS
from hal.problems import Problem

_OURS = {"ctrl+f"}
"""Keys of TextArea that mean something else here."""
_OPENERS = ("{", "(", "[")
INDENT = 4


class EditText(TextArea, inherit_bindings=False):
    """`problems` are the compiler's for this very file, `breaks` the lines where the debugger stops."""

    BINDINGS: ClassVar[list[BindingType]] = [
        one for one in TextArea.BINDINGS if not (isinstance(one, Binding) and one.key in _OURS)
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    DEFAULT_CSS = f"""
    EditText, EditText:focus {{
        border: none; padding: 0; width: 1fr; height: 1fr;
        background: $background; color: $foreground;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        {COMPONENT_CSS}
        & .text-area--gutter {{ color: $dim; background: $background; }}
        & .text-area--cursor-line {{ background: $cursor-idle; }}
        & .text-area--matching-bracket {{ background: $track; text-style: bold; }}
    }}
    """

    class Left(Message):
        """Esc: out of the text."""

    class Toggled(Message):
        """A click on the gutter, at a line from 1."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self, text: str, *, language: str, readonly: bool, widget_id: str | None = None) -> None:
        super().__init__(
            text,
            highlight_cursor_line=False,  # Textual's would take the colours of the line
            soft_wrap=False,
            tab_behavior="indent",
            show_line_numbers=True,
            read_only=readonly,
            id=widget_id,
        )
        self.indent_width = INDENT
        self._tongue = language
        self._seen: Sequence[str] = ()
        self._insides: list[bool] = []
        self._problems: Mapping[int, Problem] = {}
        self._breaks: frozenset[int] = frozenset()

    # -- what stands in the lines

    def show(self, problems: Sequence[Problem], breaks: Collection[int]) -> None:
        """Newer facts; the first problem of a line, errors before warnings, is the one that is drawn."""
        found: dict[int, Problem] = {}
        for problem in sorted(problems, key=lambda one: one.severity != "error"):
            found.setdefault(problem.line, problem)
        facts = (found, frozenset(breaks))
        if facts != (self._problems, self._breaks):
            self._problems, self._breaks = facts
            self.notify_style_update()  # lines that were drawn are drawn anew
            self.refresh()

    def _is_inside(self, index: int) -> bool:
        lines = self.document.lines
        if self._seen != lines:
            self._seen = list(lines)
            self._insides = highlight.insides(lines, self._tongue)
        return self._insides[index]

    def get_line(self, line_index: int) -> Text:
        """Textual's hook: the line with its colours and its underline."""
        line = super().get_line(line_index)
        for start, end, tone in highlight.tokens(line.plain, self._is_inside(line_index), self._tongue)[0]:
            line.stylize(self._tone(tone), start, end)
        problem = self._problems.get(line_index + 1)
        if problem is not None and problem.column:
            start, end = extent(line.plain, problem)
            line.stylize(self._tone(tone_of(problem)) + Style(underline=True), start, end)
        return line

    def _tone(self, tone: Tone) -> Style:
        style = self.get_component_rich_style(f"tone--{tone.value}", partial=True)
        return Style(color=style.color, bold=style.bold)

    def render_line(self, y: int) -> Strip:
        """With a mark in the gutter, and behind the text what is wrong with it."""
        strip = super().render_line(y)
        number = y + self.scroll_offset.y + 1
        if number == self.cursor_location[0] + 1 and self.has_focus:
            strip = self._under_cursor(strip)
        problem = self._problems.get(number)
        if number > self.document.line_count or (problem is None and number not in self._breaks):
            return strip
        left = self.gutter_width - 2
        mark = _mark(problem, number in self._breaks)
        bar = next(iter(strip.crop(left, left + 1)), Segment(" ")).style or Style()
        sign = Strip([Segment(mark[0], bar + self._tone(mark[1]))], 1)
        strip = Strip.join([strip.crop(0, left), sign, strip.crop(left + 1, strip.cell_length)])
        return strip if problem is None else self._with_words(strip, number, problem)

    def _under_cursor(self, strip: Strip) -> Strip:
        """On another ground, but for what is selected; its number lit."""
        plain, ground = self.rich_style.bgcolor, self.get_component_rich_style("text-area--cursor-line")
        under, lit = Style(bgcolor=ground.bgcolor), self._tone(Tone.ACCENT)
        number, rest = strip.crop(0, self.gutter_width), strip.crop(self.gutter_width, strip.cell_length)
        return Strip.join(
            [
                Strip([Segment(text, (style or Style()) + under + lit) for text, style, _ in number]),
                Strip(
                    [
                        Segment(text, style + under if style and style.bgcolor in (None, plain) else style)
                        for text, style, _ in rest
                    ]
                ),
            ]
        )

    def _with_words(self, strip: Strip, number: int, problem: Problem) -> Strip:
        """The problem's text at the end of its line, where there is room for the most of it."""
        text = self.document.get_line(number - 1).expandtabs(INDENT)
        begin = self.gutter_width + len(text) + 3 - self.scroll_offset.x
        width = self.scrollable_content_region.width
        if begin < self.gutter_width or width - begin < 16:
            return strip
        words = (
            problem.text if len(problem.text) <= width - begin else problem.text[: width - begin - 1] + "…"
        )
        under = next(iter(strip.crop(begin, begin + 1)), Segment(" ")).style or Style()
        said = Strip([Segment(words, under + self._tone(tone_of(problem)) + Style(italic=True))], len(words))
        rest = strip.crop(begin + len(words), strip.cell_length)
        return Strip.join([strip.crop(0, begin), said, rest])

    # -- keys and mouse

    async def on_key(self, event: events.Key) -> None:
        """Esc leaves; a new line begins where the last one did, deeper after an opening bracket."""
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.Left())
        elif event.key == "enter" and not self.read_only:
            event.stop()
            event.prevent_default()
            row, column = self.cursor_location
            before = self.document.get_line(row)[:column]
            indent = before[: len(before) - len(before.lstrip())]
            deeper = " " * INDENT if before.rstrip().endswith(_OPENERS) else ""
            self.insert("\n" + indent + deeper)

    def on_click(self, event: events.Click) -> None:
        """On the gutter: a breakpoint."""
        if event.x < self.gutter_width:
            self.post_message(self.Toggled(event.y + self.scroll_offset.y + 1))

    def go(self, line: int, column: int = 1) -> None:
        """The cursor to a place from 1, with some lines around it in sight."""
        row = max(0, min(line - 1, self.document.line_count - 1))
        self.move_cursor((row, max(0, min(column - 1, len(self.document.get_line(row))))), center=True)


@lru_cache(maxsize=256)
def extent(text: str, problem: Problem) -> tuple[int, int]:
    """What of a line a problem underlines, in characters: the compiler's range, else the word there."""
    start = min(max(0, problem.column - 1), max(0, len(text) - 1))
    if problem.end > problem.column:
        return start, min(problem.end - 1, len(text))
    end = start
    while end < len(text) and (text[end].isalnum() or text[end] in "_.$"):
        end += 1
    return start, max(end, start + 1)


def tone_of(problem: Problem) -> Tone:
    """Red for what stops a build, amber for the rest."""
    return Tone.BAD if problem.severity == "error" else Tone.WARN


def _mark(problem: Problem | None, stops: bool) -> tuple[str, Tone]:
    if stops:
        return "●", Tone.BAD
    return ("✗", Tone.BAD) if problem is not None and problem.severity == "error" else ("!", Tone.WARN)
