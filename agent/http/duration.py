"""Durations in queries, with the words that a native agent has for what is none (stout/duration.hpp)."""

from __future__ import annotations

import math

from agent.values import DURATIONS


class DurationError(ValueError):
    """The text is no duration; the words are Mesos's."""


def seconds_of(text: str) -> float:
    """The duration in seconds. DurationError."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :]
    try:
        value = float(number) if len(number) < 40 else math.nan
    except ValueError as error:
        raise DurationError(f"Failed to convert '{number[:40]}' to number") from error
    if unit not in DURATIONS:
        raise DurationError(f"Unknown duration unit '{unit[:40]}'")
    seconds = value * DURATIONS[unit]
    if not math.isfinite(seconds) or abs(seconds) > (1 << 63) * 1e-9:
        raise DurationError(f"Argument '{text[:40]}' out of the range of a duration")
    return seconds
