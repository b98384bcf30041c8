"""A session begins where the last one on its fleet ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.saved import Saved, Store
from console.screens.view import View
from console.widgets.table import Table
from tests.console.tui.scripted_session import TestApp, settle


async def test_view_filter_sorting_and_theme_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "fleet.json")
    first = TestApp([], keep=store.write)
    async with first.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3", "s", "S", "t", "/", *"fib", "enter")
        await pilot.press("q")
        await pilot.pause(0.3)
    kept = store.read()
    assert kept.view == "tasks"
    assert kept.theme == "mma-light"
    second = TestApp(saved=kept)
    async with second.run_test() as pilot:
        await settle(pilot)
        assert isinstance(second.screen, View)
        assert second.screen.NAME == "tasks"
        table = second.screen.query_one("#list", Table)
        await settle(pilot, lambda: table.count == (1, 5))
        assert table.sorting == "-TASK"
        await pilot.press("escape")
        assert table.count == (5, 5)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 9}', "\0", "[" * 100_000])
async def test_a_broken_file_is_left_aside_with_a_notice(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path / "fleet.json")
    store.path.write_text(text)
    kept = store.read()
    assert kept.view == ""
    app = TestApp(saved=kept)
    async with app.run_test() as pilot:
        await settle(pilot)
        assert any("is broken" in notice.message for notice in app._notifications)


async def test_what_makes_no_sense_in_it_is_ignored() -> None:
    views = {"fleet": {"filter": 3, "sort": ["x"]}, "tasks": {"sort": {"list": "NOPE"}, "panes": "x"}}
    app = TestApp(saved=Saved("nowhere", "ugly", views))
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        assert app.theme == "mma-dark"


def test_fleets_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one = Store.of(["a", "b"], None)
    assert one.path == Store.of(["b", "a"], None).path
    assert one.path != Store.of(["a"], None).path
    assert one.path != Store.of(["a", "b"], "m:5050").path
    assert one.path.is_relative_to(tmp_path)
    assert one.read() == Saved()
