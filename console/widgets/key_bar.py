"""The bottom line: keys of the actions that can be taken here and now. A click takes one."""

from __future__ import annotations

from collections.abc import Iterable

from textual.screen import Screen
from textual.widgets import Input

from console.actions import ACTIONS, BY_ID, key_name, keys_of
from console.look.spans import Span, Tone, width
from console.widgets.lines import OneLine

_ALWAYS = ("app.retry", "app.help", "app.leave")
"""Kept when the line is too narrow for all."""


class KeyBar(OneLine):
    """Follows the bindings of its screen."""

    DEFAULT_CSS = """
    KeyBar { background: $bar; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[object]) -> None:
        self.update()

    def spans(self, cells: int) -> Iterable[Span]:
        """As many as there is room for, in the registry's order; while one types, what ends that."""
        if isinstance(self.screen.focused, Input):
            for key, words in (("enter", "back to the list"), ("esc", "no filter")):
                yield from (Span(f" {key}", Tone.MARK), Span(f" {words}  "))
            return
        found: dict[str, tuple[Span, ...]] = {}
        active = {key: one for key, one in self.screen.active_bindings.items() if not self._typed(key)}
        overrides = getattr(self.app, "overrides", None)
        names = {key_name(key) for key in active}
        for key, (_, binding, enabled, _) in active.items():
            if not binding.show or binding.id is None or binding.id in found:
                continue
            tones = (Tone.MARK, Tone.TEXT) if enabled else (Tone.DIM, Tone.DIM)
            click = f"app.simulate_key('{key}')" if enabled else ""
            keys = keys_of(BY_ID[binding.id], overrides) if binding.id in BY_ID else (key_name(key),)
            found[binding.id] = (
                Span(next((name for name in keys if name in names), keys[0]), tones[0], click),
                Span(f" {binding.description}", tones[1], click),
                Span("   "),
            )
        room = cells - 1 - sum(width(found[name]) for name in _ALWAYS if name in found)
        yield Span(" ")
        for action in ACTIONS:
            spans = found.get(action.id)
            if spans is None:
                continue
            if action.id not in _ALWAYS:
                if width(spans) > room:
                    continue
                room -= width(spans)
            yield from spans

    def _typed(self, key: str) -> bool:
        """It is text where the cursor is, and no command."""
        focused, name = self.screen.focused, key_name(key)
        return focused is not None and focused.check_consume_key(key, name if len(name) == 1 else None)
