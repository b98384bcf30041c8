"""hal.abi and firmware/sdk/abi.h say the same."""

from __future__ import annotations

import re
from enum import IntEnum
from importlib import resources

import pytest

from hal import abi

HEADER = resources.files("firmware").joinpath("sdk", "abi.h").read_text(encoding="utf-8")


def _of_header(name: str) -> dict[str, int]:
    found = re.search(rf"enum {name} {{(.*?)}};", HEADER, re.DOTALL)
    assert found, name
    pairs = re.findall(r"MMA_(\w+) = (-?(?:0x)?[0-9A-Fa-f]+)", re.sub(r"//.*", "", found[1]))
    return {key: int(value, 0) for key, value in pairs}


@pytest.mark.parametrize(
    ("enum", "name", "prefix"),
    [
        (abi.ErrorNumber, "mma_error", "ERR_"),
        (abi.State, "mma_state", ""),
        (abi.EndCause, "mma_cause", "CAUSE_"),
        (abi.Trap, "mma_trap", "TRAP_"),
        (abi.ResetCause, "mma_reset", "RESET_"),
        (abi.RuleKind, "mma_rule_kind", "RULE_"),
        (abi.Edge, "mma_edge", "EDGE_"),
    ],
)
def test_same_numbers(enum: type[IntEnum], name: str, prefix: str) -> None:
    header = {key.removeprefix(prefix): value for key, value in _of_header(name).items()}
    assert header == {member.name: member.value for member in enum}


def test_same_sizes() -> None:
    assert f"#define MMA_RULE_BYTES {abi.RULE_BYTES}\n" in HEADER


def test_every_trap_has_words() -> None:
    assert len({trap.words for trap in abi.Trap}) == len(abi.Trap)
    assert abi.trap_words(2) == "out of bounds memory access"
    assert abi.trap_words(99) == "trap 99"
