"""The detail of an offer: what is in it, and what became of the earlier ones of its agent."""

from __future__ import annotations

from collections.abc import Sequence

from console.figures import age_text, bytes_text, clock_text, size_text
from console.mesos import Offer, OfferState, format_ranges, mem_bytes
from console.model import State, short_id
from console.pages.parts import facts, heading, title
from console.spans import Line, Span, Tone, dim, strong

MARKS = {
    OfferState.OPEN: ("●", Tone.GOOD),
    OfferState.ACCEPTED: ("✓", Tone.ACCENT),
    OfferState.DECLINED: ("–", Tone.DIM),  # noqa: RUF001 (a dash is meant)
    OfferState.RESCINDED: ("✗", Tone.WARN),
}

_EARLIER = 30


def offer_page(state: State, offer_id: str, now: float, cells: int) -> Sequence[Line]:
    """Everything in one offer, and the history of its target."""
    offer = state.offers.get(offer_id)
    if offer is None:
        return [(dim("It is gone."),)]
    mark, tone = MARKS[offer.state]
    right = [Span(f"{mark} {offer.state.value}", tone), dim(f" {age_text(offer.age(now))}")]
    lines: list[Line] = [title([strong(f"{short_id(offer.id)}"), dim(f"  {offer.target}")], right, cells)]
    lines += facts([("note", offer.note)], cells)
    lines += heading("resources")
    lines += facts(_resources(offer), cells)
    lines += heading("attributes")
    lines += facts(sorted(offer.attributes.items()), cells)
    lines += heading("ids")
    lines += facts(
        [("offer", offer.id), ("agent", offer.agent_id), ("host", offer.hostname), ("role", offer.role)],
        cells,
    )
    lines += heading("timeline", f"of {offer.target}, the newest first")
    same = [one for one in reversed(list(state.offers.values())) if one.target == offer.target]
    lines += [_moment(one, now, one is offer) for one in same[:_EARLIER]]
    return lines


def _resources(offer: Offer) -> list[tuple[str, str]]:
    held = offer.resources
    found = []
    for name, value in held.scalars.items():
        size = f"{value:g} MB = {bytes_text(mem_bytes(value))}"
        found.append((name, size if name == "mem" else f"{value:g}"))
    found += [(name, format_ranges(pairs)) for name, pairs in held.ranges.items()]
    found += [(name, ", ".join(sorted(items))) for name, items in held.sets.items()]
    return found


def _moment(offer: Offer, now: float, this: bool) -> Line:
    mark, tone = MARKS[offer.state]
    memory = size_text(mem_bytes(offer.resources.scalars.get("mem", 0.0)))
    held = f"{age_text(offer.age(now)):>6}"
    return (
        Span("▸ " if this else "  ", Tone.MARK),
        dim(clock_text(offer.received) + "  "),
        Span(f"{mark} {short_id(offer.id):<6}", tone),
        dim(f"{held}  "),
        Span(f"{memory:>10} B  "),
        Span(offer.note or offer.state.value, Tone.DIM),
    )
