"""A read-only console: what changes something is grey, not in the palette, and refused with the reason."""

from __future__ import annotations

import pytest

from console.actions import ACTIONS
from console.readonly import refusal
from console.screens.view import View
from console.widgets.status_line import StatusLine
from tests.console.tui.scripted_session import TestApp, settle


@pytest.mark.parametrize(
    ("digit", "key"), [("1", "n"), ("1", "d"), ("2", "d"), ("2", "v"), ("5", "a"), ("5", ">")]
)
async def test_a_changing_key_is_refused_with_the_reason(digit: str, key: str) -> None:
    """The view stays in front, and a toast says why."""
    app = TestApp(readonly=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press(digit)
        await settle(pilot)
        before = app.screen
        await pilot.press(key)
        await settle(pilot)
        assert app.screen is before
        assert any("read-only" in notice.message for notice in app._notifications)


async def test_what_is_refused_is_disabled_and_what_looks_is_not() -> None:
    """Footer and palette are drawn from these bindings; the top line says it."""
    app = TestApp(readonly=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, View)
        enabled = {one.binding.id: one.enabled for one in app.screen.active_bindings.values()}
        assert not enabled["task.launch"]
        assert not enabled["target.debug"]
        assert enabled["target.logs"]
        assert enabled["app.help"]
        assert "read-only" in "".join(span.text for span in app.screen.query_one(StatusLine).spans(120))


async def test_without_it_nothing_is_refused() -> None:
    """The same key opens the dialog."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = app.screen
        await pilot.press("n")
        await settle(pilot)
        assert app.screen is not before


def test_actions_are_known_however_they_are_spelt() -> None:
    """With a namespace or arguments, as links spell them."""
    for action in ACTIONS:
        assert (refusal(action.method) is not None) == action.changes, action.id
    assert refusal("screen.task_kill()") is not None
    assert refusal("view_fleet") is None
