"""Why a module does not fit an offer, to the byte; and the frameworks that hold the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from console.cluster.frameworks import frameworks_from_json
from console.cluster.mesos import Offer, OfferState, Resources, mem_bytes, mem_scalar
from console.commands.shared.ask_options import parse_line
from console.errors import UsageError
from console.fit.budgets import Ask
from console.fit.grants import ungranted
from console.fit.lens import Lens
from console.fit.why import Holder, Wish, why
from console.state import events as ev
from console.state.model import reduce, start
from console.state.rows import offer_rows
from hal.boards import load_board
from hal.budget import Needs, Parts, split
from hal.errors import BudgetError, ModuleError
from hal.mcu.sizing import size_for
from hal.target import Budget, Launch

BOARD = {"target": "board", "board": "stm32f4", "isolation": "mpu"}
WHOLE = Resources({"cpus": 1.0, "mem": 0.1}, {"gpio": ((0, 15),)}, {"sensors": frozenset({"temp0"})})


def offer(number: int = 1, mem: float = 0.1, target: str = "board", **more: object) -> Offer:
    """An offer of a board."""
    held = Resources({"cpus": 1.0, "mem": mem}, WHOLE.ranges, WHOLE.sets)
    resources = more.pop("resources", held)
    assert isinstance(resources, Resources)
    return Offer(f"m-O{number}", "m-S1", "gw", "*", resources, {**BOARD, "target": target}, float(number))


def wish(mem: int, ask: Ask | None = None, least: int = 0) -> Wish:
    """To run something of so many bytes."""
    return Wish("fib", ask or Ask(), mem, split(Budget(mem), Needs(600, 512, 256, 1024)), least=least)


def test_what_fits_leaves_the_rest() -> None:
    """By the sums of the master: mem in steps of 0.001 MB, down."""
    found = why(wish(20_000), offer())
    assert (found.fits, found.left, found.would) == (True, mem_bytes(0.1) - mem_bytes(mem_scalar(20_000)), ())


def test_bytes_that_are_short_are_counted_to_the_byte() -> None:
    """And whose end, which smaller ask, which other offer would help."""
    small = mem_bytes(0.02)
    holders = [Holder("big", Resources({"mem": 0.05})), Holder("little", Resources({"mem": 0.002}))]
    found = why(
        wish(40_960, Ask(mem=40_960), least=8_000),
        offer(mem=0.02),
        whole=WHOLE,
        holders=holders,
        others=[offer(2, target="board-2"), offer(3, 0.01, target="board-3")],
    )
    need = mem_bytes(mem_scalar(40_960))
    assert found.short == need - small
    assert found.lacks == (f"{need - small:,} bytes short: it takes {need:,}, {small:,} are offered.",)
    assert found.would == (
        f"The end of big, which holds {mem_bytes(0.05):,} bytes.",
        "Less: 8,000 bytes are enough for it, with a log of 32 bytes.",
        "The offer of board-2, which has enough.",
    )


def test_several_ends_where_none_is_enough() -> None:
    """The fewest, the largest first; and none where all together are too little."""
    holders = [Holder(name, Resources({"mem": 0.02})) for name in ("a", "b", "c")]
    found = why(wish(60_000), offer(mem=0.02), whole=WHOLE, holders=holders)
    assert found.would == (f"The end of c and b, which hold {2 * mem_bytes(0.02):,} bytes together.",)
    assert why(wish(60_000), offer(mem=0.02), whole=WHOLE, holders=holders[:1]).would == ()


def test_what_a_target_never_has_needs_another() -> None:
    """No end of a task helps then."""
    holders = [Holder("a", Resources({"mem": 0.1}))]
    found = why(wish(200_000), offer(), whole=WHOLE, holders=holders)
    assert found.would == (f"A larger board: board has {mem_bytes(0.1):,} bytes in all.",)
    found = why(wish(9_000, Ask(gpio=((20, 20),))), offer(), whole=WHOLE, holders=holders)
    assert found.lacks == ("gpio [20] is not offered.",)
    assert found.would == ("Another board: board has no such gpio.",)


def test_pins_sensors_and_shares_name_their_holders() -> None:
    """What they hold of it."""
    left = Resources({"cpus": 0.3, "mem": 0.1}, {"gpio": ((4, 15),)}, {})
    holders = [
        Holder("blink", Resources({"cpus": 0.5}, {"gpio": ((0, 2),)})),
        Holder("filter", Resources({"cpus": 0.2}, {"gpio": ((3, 3),)}, {"sensors": frozenset({"temp0"})})),
    ]
    ask = Ask(cpus=0.6, gpio=((2, 4),), sensors=frozenset({"temp0"}))
    found = why(wish(9_000, ask), offer(resources=left), whole=WHOLE, holders=holders)
    assert found.short == 0
    assert found.would == (
        "The end of blink, which holds cpus 0.5.",
        "A CPU share of at most 0.3.",
        "The end of blink, which holds gpio [2].",
        "The end of filter, which holds gpio [3].",
        "The end of filter, which holds sensors temp0.",
    )


async def test_alike_boards_need_one_compilation() -> None:
    """And what cannot be compiled at all is said once a kind."""
    asked: list[tuple[str, Budget]] = []

    async def size(attributes: Mapping[str, str], budget: Budget) -> Parts:
        asked.append((attributes["target"], budget))
        if attributes["board"] == "tiny":
            raise BudgetError("No room.", missing=1, where="code")
        return split(budget, Needs(600, 512, 256, 1024))

    tiny = Offer("m-O9", "m-S2", "gw", "*", WHOLE, {"board": "tiny", "target": "t"}, 1.0)
    offers = [offer(1), offer(2, target="board-2"), tiny]
    lens = await Lens(Path("fib.c"), b"", Ask(mem=9_000)).completed(offers, size)
    assert [target for target, _ in asked] == ["board-2", "board-2", "t"]
    assert lens.missing(offers) == {}
    state = reduce(start(), [(1.0, ev.OfferChanged(one)) for one in offers])
    assert [found.lacks for one in offers if (found := lens.why(one, state))] == [(), (), ("No room.",)]


@pytest.mark.parametrize(("isolation", "step"), [("mpu", 32), ("none", 8)])
def test_sizes_without_a_device_are_of_its_grain(isolation: str, step: int) -> None:
    """Every part is a multiple of what keeps executors apart there."""
    module = Path("firmware/sdk/examples/fib.c")
    from hal.guest import build_module

    parts = size_for(Launch("k", build_module(module)), load_board("stm32f4"), isolation).parts
    assert all(part % step == 0 for part in (parts.code, parts.stack, parts.memory, parts.log, parts.result))


def test_a_line_is_read_as_a_command_is() -> None:
    """Module, options, arguments in any order."""
    path, ask, arguments = parse_line('fib 20 --mem 12K "a b" --gpio 0-3')
    assert (path.name, ask.mem, ask.gpio, arguments) == ("fib.c", 12_288, ((0, 3),), ("20", "a b"))
    with pytest.raises(UsageError, match="Close the quotes"):
        parse_line("fib 'a")
    with pytest.raises(UsageError, match="is not a size"):
        parse_line("fib --mem lots")
    with pytest.raises(UsageError, match="--mem"):
        parse_line("fib --mem")
    with pytest.raises(ModuleError, match="no file nowhere"):
        parse_line("nowhere")


FOUND = {
    "frameworks": [
        {
            "id": "m-0001",
            "name": "marathon",
            "roles": ["web"],
            "active": True,
            "tasks": [{}, {}],
            "used_resources": {"cpus": 0.5, "mem": 0.05, "disk": 0.0, "gpio": "[0-2, 7-7]"},
            "registered_time": 7.5,
            "offers": [
                {"id": "m-O7", "slave_id": "m-S1", "resources": {"mem": 0.02, "sensors": "{temp0, accel}"}}
            ],
        },
        {"id": "m-0000", "name": "console", "roles": ["*"], "offers": [{"id": "m-O8", "slave_id": "m-S1"}]},
    ]
}


def test_frameworks_are_read_as_the_master_writes_them() -> None:
    """Resources are numbers and texts there."""
    console, marathon = frameworks_from_json(FOUND)
    assert (console.name, marathon.tasks, marathon.roles) == ("console", 2, ("web",))
    assert marathon.used == Resources({"cpus": 0.5, "mem": 0.05}, {"gpio": ((0, 2), (7, 7))})
    assert marathon.offers[0].resources.sets == {"sensors": frozenset({"temp0", "accel"})}
    assert marathon.offers[0].role == "web"


def test_offers_of_others_are_rows_and_ours_are_not_twice() -> None:
    """What an agent is comes from its offers to us; the time from when they were seen first."""
    state = reduce(
        start(),
        [
            (1.0, ev.Connected("m-0000", "u")),
            (2.0, ev.OfferChanged(offer(1))),
            (3.0, ev.FrameworksRead(frameworks_from_json(FOUND))),
            (9.0, ev.FrameworksRead(frameworks_from_json(FOUND))),
        ],
    )
    rows = offer_rows(state)
    assert [(one.id, one.state, one.target) for one in rows] == [
        ("m-O1", OfferState.OPEN, "board"),
        ("m-O7", OfferState.HELD, "board"),
    ]
    assert (rows[1].received, rows[1].note) == (3.0, "by marathon")
    gone = reduce(state, [(10.0, ev.FrameworksRead(()))])
    assert [one.id for one in offer_rows(gone)] == ["m-O1"]


def test_calls_without_a_grant_are_told_before() -> None:
    """By the module's imports; other calls need none, and what cannot be read is told elsewhere."""
    module = bytes(
        wat2wasm("""
(module (import "mma" "gpio_write" (func (param i32 i32) (result i32)))
  (import "mma" "pwm" (func (param i32 i32 i32) (result i32)))
  (import "mma" "sensor_read" (func (param i32 i32 i32) (result i32)))
  (import "mma" "yield" (func)) (func (export "main")))""")
    )
    pins, sensor = ungranted(module, Ask())
    assert pins.text == "calls gpio_write and pwm, but no pin is granted: they will be denied"
    assert sensor.text == "calls sensor_read, but no sensor is granted: it will be denied"
    assert ungranted(module, Ask(gpio=((0, 3),))) == (sensor,)
    assert ungranted(module, Ask(gpio=((0, 3),), sensors=frozenset({"temp0"}))) == ()
    assert ungranted(b"\0asm", Ask()) == ()


async def test_a_wish_takes_what_the_master_takes_it_for() -> None:
    """mem goes to the master in thousandths of a MB, so that is what a task holds; all commands say so."""

    async def size(_: Mapping[str, str], budget: Budget) -> Parts:
        return split(budget, Needs(600, 512, 256, 1024))

    lens = await Lens(Path("fib.c"), b"", Ask()).completed([offer()], size)
    (found,) = lens.wishes.values()
    assert found.parts is not None
    assert found.mem == mem_bytes(mem_scalar(found.parts.total)) >= found.parts.total
