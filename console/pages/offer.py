"""The detail of an offer: what is in it, and what became of the earlier ones of its agent."""

from __future__ import annotations

from collections.abc import Sequence

from console.cluster.mesos import Offer, OfferState, format_ranges, mem_bytes
from console.fit.lens import Lens
from console.look.figures import age_text, bytes_text, clock_text, counted, size_text
from console.look.spans import Line, Span, Tone, dim, strong
from console.pages.parts import facts, heading, text, title
from console.state.model import State, short_id

MARKS = {
    OfferState.OPEN: ("●", Tone.GOOD),
    OfferState.ACCEPTED: ("✓", Tone.ACCENT),
    OfferState.DECLINED: ("–", Tone.DIM),  # noqa: RUF001 (a dash is meant)
    OfferState.RESCINDED: ("✗", Tone.WARN),
    OfferState.HELD: ("◇", Tone.INFO),
}

_EARLIER = 30
_MINUTES = 5


def offer_page(
    state: State, offer_id: str, now: float, cells: int, lens: Lens | None = None
) -> Sequence[Line]:
    """Everything in one offer, why the lens's module does not fit it, its target's history, and who else
    there is."""
    offer = state.offers.get(offer_id) or state.held.get(offer_id)
    if offer is None:
        return [(dim("It is gone."),), *frameworks_part(state, cells)]
    mark, tone = MARKS[offer.state]
    right = [Span(f"{mark} {offer.state.value}", tone), dim(f" {age_text(offer.age(now))}")]
    lines: list[Line] = [title([strong(f"{short_id(offer.id)}"), dim(f"  {offer.target}")], right, cells)]
    lines += facts([("note", offer.note)], cells)
    if lens is not None:
        lines += _why(lens, offer, state, cells)
    lines += heading("resources")
    lines += facts(_resources(offer), cells)
    lines += heading("attributes")
    lines += facts(sorted(offer.attributes.items()), cells)
    lines += heading("timeline", f"{_MINUTES} minutes of {offer.target}")
    same = [one for one in reversed(list(state.offers.values())) if one.target == offer.target]
    lines.append((Span("  "), *_timeline(same, now, min(60, cells - 4))))
    lines += [_moment(one, now, one is offer, cells) for one in same[:_EARLIER]]
    lines += frameworks_part(state, cells)
    lines += heading("ids")
    lines += facts(
        [("offer", offer.id), ("agent", offer.agent_id), ("host", offer.hostname), ("role", offer.role)],
        cells,
    )
    return lines


def _why(lens: Lens, offer: Offer, state: State, cells: int) -> list[Line]:
    found = lens.why(offer, state)
    lines = heading(f"why {lens.name}", "w: another module; esc: none")
    if found is None:
        return [*lines, (dim("  Finding out what it takes on this board …"),)]
    parts = found.wish.parts
    if found.fits:
        lines.append((Span(f"  ✓ fits, and leaves {found.left:,} bytes", Tone.GOOD),))
    for one in lens.ungranted:
        lines += text(f"{lens.name} {one.text}. {one.remedy}", cells, Tone.WARN)
    for lack in found.lacks:
        lines += text(f"✗ {lack}", cells, Tone.BAD)
    if found.would:
        lines.append((Span("  What would help:", Tone.STRONG),))
    for help_ in found.would:
        lines += text(f"· {help_}", cells, indent=4)
    if parts is not None:
        split = (
            f"code {parts.code:,} · stack {parts.stack:,} · memory {parts.memory:,} · log {parts.log:,} · "
            f"result {parts.result:,}"
        )
        lines += text(f"It takes {found.wish.mem:,} bytes: {split}", cells, Tone.DIM)
    return lines


def _timeline(offers: Sequence[Offer], now: float, cells: int) -> Line:
    """The last minutes from left to right: when there was an offer, in the tone of what became of it, and in
    the end now."""
    step = _MINUTES * 60 / max(1, cells)
    spans: list[Span] = []
    for cell in range(cells):
        low = now - (cells - cell) * step
        high = low + step
        here = [one for one in offers if one.received < high and (one.closed or now) >= low]
        ends = next((one for one in here if one.closed is not None and one.closed < high), None)
        if ends is not None:
            mark, tone = MARKS[ends.state]
            spans.append(Span(mark, tone))
        elif here:
            spans.append(Span("━", MARKS[here[0].state][1]))
        else:
            spans.append(Span("┄", Tone.TRACK))
    return tuple(spans)


def frameworks_part(state: State, cells: int) -> list[Line]:
    """Every framework of the master, with what it runs and holds."""
    if not state.frameworks:
        return []
    lines = heading("frameworks", f"{len(state.frameworks)} at this master")
    room = max(10, min(24, cells - 34))
    for one in state.frameworks:
        ours = one.id == state.master.framework_id
        mark, tone = ("●", Tone.GOOD) if one.active else ("○", Tone.DIM)
        name = Span(f"{one.name[:room]:<{room}} ", Tone.STRONG if ours else Tone.TEXT)
        memory = size_text(mem_bytes(one.used.scalars.get("mem", 0.0)))
        held = f"{counted(one.tasks, 'task')}, {memory} B, {counted(len(one.offers), 'offer')}"
        this = "  this console" if ours and cells >= 64 else ""
        lines.append((Span(f"  {mark} ", tone), name, dim(held + this)))
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


def _moment(offer: Offer, now: float, this: bool, cells: int) -> Line:
    mark, tone = MARKS[offer.state]
    memory = size_text(mem_bytes(offer.resources.scalars.get("mem", 0.0)))
    held = f"{age_text(offer.age(now)):>6}"
    return (
        Span("▸ " if this else "  ", Tone.MARK),
        dim(clock_text(offer.received) + "  "),
        Span(f"{mark} {short_id(offer.id):<6}", tone),
        dim(f"{held}  "),
        Span(f"{memory:>10} B  " if cells >= 60 else ""),
        Span(offer.note or offer.state.value, Tone.DIM),
    )
