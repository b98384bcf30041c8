"""Types of a module's DWARF: their text for a debugger, and which C type holds such a value."""

from __future__ import annotations

from dataclasses import dataclass

from elftools.dwarf.die import DIE

_DEPTH = 12
_ENCODINGS = {  # DW_ATE_*, size: the C type
    **{(code, size): f"s{size * 8}" for code in (0x05, 0x06) for size in (1, 2, 4, 8)},
    **{(code, size): f"u{size * 8}" for code in (0x07, 0x08, 0x10, 0x02) for size in (1, 2, 4, 8)},
    (0x04, 4): "float",
    (0x04, 8): "double",
}


@dataclass(frozen=True, slots=True)
class TypeText:
    """`text` as in the source; `c` is the executor's C type of a value, "" for what only lies in memory.
    `size` in bytes, 0 where it is not known."""

    text: str
    c: str
    size: int = 4


def type_text(die: DIE, depth: int = 0) -> TypeText:
    """The type that a variable, a member or another type has."""
    if "DW_AT_type" not in die.attributes or depth > _DEPTH:
        return TypeText("void", "", 0)
    of = die.get_DIE_from_attribute("DW_AT_type")
    name = _name(of)
    size = of.attributes["DW_AT_byte_size"].value if "DW_AT_byte_size" in of.attributes else 0
    if of.tag == "DW_TAG_base_type":
        encoding = of.attributes["DW_AT_encoding"].value
        return TypeText(name, "u8" if encoding == 0x02 else _ENCODINGS.get((encoding, size), ""), size)
    if of.tag == "DW_TAG_enumeration_type":
        return TypeText(f"enum {name}".strip(), f"u{size * 8}" if size in (1, 2, 4, 8) else "u32", size)
    if of.tag in ("DW_TAG_structure_type", "DW_TAG_union_type", "DW_TAG_class_type"):
        word = "union" if of.tag == "DW_TAG_union_type" else "struct"
        return TypeText(f"{word} {name}".strip(), "", size)
    inner = type_text(of, depth + 1)
    if of.tag in ("DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"):
        mark = "*" if of.tag == "DW_TAG_pointer_type" else "&"
        return TypeText(f"{inner.text} {mark}" if inner.text[-1:] not in "*&" else inner.text + mark, "u32")
    if of.tag == "DW_TAG_array_type":
        count = _count(of)
        return TypeText(f"{inner.text} [{count}]", "", inner.size * count)
    if of.tag == "DW_TAG_subroutine_type":
        return TypeText("function", "", 0)
    if of.tag == "DW_TAG_typedef":
        return TypeText(name or inner.text, inner.c, inner.size)
    word = {"DW_TAG_const_type": "const ", "DW_TAG_volatile_type": "volatile "}.get(str(of.tag), "")
    return TypeText(word + inner.text, inner.c, inner.size)


def _count(array: DIE) -> int:
    count = 1
    for child in array.iter_children():
        if child.tag == "DW_TAG_subrange_type":
            if "DW_AT_count" in child.attributes:
                count *= child.attributes["DW_AT_count"].value
            elif "DW_AT_upper_bound" in child.attributes:
                count *= child.attributes["DW_AT_upper_bound"].value + 1
    return count


def _name(die: DIE) -> str:
    found = die.attributes.get("DW_AT_name")
    return found.value.decode("utf-8", "replace") if found is not None else ""
