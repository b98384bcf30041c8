"""mma-console: the application. Routes only: views draw, `console.state.feed` folds, the backend works."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from textual.actions import ActionParseResult
from textual.app import App
from textual.dom import DOMNode
from textual.events import Event, InputEvent
from textual.screen import Screen
from textual.widget import Widget

from console import messages as say
from console.actions import BY_ID, Group, Scope, bindings
from console.cluster.mesos import TaskSpec
from console.live.seam import Backend, BackendFactory
from console.look.collector import Collector
from console.look.figures import counted
from console.look.palette import ActionProvider
from console.look.theme import DARK, OURS, variables
from console.readonly import action_name, refusal
from console.saved import Saved
from console.screens.logs import LogsScreen
from console.screens.tasks import TasksScreen
from console.screens.view import View
from console.state.events import Progressed, Ran
from console.state.feed import Feed
from console.state.model import MASTER, State, start
from console.state.notices import notices
from console.views import VIEWS

NOTHING_SAVED = Saved()
_TICK = 1.0
_TROUBLE_SECONDS = 12.0
_LAST_SECONDS = 5.0
_HANG_UP_SECONDS = 20.0
"""For everything to be put away after the terminal was closed."""
_RESTART_SECONDS = 30.0
"""For a task to end after it was killed."""


def _end_within(seconds: float) -> None:
    """Whatever still holds the process by then."""
    last = threading.Timer(seconds, os._exit, [128 + signal.SIGHUP])
    last.daemon = True
    last.start()


class ConsoleApp(App[None]):
    """The terminal IDE over one session.

    `backend` opens the session once the first frame is on the screen. `targets` are the names that will
    come up, so that they are shown from the start. `keymap` gives actions other keys, by their ids.
    `readonly` refuses what changes a task, an offer or a board. It begins where `saved` says, and gives
    `keep` where it was left. An empty `theme` is that of `saved`.
    """

    TITLE = "mma-console"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {one.name: one.make for one in VIEWS}
    DEFAULT_MODE = "fleet"
    COMMANDS: ClassVar[set[Any]] = {ActionProvider}
    COMMAND_PALETTE_BINDING = "f24"  # ours is in the registry, as app.palette
    BINDINGS = bindings(Scope.APP)

    CSS = """
    CommandPalette { background: $background 60%; }
    CommandPalette SearchIcon { display: none; }
    CommandPalette > Vertical { background: $surface; width: 80; max-width: 100%; }
    CommandPalette > .command-palette--help-text { color: $dim; text-style: not bold not dim; }
    CommandList > .option-list--option { color: $tone-text; }
    CommandList > .option-list--option-highlighted { color: $strong; background: $cursor; }
    Toast { background: $panel; width: 64; max-width: 90%; padding: 0 1; }
    Input, Input:focus { color: $tone-text; background-tint: $foreground 0%; }
    Input > .input--placeholder, Input > .input--suggestion { color: $dim; }
    Tooltip { background: $panel; color: $foreground; }
    """

    def __init__(
        self,
        backend: BackendFactory,
        *,
        targets: Sequence[str] = (),
        keymap: Mapping[str, str] | None = None,
        theme: str = "",
        readonly: bool = False,
        saved: Saved = NOTHING_SAVED,
        keep: Callable[[Saved], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if saved.view in self.MODES:
            self.DEFAULT_MODE = saved.view  # type: ignore[misc] # Textual reads it of the instance
        super().__init__()
        for ours in OURS:
            self.register_theme(ours)
        known = self.available_themes
        self.theme = next((one for one in (theme, saved.theme) if one in known), DARK.name)
        self.overrides = dict(keymap or {})
        self.set_keymap(self.overrides)
        self.readonly = readonly
        self._saved = saved
        self._keep = keep
        self._factory = backend
        self._clock = clock
        self._feed = Feed(start(targets), clock, self._changed)
        self._collector = Collector()
        self._backend: Backend | None = None
        self._drawn = self._feed.state
        self._unsaved: tuple[str, ...] = ()
        self._redrawn = 0.0
        self._hung_up = False
        self._session: asyncio.Task[None] | None = None
        self._folding: asyncio.Task[None] | None = None

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """For themes that are not ours."""
        return variables(self.current_theme)

    # -- what views draw

    @property
    def state(self) -> State:
        """The newest one."""
        return self._feed.state

    @property
    def now(self) -> float:
        """The time."""
        return self._clock()

    def _changed(self) -> None:
        self.post_message(say.StateChanged())

    @property
    def settled(self) -> bool:
        """The session is up or has failed, and all that happened is folded."""
        opened = self._backend is not None or self.state.master.failed
        return opened and not self._feed.waiting

    def redraw(self) -> None:
        """Show the newest state on every screen of the present mode."""
        begun = time.monotonic()
        for screen in self.screen_stack:
            if isinstance(screen, View):
                screen.draw()
            elif hasattr(screen, "refresh_targets"):
                screen.refresh_targets()
        self._redrawn = time.monotonic()
        self.call_after_refresh(lambda: self._feed.drawn(time.monotonic() - begun))

    def on_state_changed(self) -> None:
        """After an event, at most thirty times a second."""
        before, self._drawn = self._drawn, self.state
        if before.master.failed != self.state.master.failed:
            self.refresh_bindings()  # trying again makes sense now, or no more
        for notice in notices(before, self.state):
            severity: Literal["error", "information"] = "error" if notice.bad else "information"
            self.notify(
                notice.text, severity=severity, timeout=_TROUBLE_SECONDS if notice.bad else 5, markup=False
            )
        self.redraw()

    # -- where it was left

    def remembered(self, view: str) -> Mapping[str, Any]:
        """What a view was like when the last session ended; empty if it is not known."""
        return self._saved.views.get(view, {})

    def _remember(self) -> None:
        """Keep what the views are like. Those that were not opened stay as they were kept."""
        screens = [stack[0] for stack in self._screen_stacks.values() if stack]
        views = {one.NAME: one.remember() for one in screens if isinstance(one, View) and one.is_mounted}
        self._saved = Saved(self.current_mode, self.theme, {**self._saved.views, **views})
        if self._keep is not None:
            self._keep(self._saved)

    # -- the session

    def on_mount(self) -> None:
        if self._saved.trouble:
            self.notify(self._saved.trouble, timeout=_TROUBLE_SECONDS, markup=False)
        self.set_interval(_TICK, self._tick)
        self._collector.begin()
        self._folding = asyncio.create_task(self._feed.run(), name="feed")
        # The first frame comes before anything heavy is imported or started.
        self.call_after_refresh(self.open_session)
        loop = asyncio.get_running_loop()

        def hang_up(number: int, frame: object) -> None:
            # Not by the loop alone: it may be stuck, writing to the terminal that is gone.
            _end_within(_HANG_UP_SECONDS)
            loop.call_soon_threadsafe(self._told_to_end, True)

        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGTERM, self._told_to_end, False)
            signal.signal(signal.SIGHUP, hang_up)

    def _told_to_end(self, hung_up: bool) -> None:
        """A signal: the terminal was closed, or somebody ended us."""
        self._hung_up = hung_up
        self._remember()
        self.exit()

    def _tick(self) -> None:
        if time.monotonic() - self._redrawn >= _TICK / 2:  # else the clock and the ages are fresh enough
            self.redraw()
        self._collector.tick()

    def on_event(self, event: Event) -> Coroutine[Any, Any, None]:
        """Textual's entry for every key and click."""
        if isinstance(event, InputEvent):
            self._collector.busy()
            self._feed.give_way()
        return super().on_event(event)

    def open_session(self) -> None:
        """Begin, or begin anew after a failure."""
        self._session = asyncio.create_task(self._run_session(), name="session")

    async def _run_session(self) -> None:
        try:
            async with self._factory(self._feed.post) as self._backend:
                await asyncio.Event().wait()
        except Exception as error:
            from console.trouble import words

            text, remedy = words(error)
            self._feed.post(Progressed(MASTER, f"{text} {remedy}".strip(), failed=True))
            self.post_message(say.Trouble(text, f"{remedy} r tries again.".strip()))
        finally:
            self._backend = None

    async def close_session(self) -> None:
        """Stop what runs. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            session.cancel()
            await asyncio.wait([session])

    async def on_unmount(self) -> None:
        """Whatever made the app end: nothing that it started outlives it."""
        self._collector.end()
        await self.close_session()
        if self._folding is not None:
            self._folding.cancel()
        if self._hung_up:
            # Textual waits for ever for its writing thread, which may have died with the terminal.
            _end_within(_LAST_SECONDS)

    # -- what views ask for

    def on_trouble(self, message: say.Trouble) -> None:
        """A toast with the remedy."""
        text = f"{message.text}\n{message.remedy}" if message.remedy else message.text
        self.notify(text, severity="error", timeout=_TROUBLE_SECONDS, markup=False)

    def on_done(self, message: say.Done) -> None:
        """A toast."""
        self.notify(message.text, timeout=4, markup=False)

    def on_launch_asked(self, message: say.LaunchAsked) -> None:
        """The dialog; what it returns is submitted."""
        from console.screens.launch import Launch

        def chosen(spec: TaskSpec | None) -> None:
            if spec is not None:
                self.post_message(say.SubmitAsked(spec))

        dialog = Launch(
            lambda: self._backend, lambda: self.state, target=message.target, module=message.module
        )
        self.push_screen(dialog, chosen)

    def on_submit_asked(self, message: say.SubmitAsked) -> None:
        """Submit, and show the task."""

        async def submit(backend: Backend) -> None:
            task_id = await backend.submit(message.spec)
            await self.switch_mode("tasks")
            self._feed.fold()
            if isinstance(self.screen, TasksScreen):
                self.screen.draw()
                self.screen.table.select(task_id)

        self._work(submit)

    def on_kill_asked(self, message: say.KillAsked) -> None:
        """After a question."""
        from console.screens.dialog import Confirm

        task = self.state.tasks.get(message.task_id)
        if task is None or task.state.terminal:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._work(lambda backend: backend.kill(task.id))

        where = f"on {task.spec.target} " if task.agent_id else ""
        question = f"Kill {task.id} {where}now? What it did not publish yet is lost."
        self.push_screen(Confirm("Kill a task", question, yes="Kill", no="Keep"), answered)

    def on_kill_all_asked(self, message: say.KillAllAsked) -> None:
        """After the target's name was typed."""
        from console.screens.dialog import Confirm

        target, tasks = message.target, [task.id for task in self.state.tasks_on(message.target)]
        if not tasks:
            self.post_message(say.Trouble(f"No task of ours is on {target}.", "n launches one."))
            return

        def answered(yes: bool | None) -> None:
            for task in tasks if yes else ():
                self._work(lambda backend, task=task: backend.kill(task))  # type: ignore[misc]

        question = (
            f"Kill {counted(len(tasks), 'task')} on {target} now: {_listed(tasks)}? "
            "What they did not publish yet is lost."
        )
        self.push_screen(Confirm("Kill all", question, yes="Kill all", no="Keep", typed=target), answered)

    def on_clone_asked(self, message: say.CloneAsked) -> None:
        """The dialog; what it returns is submitted."""
        from console.screens.clone import Clone

        task = self.state.tasks.get(message.task_id)

        def chosen(spec: TaskSpec | None) -> None:
            if spec is not None:
                self.post_message(say.SubmitAsked(spec))

        if task is not None:
            self.push_screen(Clone(task, lambda: self._backend, lambda: self.state), chosen)

    def on_restart_asked(self, message: say.RestartAsked) -> None:
        """At once where it has ended, else after a question."""
        from console.screens.dialog import Confirm

        task = self.state.tasks.get(message.task_id)
        if task is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._work(lambda backend: self._restart(backend, task.id, task.spec))

        if task.state.terminal:
            answered(True)
            return
        question = f"Kill {task.id} on {task.spec.target} now, and launch the same again?"
        self.push_screen(Confirm("Restart a task", question, yes="Restart", no="Keep"), answered)

    async def _restart(self, backend: Backend, task_id: str, spec: TaskSpec) -> None:
        """Kill, wait for its end, submit."""
        if not self.state.tasks[task_id].state.terminal:
            await backend.kill(task_id)
            async with asyncio.timeout(_RESTART_SECONDS):
                while not self.state.tasks[task_id].state.terminal:  # noqa: ASYNC110 (states are folded)
                    await asyncio.sleep(0.05)
        self.post_message(say.SubmitAsked(spec))

    def on_decline_asked(self, message: say.DeclineAsked) -> None:
        """At once: the master offers it again soon."""
        self._work(lambda backend: backend.decline(message.offer_id))

    def on_revive_asked(self) -> None:
        """At once."""

        async def revive(backend: Backend) -> None:
            await backend.revive()
            self.post_message(say.Done("Asked the master to offer everything again."))

        self._work(revive)

    def on_backend_asked(self, message: say.BackendAsked) -> None:
        """What a screen wants to know."""
        self._work(message.work)

    def on_fault_asked(self, message: say.FaultAsked) -> None:
        """In words; enter does it."""
        from console.screens.fault import FaultDialog

        async def inflict(backend: Backend, fault: str) -> None:
            self.post_message(say.Done(await backend.inflict(message.target, fault)))

        def given(fault: str | None) -> None:
            if fault:
                self._work(lambda backend: inflict(backend, fault))

        self.push_screen(FaultDialog(message.target), given)

    def on_debug_asked(self, message: say.DebugAsked) -> None:
        """What a screen wants of the debugger."""
        self._work(lambda backend: message.work(backend.debugger))

    async def on_debug_target_asked(self, message: say.DebugTargetAsked) -> None:
        """In the Debug view."""
        await self.switch_mode("debug")
        self._work(lambda backend: backend.debugger.attach(message.target))

    def on_memory_asked(self, message: say.MemoryAsked) -> None:
        """What a screen wants of a target's memory."""
        self._work(lambda backend: message.work(backend.memory))

    async def on_memory_target_asked(self, message: say.MemoryTargetAsked) -> None:
        """In the Memory view."""
        await self.switch_mode("memory")
        self._work(lambda backend: backend.memory.survey(message.target))

    def on_edit_asked(self, message: say.EditAsked) -> None:
        """What the editor wants done."""
        self._work(lambda backend: message.work(backend.editor))

    async def on_source_asked(self, message: say.SourceAsked) -> None:
        """In the Edit view."""
        await self.switch_mode("edit")
        from console.screens.edit import EditScreen

        if isinstance(self.screen, EditScreen):
            await self.screen.open(Path(message.path), message.line)

    def on_unsaved_changed(self, message: say.UnsavedChanged) -> None:
        """Quitting asks while there are any."""
        self._unsaved = message.names

    async def on_logs_asked(self, message: say.LogsAsked) -> None:
        """In the Logs view."""
        await self.switch_mode("logs")
        if isinstance(self.screen, LogsScreen):
            self.screen.read(message.source)

    def _work(self, work: Callable[[Backend], Coroutine[Any, Any, object]]) -> None:
        """Run something against the backend; errors become toasts."""
        backend = self._backend
        if backend is None:
            self.post_message(say.Trouble("The session is not up yet.", "Wait for the master, or press r."))
            return

        async def run() -> None:
            try:
                await work(backend)
            except Exception as error:
                from console.trouble import words

                self.post_message(say.Trouble(*words(error)))

        self.run_worker(run(), group="backend", exclusive=False)

    # -- actions of the registry

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Trying again only makes sense after a failure."""
        if action == "app_retry":
            return self.state.master.failed and (self._session is None or self._session.done())
        return True

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Textual's entry for every action, by key, click or palette: read-only refuses here and says why."""
        refused = refusal(action if isinstance(action, str) else action[1]) if self.readonly else None
        if refused is not None:
            self.post_message(say.Trouble(*refused))
            return True
        name = action_name(action if isinstance(action, str) else action[1])
        if name is not None and BY_ID[name].group not in (Group.VIEWS, Group.MOVE, Group.CONSOLE):
            self._feed.post(Ran("key", f"{BY_ID[name].label}  {name}"))
        return await super().run_action(action, default_namespace, namespaces)

    def action_app_palette(self) -> None:
        self.action_command_palette()

    def action_app_help(self) -> None:
        from console.screens.dialog import Help

        self.push_screen(Help(self.overrides))

    def action_app_jump(self) -> None:
        from console.screens.jump import Jump

        def chosen(widget: Widget | None) -> None:
            if widget is not None:
                self.screen.set_focus(widget)

        if not isinstance(self.screen, Jump):
            self.push_screen(Jump([one for one in self.screen.focus_chain if one.region.area]), chosen)

    def action_app_theme(self) -> None:
        names = [theme.name for theme in OURS]
        place = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[place % len(names)]

    def action_app_picture(self) -> None:
        name = time.strftime("mma-console-%Y%m%d-%H%M%S.svg", time.localtime(self.now))
        if self.is_web:
            self.deliver_screenshot(name)
            return
        path = Path(name).absolute()
        try:
            path.write_text(self.export_screenshot(), encoding="utf-8")
        except OSError as error:
            self.post_message(
                say.Trouble(f"The picture was not saved: {error.strerror}.", "Is the folder writable?")
            )
            return
        self.post_message(say.Done(f"Saved {path}."))

    def action_app_retry(self) -> None:
        self._feed.post(Progressed(MASTER, "Trying again."))
        self.open_session()

    def action_app_leave(self) -> None:
        from console.screens.dialog import Confirm

        living = len(self.state.living_tasks)
        if not living and not self._unsaved:
            self._leave(True)
            return
        parts = (
            [f"Edits of {', '.join(self._unsaved)} are not saved and will be lost."] if self._unsaved else []
        )
        if living:
            verb = "ends" if living == 1 else "end"
            parts.append(f"{counted(living, 'task')} still here {verb} with the session.")
        question = f"{' '.join(parts)} Leave?"
        self.push_screen(Confirm("Quit", question, yes="Quit", no="Stay"), self._leave)

    def _leave(self, yes: bool | None) -> None:
        if yes:
            self._remember()
            self.run_worker(self._stop(), group="leave", exclusive=True)

    async def _stop(self) -> None:
        if self._session is not None:
            self.notify("Stopping the targets and the master …", timeout=30, markup=False)
            await asyncio.sleep(0.05)  # let it be seen
        await self.close_session()
        self.exit()

    async def action_quit(self) -> None:
        """Textual's own ctrl+q: ours, with the question."""
        self.action_app_leave()


def _listed(names: Sequence[str], most: int = 4) -> str:
    """The first names, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
