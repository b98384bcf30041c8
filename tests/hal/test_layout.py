"""Types and variables of a real compiler's DWARF, and damaged ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import memory, module, program

from hal.layout import Kind, Program, Type


def first() -> tuple[Type, bytes]:
    """The variable `first`: its type, and its bytes."""
    found = program().variable("first")
    assert found is not None
    return found.type, memory()[found.address : found.address + found.type.size]


def test_members_have_places_and_those_of_anonymous_ones_are_among_them() -> None:
    type_, _ = first()
    assert (type_.kind, type_.text, type_.size) == (Kind.RECORD, "struct node", 56)
    places = {one.name: (one.offset, one.type.text, one.bits) for one in type_.members}
    assert places["at"] == (0, "struct point", None)
    assert places["next"] == (16, "struct node *", None)
    assert places["number"][0] == places["real"][0] == 20
    assert (places["low"], places["high"]) == ((24, "unsigned int", (0, 3)), (24, "int", (3, 5)))
    assert places["wide"] == (40, "double [2]", None)
    following = next(one for one in type_.members if one.name == "next").type
    assert following.of is not None
    assert following.of.members[2].name == "tag"


def test_values_say_what_they_are() -> None:
    type_, data = first()
    told = {one.name: one.type.say(data[one.offset :], one.bits) for one in type_.members}
    assert told["at"] == "{x = 1, y = -2}"
    assert told["tag"] == "{1, 2, 3, 4}"
    assert (told["number"], told["low"], told["high"]) == ("5", "5", "-1")
    assert (told["colour"], told["on"], told["letter"]) == ("GREEN", "true", "97 'a'")
    assert told["wide"] == "{1.25, -2}"
    assert told["next"] == f"{program().variable('second').address:#x}"  # type: ignore[union-attr]
    assert type_.say(data).startswith("{at = {x = 1, y = -2}, name = 0x")
    assert type_.say(data).endswith(", …}")
    assert type_.say(b"") == "{at = {x = …, y = …}, name = …, tag = …, next = …, number = …, real = …, …}"


def test_an_address_is_told_down_to_the_member() -> None:
    found = program().variable("first")
    assert found is not None
    paths = [program().at(found.address + at) for at in (0, 5, 14, 17, 24, 49)]
    assert [one.path for one in paths if one] == [
        *("first.at.x", "first.at.y", "first.tag[2]", "first.next", "first.low", "first.wide[1]"),
    ]
    assert program().at(found.address - 0x200) is None


def test_variables_of_functions_have_types() -> None:
    assert program().locals["area"]["corner"].text == "struct point *"
    assert program().locals["area"]["local"].size == 8


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000_000),
    st.integers(0, 255),
    st.sampled_from((".debug_info", ".debug_abbrev", ".debug_str")),
)
def test_damaged_debug_information_is_left_out(place: int, byte: int, section: str) -> None:
    sections = dict(module().customs)
    data = bytearray(sections[section])
    data[place % len(data)] = byte
    damaged = Program.of_sections(sections | {section: bytes(data)})
    if damaged is None:
        return
    for one in damaged.variables:
        one.type.say(memory()[:64])
        damaged.at(one.address)
    for variables in damaged.locals.values():
        for type_ in variables.values():
            assert isinstance(type_.opens, bool)
            type_.say(b"\1" * 64)
