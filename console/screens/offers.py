"""Offers: live, as the master makes them, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence

from console.actions import Scope, bindings
from console.figures import age_text, size_text
from console.mesos import Offer, OfferState, mem_bytes
from console.messages import DeclineAsked, ReviveAsked
from console.model import MESOS, short_id
from console.pages.offer import MARKS, offer_page
from console.pages.parts import nothing
from console.rows import more_resources, offer_rows, offer_search
from console.screens.view import ListView
from console.spans import Line, Span, Tone, dim, line
from console.widgets.table import Column, Table


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
            Column("STATE", _state, 11, sort=lambda one: one.state.value),
            Column(
                "CPUS",
                lambda one, _: (Span(f"{one.resources.scalars.get('cpus', 0.0):g}", _tone(one)),),
                5,
                right=True,
                sort=lambda one: one.resources.scalars.get("cpus", 0.0),
            ),
            Column(
                "BYTES",
                lambda one, _: (Span(size_text(_mem(one)), _tone(one)),),
                9,
                right=True,
                sort=_mem,
            ),
            Column("AND", lambda one, _: (Span(more_resources(one), Tone.DIM),), 12, grow=3, needs=74),
        )
        return Table(
            columns,
            key=lambda one: one.id,
            search=offer_search,
            empty=self._empty,
            widget_id="list",
        )

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
        return offer_page(self.state, key, self.now, width) if key else ()

    def below(self) -> tuple[str, str]:
        """What Mesos says."""
        return MESOS, "mesos"

    def note(self) -> Line:
        """How many."""
        shown = "open and closed" if self._with_closed else "only open ones"
        return line(dim(f"{len(self.state.open_offers)} open · {shown}"))

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
