"""The command palette: every action that can be taken now, by its name, from the registry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.actions import BY_ID, Action, Group, keys_of

HIDDEN = {"app.palette", "view.back"}
"""What one is in, and what closes it."""


class ActionProvider(Provider):
    """Searches labels and help texts."""

    def _available(self) -> Iterator[tuple[Action, ActiveBinding]]:
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            name = active.binding.id or ""
            if name in BY_ID and name not in seen and name not in HIDDEN and active.enabled:
                seen.add(name)
                yield BY_ID[name], active

    def _title(self, action: Action) -> str:
        keys = keys_of(action, getattr(self.app, "overrides", None))
        return f"{action.group.value}: {action.label}  ({keys[0]})"

    async def _take(self, active: ActiveBinding) -> None:
        await self.app.run_action(active.binding.action, active.node)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        order = list(BY_ID)
        found = sorted(self._available(), key=lambda pair: order.index(pair[0].id))
        found.sort(key=lambda pair: pair[0].group in (Group.VIEWS, Group.MOVE))  # known by heart: last
        for action, active in found:
            yield DiscoveryHit(self._title(action), partial(self._take, active), help=action.help)

    async def search(self, query: str) -> Hits:
        """Those that match, the help text counting half."""
        matcher = self.matcher(query)
        for action, active in self._available():
            title = self._title(action)
            score = max(matcher.match(title), matcher.match(action.help) / 2)
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self._take, active), help=action.help)
