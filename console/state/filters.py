"""What is typed after `/`: words that a line must have, and with `!` before them, must not have."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; an empty one is false and passes everything. Upper and lower case are the same."""

    text: str = ""
    wanted: tuple[str, ...] = field(default=(), compare=False)
    unwanted: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, text: str) -> Filter:
        """From what was typed. A lone `!` counts as not typed yet."""
        words = text.casefold().split()
        return cls(
            text.strip(),
            tuple(word for word in words if not word.startswith("!")),
            tuple(word[1:] for word in words if word.startswith("!") and len(word) > 1),
        )

    def passes(self, text: str) -> bool:
        """Whether a line stays."""
        if not self:
            return True
        text = text.casefold()
        return all(word in text for word in self.wanted) and not any(word in text for word in self.unwanted)

    def __bool__(self) -> bool:
        return bool(self.wanted or self.unwanted)
