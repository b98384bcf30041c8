"""Edit: sources of executors and of the kernel. A save builds them and runs them anew where they run."""

from __future__ import annotations

import asyncio
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import TextArea

from console.actions import Scope, bindings
from console.edit.external import edit_outside
from console.edit.files import Paper, SourceFile, sources
from console.edit.view import Build
from console.errors import ConsoleError, UsageError
from console.guests.modules import SOURCES
from console.look.highlight import language_of
from console.look.spans import EMPTY, Line, Span, Tone, dim
from console.messages import DebugAsked, Done, EditAsked, LaunchAsked, Trouble, UnsavedChanged
from console.pages import edit as pages
from console.pages.parts import nothing
from console.screens.dialog import Confirm
from console.screens.view import View
from console.state.filters import Filter
from console.trouble import words
from console.widgets.edit_text import EditText, tone_of
from console.widgets.lines import OneLine
from console.widgets.prompt import Prompt
from console.widgets.table import Column, Table
from hal.problems import Problem

_KEPT_FILES = 12
_LOOK_EVERY = 1.0
"""Seconds between looks at the disk."""

_PROMPTS = {
    "find": ("find", "a text; upper and lower case alike"),
    "line": ("line", "its number"),
    "new": ("new executor", "NAME, then c, zig or wat, then hello, blink or rule: blinky zig blink"),
}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file in the list, with what there is to say of it now."""

    file: SourceFile
    dirty: bool
    errors: int
    running: int


def _mark(row: FileRow, cells: int) -> Line:
    if row.dirty:
        return (Span("●", Tone.WARN),)
    if row.errors:
        return (Span("✗", Tone.BAD),)
    return (Span("▶", Tone.GOOD),) if row.running else (dim(" "),)


def _name(row: FileRow, cells: int) -> Line:
    folder, slash, name = row.file.label.rpartition("/")
    return (dim(folder + slash), Span(name))


FILES: tuple[Column[FileRow], ...] = (
    Column("", _mark, 1),
    Column("FILE", _name, 16, grow=1, sort=lambda row: row.file.label),
    Column("OF", lambda row, _: (dim(row.file.kind),), 8, needs=30, sort=lambda row: row.file.kind),
    Column("ABOUT", lambda row, _: (dim(row.file.about),), 20, grow=3, needs=60),
)


def _where(row: Problem, cells: int) -> Line:
    return (dim(f"{row.line}:{row.column}" if row.line else "–"),)  # noqa: RUF001 (a dash)


def _said(row: Problem, cells: int) -> Line:
    return (Span("✗ " if row.severity == "error" else "! ", tone_of(row)), Span(row.text))


PROBLEMS: tuple[Column[Problem], ...] = (
    Column("LINE", _where, 7, right=True),
    Column("PROBLEM", _said, 20, grow=4),
    Column("FILE", lambda row, _: (dim(row.path.rpartition("/")[2]),), 10, grow=1, needs=70),
)


class Heading(OneLine):
    """Which file it is."""

    DEFAULT_CSS = "Heading { background: $surface; }"
    sheet: pages.Sheet | None = None

    def spans(self, cells: int) -> Line:
        return pages.head(self.sheet, cells)


class Verdict(OneLine):
    """What became of its newest save."""

    DEFAULT_CSS = "Verdict { background: $surface; }"
    build: Build | None = None

    def spans(self, cells: int) -> Line:
        return pages.verdict(self.build, cells)


class EditScreen(View):
    """Wide: the files beside the text. Narrow: one of them. Problems below the text, while there are any."""

    NAME = "edit"
    BINDINGS = bindings(Scope.EDIT)

    DEFAULT_CSS = """
    EditScreen #desk { width: 1fr; height: 1fr; }
    EditScreen #files { width: 1fr; height: 1fr; }
    EditScreen.-wide #files { width: 38; border-right: solid $rule; }
    EditScreen.-wide #files:focus { border-right: solid $primary; }
    EditScreen #paper { width: 1fr; height: 1fr; }
    EditScreen.-narrow #paper { display: none; }
    EditScreen.-narrow.-text #paper { display: block; }
    EditScreen.-narrow.-text #files { display: none; }
    EditScreen #texts { width: 1fr; height: 1fr; }
    EditScreen EditText { display: none; }
    EditScreen EditText.-on { display: block; }
    EditScreen Verdict { display: none; }
    EditScreen Verdict.-on { display: block; }
    EditScreen #problems { display: none; height: auto; max-height: 6; border-top: solid $rule; }
    EditScreen #problems.-on { display: block; }
    EditScreen #problems:focus { border-top: solid $primary; }
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder or Path.cwd()
        self._files: Sequence[SourceFile] = ()
        self._papers: dict[Path, Paper] = {}
        self._texts: dict[Path, EditText] = {}
        self._path: Path | None = None
        self._dirty: tuple[str, ...] = ()
        self._looked = 0.0
        self._pattern = ""
        self._asking = False

    def body(self) -> ComposeResult:
        """The files, the text, its problems, and a line to type in."""
        with Vertical(id="desk"):
            with Horizontal():
                yield Table(
                    FILES,
                    key=lambda row: str(row.file.path),
                    search=lambda row: f"{row.file.label} {row.file.kind} {row.file.about}",
                    empty=lambda: nothing("No sources here.", "^n begins an executor."),
                    head=False,
                    widget_id="files",
                )
                with Vertical(id="paper"):
                    yield Heading()
                    yield Vertical(id="texts")
                    yield Verdict()
                    yield Table(
                        PROBLEMS,
                        key=lambda row: f"{row.path}:{row.line}:{row.column}:{row.text}",
                        search=lambda row: row.text,
                        head=False,
                        widget_id="problems",
                    )
            yield Prompt()

    # -- what it shows

    @property
    def files(self) -> Table[FileRow]:
        """The list of files."""
        return self.query_one("#files", Table)

    @property
    def problems(self) -> Table[Problem]:
        """What the compiler complains of in the file."""
        return self.query_one("#problems", Table)

    @property
    def text(self) -> EditText | None:
        """The text in front."""
        return self._texts.get(self._path) if self._path else None

    @property
    def build(self) -> Build | None:
        """The newest save of the file in front."""
        return self.state.builds.get(str(self._path))

    def main(self) -> Widget:
        """The text, where one is open."""
        return self.text or self.files

    def on_mount(self) -> None:
        super().on_mount()
        self._find_files()

    @work(group="files", exclusive=True)
    async def _find_files(self) -> None:
        self._files = await asyncio.to_thread(sources, self._folder)
        self.redraw()

    def redraw(self) -> None:
        """All of it."""
        self._look_at_disk()
        self.files.show([self._row(one) for one in self._files])
        build = self.build
        heading, verdict = self.query_one(Heading), self.query_one(Verdict)
        heading.sheet = self._sheet()
        heading.update()
        verdict.build = build
        verdict.set_class(build is not None, "-on")
        verdict.update()
        problems = sorted(build.problems, key=self._order) if build is not None else []
        self.problems.set_class(bool(problems), "-on")
        self.problems.show(problems)
        if self.text is not None:
            own = [one for one in problems if Path(one.path) == self._path]
            self.text.show(own, self._breaks())

    def _row(self, file: SourceFile) -> FileRow:
        build = self.state.builds.get(str(file.path))
        running = sum(task.spec.source == file.path for task in self.state.living_tasks)
        return FileRow(file, self.is_dirty(file.path), build.errors if build else 0, running)

    def _sheet(self) -> pages.Sheet | None:
        text, path = self.text, self._path
        if text is None or path is None:
            return None
        row, column = text.cursor_location
        dirty = self.is_dirty(path)
        place = str(path.parent).replace(str(Path.home()), "~", 1)
        outdated = dirty and self._papers[path].touched
        return pages.Sheet(path.name, place, (row + 1, column + 1), dirty, text.read_only, outdated)

    def _breaks(self) -> set[int]:
        spots = (spot for one in self.state.debug.breaks if one.enabled for spot in one.spots)
        return {line for path, line in spots if path and Path(path) == self._path}

    def note(self) -> Line:
        """How many files have edits."""
        count = len(self._dirty)
        saved = (dim("all saved"),) if self._texts else EMPTY
        return (Span(f"{count} unsaved", Tone.WARN),) if count else saved

    # -- files

    def is_dirty(self, path: Path) -> bool:
        """There are edits that are not on disk."""
        text = self._texts.get(path)
        return text is not None and text.text != self._papers[path].text

    def remember(self) -> dict[str, Any]:
        """The open files with their cursors too, the one in front last."""
        order = sorted(self._texts, key=lambda path: path == self._path)[-_KEPT_FILES:]
        places = ((path, self._texts[path].cursor_location) for path in order)
        files = [[str(path), row + 1, column + 1] for path, (row, column) in places]
        return {**super().remember(), "files": files}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Those that are still there; the list keeps the focus, for in a text all keys are text."""
        super().restore(kept)
        self._reopen(kept.get("files"))

    @work(group="reopen")
    async def _reopen(self, files: object) -> None:
        for one in files if isinstance(files, list) else ():
            match one:
                case [str(name), int(line), int(column)] if await asyncio.to_thread(Path(name).is_file):
                    await self.open(Path(name), line, column, focus=False)

    async def open(self, path: Path, line: int = 0, column: int = 1, *, focus: bool = True) -> None:
        """Bring a file to the front, at a line from 1 if one is named."""
        path = path.resolve()  # noqa: ASYNC240 (one look at the disk)
        if path not in self._texts:
            paper = Paper(path)
            try:
                content = paper.read()
            except ConsoleError as error:
                self.post_message(Trouble(error.message, error.remedy))
                return
            readonly = self._readonly or not paper.writable
            text = EditText(content, language=language_of(path.name), readonly=readonly)
            self._papers[path], self._texts[path] = paper, text
            await self.query_one("#texts", Vertical).mount(text)
        self._path = path
        for one, text in self._texts.items():
            text.set_class(one == path, "-on")
        self.files.select(str(path))
        self.set_class(focus, "-text")
        self.redraw()
        self.redraw_frame()
        self.call_after_refresh(self._settle, self._texts[path], line, column, focus)

    def _settle(self, text: EditText, line: int, column: int, focus: bool) -> None:
        """Once it is laid out."""
        if text is self.text or not focus:
            if focus:
                text.focus()
            if line:
                text.go(line, column)

    @property
    def _readonly(self) -> bool:
        return bool(getattr(self.app, "readonly", False))

    def _look_at_disk(self) -> None:
        """What somebody else wrote is taken over, unless there are edits: then a save asks."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        for path, paper in self._papers.items():
            if not self.is_dirty(path) and paper.touched and path.exists():
                self._take_over(path)
                self.post_message(Done(f"{path.name} was changed on disk; here it is."))

    def _take_over(self, path: Path) -> None:
        """The file as it is on disk; the cursor stays where it was, and undo goes back to what was here."""
        text = self._texts[path]
        place = text.cursor_location
        try:
            content = self._papers[path].read()
        except ConsoleError as error:
            self.post_message(Trouble(error.message, error.remedy))
            return
        text.replace(content, (0, 0), text.document.end)
        text.go(place[0] + 1, place[1] + 1)
        self._tell_dirty()

    def _tell_dirty(self) -> None:
        dirty = tuple(path.name for path in self._texts if self.is_dirty(path))
        if dirty != self._dirty:
            self._dirty = dirty
            self.post_message(UnsavedChanged(dirty))
            self.redraw_frame()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """An edit."""
        self._tell_dirty()
        self.redraw()

    def on_text_area_selection_changed(self, event: TextArea.SelectionChanged) -> None:
        """The cursor moved."""
        heading = self.query_one(Heading)
        heading.sheet = self._sheet()
        heading.update()

    async def on_table_opened(self, event: Table.Opened) -> None:
        """Enter: the file, or the place of the problem."""
        if event.table is self.files and self.files.selected is not None:
            await self.open(self.files.selected.file.path)
        elif event.table is self.problems and self.problems.selected is not None:
            await self._go_to(self.problems.selected)

    async def _go_to(self, problem: Problem) -> None:
        path = Path(problem.path)
        if problem.line and path.is_absolute():
            await self.open(path, problem.line, problem.column)

    # -- saving

    def action_edit_save(self) -> None:
        path, text = self._path, self.text
        if path is None or text is None:
            self.post_message(Trouble("No file is open.", "enter opens the selected one."))
            return
        if text.read_only:
            self.post_message(Trouble(f"{path.name} cannot be written.", "Copy it to a folder of yours."))
            return
        if not self._papers[path].touched:
            self._save(True)
            return
        question = f"{path.name} was changed on disk since it was read. Write what is here over it?"
        self.app.push_screen(Confirm("Save", question, yes="Overwrite", no="Keep"), self._save)

    def _save(self, yes: bool | None) -> None:
        path, text = self._path, self.text
        if not yes or path is None or text is None:
            return
        try:
            self._papers[path].write(text.text)
        except ConsoleError as error:
            self.post_message(Trouble(error.message, error.remedy))
            return
        self._saved(path)

    def _saved(self, path: Path) -> None:
        self._tell_dirty()
        self.redraw()
        self.post_message(EditAsked(lambda editor: editor.saved(path)))

    def action_edit_reload(self) -> None:
        path = self._path
        if path is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._take_over(path)

        if not self.is_dirty(path):
            answered(True)
            return
        question = f"The edits of {path.name} that were not saved will be lost. Read it from disk?"
        self.app.push_screen(Confirm("Reload", question, yes="Reload", no="Keep"), answered)

    @work(group="external", exclusive=True)
    async def action_edit_external(self) -> None:
        path = self._path
        if path is None:
            self.post_message(Trouble("No file is open.", "enter opens the selected one."))
            return
        if self.is_dirty(path):
            self.post_message(Trouble(f"{path.name} has edits that were not saved.", "^s saves them."))
            return
        command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        paper = self._papers[path]
        line, before = self.text.cursor_location[0] + 1 if self.text else 1, paper.stamp
        try:
            await edit_outside(self.app, [*shlex.split(command), f"+{line}", str(path)])
        except Exception as error:
            self.post_message(Trouble(*words(error)))
            return
        if paper.touched:
            self._take_over(path)
        if paper.stamp != before:  # it may have been noticed while the editor was closing
            self._saved(path)

    def action_edit_launch(self) -> None:
        path = self._path
        if path is None or path.suffix not in SOURCES:
            self.post_message(Trouble("This is no executor.", "Open a .c, .zig or .wat file."))
        elif self.is_dirty(path):
            self.post_message(Trouble(f"{path.name} has edits that were not saved.", "^s saves them."))
        else:
            self.post_message(LaunchAsked(module=path))

    # -- going about

    def action_edit_files(self) -> None:
        if self.files.has_focus and self.text is not None:
            self.add_class("-text")
            self.text.focus()
        else:
            self.remove_class("-text")
            self.files.focus()

    def on_edit_text_left(self) -> None:
        """Esc in the text: where single keys are commands again."""
        self.remove_class("-text")
        self.files.focus()

    def leave_detail(self) -> bool:
        """Esc elsewhere: out of the line, back from the problems."""
        if self.query_one(Prompt).leave():
            return True
        if self.problems.has_focus and self.text is not None:
            self.text.focus()
            return True
        return False

    async def action_edit_next(self) -> None:
        await self._step_problem(1)

    async def action_edit_previous(self) -> None:
        await self._step_problem(-1)

    def _order(self, problem: Problem) -> tuple[bool, str, int, int]:
        """Those of this file first, from its top down."""
        return problem.path != str(self._path), problem.path, problem.line, problem.column

    async def _step_problem(self, by: int) -> None:
        build = self.build
        placed = [one for one in build.problems if one.line] if build is not None else []
        if not placed:
            self.post_message(Done("The compiler has no complaint of this file."))
            return
        order = sorted(placed, key=self._order)
        row, column = self.text.cursor_location if self.text is not None else (0, 0)
        here = (False, str(self._path), row + 1, column + 1)
        keys = [self._order(one) for one in order]
        if by > 0:
            place = next((n for n, key in enumerate(keys) if key > here), 0)
        else:
            place = next((n for n in reversed(range(len(keys))) if keys[n] < here), -1)
        chosen = order[place]
        self.problems.select(f"{chosen.path}:{chosen.line}:{chosen.column}:{chosen.text}")
        await self._go_to(chosen)

    def action_edit_find(self) -> None:
        chosen = self.text.selected_text if self.text is not None else ""
        self.query_one(Prompt).begin("find", *_PROMPTS["find"], chosen if "\n" not in chosen else "")

    def action_edit_again(self) -> None:
        text = self.text
        if not self._pattern or text is None:
            self.action_edit_find()
            return
        pattern, lines = self._pattern.casefold(), text.document.lines
        row, column = text.cursor_location
        for turn, number in enumerate((*range(row, len(lines)), *range(row + 1))):
            begin = column + 1 if turn == 0 else 0
            at = lines[number].casefold().find(pattern, begin)
            if at >= 0:
                text.go(number + 1, at + 1)
                return
        self.post_message(Trouble(f"{self._pattern} is nowhere in this file."))

    def action_edit_line(self) -> None:
        self.query_one(Prompt).begin("line", *_PROMPTS["line"])

    def action_edit_new(self) -> None:
        self.query_one(Prompt).begin("new", *_PROMPTS["new"])

    async def on_prompt_given(self, event: Prompt.Given) -> None:
        """What was typed, by what it is for."""
        if event.kind == "find":
            self._pattern = event.text
            self.action_edit_again()
        elif event.kind == "line" and self.text is not None:
            if event.text.isdecimal():
                self.text.go(int(event.text))
            else:
                self.post_message(Trouble(f"{event.text} is no line.", "Write its number."))
        elif event.kind == "new":
            await self._begin(event.text)

    async def _begin(self, text: str) -> None:
        from console.guests.templates import create, named

        try:
            made = create(*named(text), self._folder)
        except (ConsoleError, UsageError) as error:
            self.post_message(Trouble(error.message, error.remedy))
            return
        self._find_files()
        await self.open(made[0])

    def on_prompt_left(self) -> None:
        """Back to where one was."""
        self.set_focus(self.main())

    # -- breakpoints

    def action_edit_break(self) -> None:
        if self.text is not None:
            self._toggle(self.text.cursor_location[0] + 1)

    def on_edit_text_toggled(self, event: EditText.Toggled) -> None:
        """A click on the gutter."""
        self._toggle(event.line)

    def _toggle(self, line: int) -> None:
        path = str(self._path)
        self.post_message(DebugAsked(lambda debugger: debugger.toggle(path, line)))

    def apply_filter(self, where: Filter) -> None:
        """On the files."""
        self.files.where = where

    def counted(self) -> tuple[int, int]:
        """Files."""
        return self.files.count
