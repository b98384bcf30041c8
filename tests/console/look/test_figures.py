"""Numbers and lines for the eye have the width they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.look.figures import (
    age_text,
    bar,
    bytes_text,
    duration_text,
    segments,
    share_text,
    short_size,
    sparkline,
)
from console.look.spans import Span, Tone, fit, plain, width, wrap
from console.state.filters import Filter
from console.state.logbook import Ring

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "M", "Zl", "Zp")), max_size=40)


@given(st.lists(TEXTS, max_size=5), st.integers(0, 60), st.booleans())
def test_fit_is_exact(texts: list[str], cells: int, right: bool) -> None:
    """Also with wide characters."""
    assert width(fit([Span(text) for text in texts], cells, right=right)) == cells


@given(TEXTS, st.integers(2, 30))
def test_wrap_keeps_all_words(text: str, cells: int) -> None:
    """Within the width, and nothing but blanks is lost."""
    pieces = wrap(text, cells)
    assert all(cell_len(piece) <= cells for piece in pieces)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "").replace("\n", "")


@given(st.floats(0, 1.5), st.integers(1, 40))
def test_bars_tell_empty_and_full(share: float, cells: int) -> None:
    """Anything above nothing shows; only full is full."""
    spans = bar(share, cells)
    assert width(spans) == cells
    assert ("━" in plain(spans) or "╸" in plain(spans)) == (share > 0)
    assert (plain(spans) == "━" * cells) == (share >= 1)


@given(st.lists(st.integers(0, 1000), max_size=6), st.integers(1, 50))
def test_memory_maps_have_one_cell_for_each_part(sizes: list[int], cells: int) -> None:
    """As long as there is room."""
    spans = segments([(size, Tone.ACCENT) for size in sizes], max(1, sum(sizes)), cells)
    assert width(spans) == cells


@given(st.lists(st.floats(0, 2), max_size=50), st.integers(1, 40))
def test_sparklines(samples: list[float], cells: int) -> None:
    """The newest samples, in exactly the room given."""
    assert width(sparkline(samples, cells)) == cells


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (age_text(7.9), "7s"),
        (age_text(192), "3m12s"),
        (age_text(7500), "2h05m"),
        (age_text(385_200), "4d11h"),
        (age_text(-3), "0s"),
        (short_size(512), "512 B"),
        (short_size(62_874), "61.4 KiB"),
        (short_size(12_598_640_640), "11.7 GiB"),
        (bytes_text(61_440), "61,440 bytes"),
        (share_text(0.025), "2.5%"),
        (share_text(0.37), "37%"),
        (duration_text(0.0031), "3 ms"),
        (duration_text(75), "1m15s"),
    ],
)
def test_words(got: str, want: str) -> None:
    """As people write them."""
    assert got == want


def test_filters() -> None:
    """All words, none of the unwanted, whatever the case; a lone ! is not typed yet."""
    assert Filter.parse("QEMU !host").passes("stm32f4@qemu")
    assert not Filter.parse("qemu !stm").passes("STM32F4@qemu")
    assert not Filter.parse("a b").passes("only a")
    assert not Filter.parse(" ! ")
    assert Filter().passes("anything")


@given(st.integers(1, 20), st.integers(0, 90), st.integers(0, 100))
def test_rings_number_their_items(limit: int, count: int, since: int) -> None:
    """Forgotten ones keep their numbers."""
    ring: Ring[int] = Ring(limit)
    for number in range(count):
        ring.append(number)
    assert ring.total == count
    assert list(ring) == list(range(count))[-limit:]
    assert list(ring.since(since)) == [number for number in range(count)[-limit:] if number >= since]
