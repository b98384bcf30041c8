"""Offers with a module in mind, and those of other frameworks."""

from __future__ import annotations

from textual.pilot import Pilot

from console.fit.lens import Lens
from console.look.spans import plain
from console.screens.offers import OffersScreen
from tests.console.tui.scripted_session import TestApp, settle


async def offers(pilot: Pilot[None], text: str) -> OffersScreen:
    """The view, looking with what was typed."""
    await settle(pilot)
    await pilot.press("2", "w", *text, "enter")
    screen = pilot.app.screen
    assert isinstance(screen, OffersScreen)
    return screen


def sized(screen: OffersScreen) -> bool:
    """The module's sizes are known."""
    return isinstance(screen._lens, Lens) and bool(screen._lens.wishes)


async def test_a_module_is_judged_offer_by_offer() -> None:
    """With the bytes, the tasks whose end would help, and other frameworks' offers; esc ends it."""
    app = TestApp()
    async with app.run_test(size=(200, 50)) as pilot:
        screen = await offers(pilot, "spin --mem 100K")
        await settle(pilot, lambda: sized(screen))
        said = " ".join(screen.detail.text.split())
        assert "✗ 17,826 bytes short: it takes 102,760, 84,934 are offered." in said
        assert "· The end of filter-9c1d22ab" in said
        assert "· The offer of stm32f4@qemu-2, which has enough." in said
        assert "marathon" in said
        assert plain(screen.note()).endswith("for spin")
        held = next(row for row in screen.table.rows if row.note == "by marathon")
        assert (held.target, held.state.value) == ("stm32f4@qemu-2", "held")
        screen.table.select(held.id)
        await settle(pilot)
        assert screen.check_action("offer_decline", ()) is None
        await pilot.press("escape")
        await settle(pilot)
        assert screen._lens is None
        assert "short" not in screen.detail.text


async def test_what_cannot_be_read_is_told() -> None:
    """As a toast, and the list stays as it is."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await offers(pilot, "spin --mem lots")
        await settle(pilot, lambda: any("'lots' is not a size" in n.message for n in app._notifications))
        assert screen._lens is None
