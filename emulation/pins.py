"""The levels of a board's pins over its virtual time, and a VCD file of them.

Outputs come from the word in which our kernel keeps them (emulation.stand_in), each write of it; inputs from
whoever drives them. VCD: IEEE 1364-2005, 18.2; GTKWave and sigrok read it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hal.boards import Board

_IDS = "".join(map(chr, range(33, 127)))
"""What a VCD file may call a signal: one printable character is enough for a board's pins."""


@dataclass(frozen=True, slots=True)
class Edge:
    """From then on a pin has that level; `time` in virtual seconds since the first power on."""

    time: float
    pin: int
    level: bool


@dataclass(slots=True)
class PinTrace:
    """What happened at the pins of one board, of which there are so many. Times that it is told are virtual
    seconds since power on."""

    board: str
    pins: int
    edges: list[Edge] = field(default_factory=list)
    _before: float = 0.0  # how long it had power before this time
    _latest: float = 0.0
    _outputs: int = 0
    _levels: dict[int, bool] = field(default_factory=dict)

    def powered(self) -> None:
        """Its clock begins anew, and no output is high."""
        self._before += self._latest
        self._latest = 0.0
        self.wrote(0.0, 0)

    def wrote(self, time: float, outputs: int) -> None:
        """The kernel wrote its outputs: bit N is pin N."""
        changed, self._outputs = self._outputs ^ outputs, outputs
        for pin in range(changed.bit_length()):
            if changed >> pin & 1:
                self.turned(time, pin, bool(outputs >> pin & 1))

    def turned(self, time: float, pin: int, level: bool) -> None:
        """A pin, whoever drives it."""
        self._latest = max(self._latest, time)
        if self._levels.get(pin) is level:
            return
        self._levels[pin] = level
        self.edges.append(Edge(self._before + time, pin, level))

    def ended(self, time: float) -> None:
        """So long it had power."""
        self._latest = max(self._latest, time)

    def vcd(self) -> str:
        """A VCD file of all pins, of which those that nobody drove yet are unknown. Times in nanoseconds."""
        scope, pins = re.sub(r"\W", "_", self.board), self.pins
        lines = ["$timescale 1 ns $end", f"$scope module {scope} $end"]
        lines += [f"$var wire 1 {_IDS[pin]} gpio{pin} $end" for pin in range(pins)]
        lines += ["$upscope $end", "$enddefinitions $end", "#0", "$dumpvars"]
        lines += [*(f"x{_IDS[pin]}" for pin in range(pins)), "$end"]
        now = 0
        for edge in sorted(self.edges, key=lambda edge: edge.time):
            moment = round(edge.time * 1e9)
            if moment != now:
                lines.append(f"#{moment}")
                now = moment
            lines.append(f"{int(edge.level)}{_IDS[edge.pin]}")
        end = round((self._before + self._latest) * 1e9)
        return "\n".join([*lines, *([f"#{end}"] if end > now else [])]) + "\n"

    @classmethod
    def of(cls, board: Board) -> PinTrace | None:
        """For a board; None where no emulator has pins of it."""
        counts = [len(page["gpio"]["pins"]) for page in board.emulators.values() if "gpio" in page]
        return cls(board.name, max(counts)) if counts else None
