"""A memory map for programs and for a terminal without a screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.memory.view import Kind, MemoryView, Region


def as_json(view: MemoryView) -> Iterator[dict[str, Any]]:
    """One object a region, then one an area; sizes are bytes, addresses are numbers."""
    for area in view.areas:
        for one in area.regions:
            yield {
                "event": "region",
                "area": area.name,
                "name": one.name,
                "kind": one.kind.value,
                "owner": one.owner,
                "address": one.address,
                "bytes": one.size,
                "peak": one.peak,
                "before": one.before,
                "symbols": [
                    {
                        "name": symbol.name,
                        "address": symbol.address,
                        "bytes": symbol.size,
                        "type": symbol.type,
                    }
                    for symbol in one.symbols
                ],
            }
    for area in view.areas:
        yield {
            "event": "area",
            "name": area.name,
            "address": area.address,
            "bytes": area.size,
            "free": area.free,
            "build": view.build,
            "last_build": view.last_build,
        }


def as_lines(view: MemoryView, symbols: bool = False) -> Iterator[str]:
    """For a person: a table an area."""
    for area in view.areas:
        yield f"{area.name}  {area.size:,} bytes from {area.address:#010x}, {area.free:,} free"
        for one in area.regions:
            used = f"{one.peak:,} at most" if one.peak is not None else ""
            name = f"{one.owner} {one.kind.value}" if one.owner and one.owner != "kernel" else one.name
            yield f"  {one.address:#010x} {one.size:>9,}  {name:<26} {delta(one):>7} {used}".rstrip()
            if symbols:
                for symbol in one.symbols:
                    text = f"    {symbol.address:#010x} {symbol.size:>7,}  {symbol.name}  {symbol.type}"
                    yield text.rstrip()


def delta(region: Region) -> str:
    """How it grew since the last build: `+12`, "" where it did not or nobody knows."""
    if region.before is None or region.kind is Kind.FREE or region.size == region.before:
        return ""
    return f"{region.size - region.before:+,}"
