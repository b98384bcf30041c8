"""Offers: live, as the master makes them, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence

from textual.app import ComposeResult

from console.actions import Scope, bindings
from console.cluster.mesos import Offer, OfferState, mem_bytes
from console.commands.shared.ask_options import parse_line
from console.fit.lens import Lens
from console.guests.modules import examples
from console.live.seam import Backend
from console.look.figures import age_text, size_text
from console.look.spans import EMPTY, Line, Span, Tone, dim, line
from console.messages import BackendAsked, DeclineAsked, ReviveAsked
from console.pages.offer import MARKS, frameworks_part, offer_page
from console.pages.parts import nothing
from console.screens.view import ListView
from console.state.model import MESOS, short_id
from console.state.rows import more_resources, offer_rows, offer_search
from console.widgets.prompt import Prompt
from console.widgets.table import Column, Table
from hal.budget import Parts
from hal.target import Budget


def _tone(offer: Offer) -> Tone:
    return Tone.TEXT if offer.state is OfferState.OPEN else Tone.DIM


def _state(offer: Offer, cells: int) -> Line:
    mark, tone = MARKS[offer.state]
    return (Span(f"{mark} {offer.state.value}", tone),)


def _mem(offer: Offer) -> int:
    return mem_bytes(offer.resources.scalars.get("mem", 0.0))


class OffersScreen(ListView):
    """Offers and the detail of one."""

    NAME = "offers"
    BINDINGS = bindings(Scope.OFFERS)

    def __init__(self) -> None:
        super().__init__()
        self._with_closed = True
        self._lens: Lens | None = None
        self._completing = False

    def foot(self) -> ComposeResult:
        """A line to type a module in."""
        yield Prompt()

    def make_table(self) -> Table[Offer]:
        """The offers."""
        columns: tuple[Column[Offer], ...] = (
            Column("OFFER", lambda one, _: (Span(short_id(one.id), _tone(one)),), 5),
            Column(
                "TARGET",
                lambda one, _: (Span(one.target, _tone(one)),),
                14,
                grow=1,
                sort=lambda one: one.target,
            ),
            Column(
                "AGE",
                lambda one, _: (Span(age_text(one.age(self.now)), _tone(one)),),
                6,
                right=True,
                sort=lambda one: one.age(self.now),
            ),
            Column("FITS", self._fits, 8, grow=1, shown=lambda: self._lens is not None),
            Column("STATE", _state, 11, sort=lambda one: one.state.value),
            Column(
                "AGO",
                self._ago,
                5,
                right=True,
                sort=lambda one: self.now - (one.closed or self.now),
                shown=self._roomy,
            ),
            Column(
                "CPUS",
                lambda one, _: (Span(f"{one.resources.scalars.get('cpus', 0.0):g}", _tone(one)),),
                5,
                right=True,
                sort=lambda one: one.resources.scalars.get("cpus", 0.0),
                shown=self._roomy,
            ),
            Column(
                "BYTES",
                lambda one, _: (Span(size_text(_mem(one)), _tone(one)),),
                9,
                right=True,
                sort=_mem,
            ),
            Column(
                "AND",
                lambda one, _: (Span(more_resources(one), Tone.DIM),),
                12,
                grow=3,
                needs=74,
                shown=self._roomy,
            ),
        )
        return Table(
            columns,
            key=lambda one: one.id,
            search=offer_search,
            empty=self._empty,
            widget_id="list",
        )

    def _ago(self, offer: Offer, cells: int) -> Line:
        """How long it is closed."""
        return EMPTY if offer.closed is None else (dim(age_text(max(0.0, self.now - offer.closed))),)

    def _empty(self) -> Sequence[Line]:
        if not self.state.master.connected:
            return nothing("No offers: there is no connection to a master.", self.state.master.message)
        return nothing(
            "No offers now.",
            "The master offers what is free about once a second.",
            "v asks it to forget what we declined; 1 shows whether the targets are up.",
        )

    def rows(self) -> Sequence[Offer]:
        """Open ones first."""
        return offer_rows(self.state, closed=self._with_closed)

    def page(self, key: str | None, width: int) -> Sequence[Line]:
        """Resources, attributes, the timeline of its target."""
        if key:
            return offer_page(self.state, key, self.now, width, self._lens)
        return frameworks_part(self.state, width)

    def below(self) -> tuple[str, str]:
        """What Mesos says."""
        return MESOS, "mesos"

    def note(self) -> Line:
        """How many."""
        parts = [f"{len(self.state.open_offers)} open" + ("" if self._with_closed else ", only those")]
        if len(self.state.frameworks) > 1:
            parts.append(f"{len(self.state.frameworks)} frameworks")
        if self._lens is not None:
            parts.append(f"for {self._lens.name}")
        return line(dim(" · ".join(parts)))

    def _roomy(self) -> bool:
        """There is room for more than whether a module fits."""
        return self._lens is None or self.table.cells >= 92

    def redraw(self) -> None:
        """And find out what the chosen module takes on kinds of targets that were not offered before."""
        super().redraw()
        if self._lens is not None and not self._completing and self._lens.missing(self._offers()):
            self._complete(self._lens)

    def _offers(self) -> list[Offer]:
        return [*self.state.open_offers, *self.state.held.values()]

    def launch_target(self) -> str:
        """That of the selected offer."""
        offer = self.table.selected
        return offer.target if isinstance(offer, Offer) else ""

    def on_table_selected(self, event: Table.Selected) -> None:
        """What can be done depends on the row."""
        super().on_table_selected(event)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only open offers can be declined."""
        if action == "offer_decline":
            offer = self.table.selected if self.is_mounted else None
            return True if isinstance(offer, Offer) and offer.state is OfferState.OPEN else None
        return True

    def action_offer_decline(self) -> None:
        if self.table.selected_key:
            self.post_message(DeclineAsked(self.table.selected_key))

    def action_offer_revive(self) -> None:
        self.post_message(ReviveAsked())

    def action_offer_open(self) -> None:
        self._with_closed = not self._with_closed
        self.redraw()
        self.redraw_frame()

    # -- looking with a module

    def _fits(self, offer: Offer, cells: int) -> Line:
        if self._lens is None or offer.state not in (OfferState.OPEN, OfferState.HELD):
            return EMPTY
        found = self._lens.why(offer, self.state)
        if found is None:
            return (dim("…"),)
        if found.fits:
            return (Span("✓ ", Tone.GOOD), dim(f"{size_text(found.left)} left" if cells >= 16 else "fits"))
        words = f"{found.short:,} short" if found.short else found.lacks[0]
        return (Span("✗ ", Tone.BAD), Span(words, Tone.BAD))

    def action_offer_why(self) -> None:
        self.query_one(Prompt).begin("why", "module", "fib · filter --gpio 0-3 --mem 12K · ./mine.c 20")

    def on_prompt_given(self, event: Prompt.Given) -> None:
        """A module with what is asked for it."""
        text = event.text

        async def look(backend: Backend) -> None:
            path, ask, arguments = await asyncio.to_thread(parse_line, text)
            lens = Lens(path, await backend.load(path), ask, arguments)
            self.call_later(self._complete, lens)

        self.post_message(BackendAsked(look))

    def on_prompt_left(self) -> None:
        """Typing is over."""
        self.set_focus(self.table)

    def on_prompt_completing(self, event: Prompt.Completing) -> None:
        """Tab: the example that begins so."""
        names = [path.stem for path in examples() if path.stem.startswith(event.text)]
        prompt = self.query_one(Prompt)
        if len(names) == 1:
            prompt.field.value = names[0]
            prompt.field.cursor_position = len(names[0])
        prompt.note("  ".join(names[:8]) if len(names) > 1 else "")

    def _complete(self, lens: Lens) -> None:
        """Show it at once, and its sizes when they are known."""
        self._lens, self._completing = lens, True
        self._show_lens()
        offers = self._offers()

        async def complete(backend: Backend) -> None:
            def size(attributes: Mapping[str, str], budget: Budget) -> Awaitable[Parts]:
                return backend.size_by(attributes, lens.module, lens.arguments, budget)

            done: Lens | None = None
            try:
                done = await lens.completed(offers, size)
            finally:  # without sizes there is nothing to look with
                if self._lens is lens:
                    self._lens = done
                self._completing = False
                self.call_later(self._show_lens)

        self.post_message(BackendAsked(complete))

    def _show_lens(self) -> None:
        self.table.arrange_columns()
        self.redraw()
        self.redraw_frame()

    def leave_detail(self) -> bool:
        """Esc: from typing, from the detail, then from the module."""
        if self.query_one(Prompt).leave() or super().leave_detail():
            return True
        had, self._lens = self._lens is not None, None
        if had:
            self._show_lens()
        return had
