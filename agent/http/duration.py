"""Durations as Mesos writes them: 10secs, 1.5mins, 250ms (stout/duration.hpp)."""

from __future__ import annotations

import math

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1.0,
    "mins": 60.0,
    "hrs": 3600.0,
    "days": 86400.0,
    "weeks": 604800.0,
}


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
    if unit not in _UNITS:
        raise DurationError(f"Unknown duration unit '{unit[:40]}'")
    seconds = value * _UNITS[unit]
    if not math.isfinite(seconds) or abs(seconds) > (1 << 63) * 1e-9:
        raise DurationError(f"Argument '{text[:40]}' out of the range of a duration")
    return seconds
