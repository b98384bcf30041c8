"""CMSIS-SVD 1.3 (Arm, "SVD File Schema Levels") into svd_model: derivation, arrays, inheritance.

Vendors' files deviate; what is missing gets the schema's default, what is contradictory names its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from emulation.gdb.errors import SvdError
from emulation.gdb.svd_model import Access, Device, Field, Meaning, Peripheral, Reading, Register

_MAX_REGISTERS = 200_000
_Element = ElementTree.Element
_SPACE = re.compile(r"\s+")
_DATA = re.compile(r"(^|\.)(DR|RDR|RXDR|RXD|RXDATA|RHR|RBR|FIFO|FIFO_?DATA|DATA)$|^DR\d*$", re.IGNORECASE)
_FIFO = re.compile(r"UART|USART|SPI|I2C|I2S|QSPI|ADC|SDIO|SDMMC|CAN|USB|OTG|FIFO|CRYP|RNG|SAI", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Properties:
    """The registerPropertiesGroup, which every level hands down."""

    size: int = 32
    access: Access = Access.READ_WRITE
    reset: int = 0
    reset_mask: int = -1

    def within(self, element: _Element) -> _Properties:
        """With what an element says itself."""
        return _Properties(
            _number(element, "size", self.size),
            _access(element, self.access),
            _number(element, "resetValue", self.reset),
            _number(element, "resetMask", self.reset_mask),
        )


def parse_device(text: bytes, source: str) -> Device:
    """The device that a file describes. SvdError says what is wrong with it."""
    if b"<!ENTITY" in text[:65536]:
        raise SvdError(f"{source} defines XML entities, which no SVD file needs.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise SvdError(f"{source} is no XML: {error}.") from error
    if root.tag != "device":
        raise SvdError(f"{source} is no CMSIS-SVD file: it begins with <{root.tag}>.")
    try:
        return _Parser(root).device(source)
    except (ValueError, RecursionError) as error:
        raise SvdError(f"{source} is not a sound CMSIS-SVD file: {error}.") from error


class _Parser:
    """One file. Elements are found by name for `derivedFrom`."""

    def __init__(self, root: _Element) -> None:
        self._root = root
        self._peripherals = {_name(item): item for item in root.iterfind("peripherals/peripheral")}
        self._registers = 0

    def device(self, source: str) -> Device:
        base = _Properties().within(self._root)
        peripherals = [
            self._peripheral(copy, base)
            for item in self._root.iterfind("peripherals/peripheral")
            for copy in _copies(self._derived(item, self._peripherals))
        ]
        peripherals.sort(key=lambda item: item.name)
        return Device(_name(self._root), _describe(self._root), tuple(peripherals), source)

    def _derived(self, element: _Element, others: Mapping[str, _Element], depth: int = 0) -> _Element:
        """An element with what it takes from the one it derives from; a path's last name is looked up."""
        origin = element.get("derivedFrom", "")
        if not origin:
            return element
        base = others.get(origin, self._elsewhere(origin))
        if base is None:
            base = others.get(origin.rpartition(".")[2])
        if base is None or depth > 8:
            raise ValueError(f"{_name(element)} is derived from {origin}, which is not there")
        base = self._derived(base, others, depth + 1)
        own = {child.tag for child in element}
        merged = ElementTree.Element(element.tag)
        merged.extend(_joined(child, base.find(child.tag)) for child in element)
        merged.extend(child for child in base if child.tag not in own and child.tag != "dim")
        if "dim" in own or "dim" not in {child.tag for child in base}:
            return merged
        # An array stays one when derived, unless the copy has a name without a place for the index.
        if "%s" in _name(merged):
            merged.extend(child for child in base if child.tag == "dim")
        return merged

    def _elsewhere(self, path: str) -> _Element | None:
        """A register of another peripheral, as `USART1.CR1`."""
        owner, _, name = path.partition(".")
        registers = self._peripherals[owner].iterfind("registers/*") if owner in self._peripherals else ()
        return next((item for item in registers if name and _name(item) == name), None)

    def _peripheral(self, copy: _Copy, base: _Properties) -> Peripheral:
        element = copy.element
        address = _number(element, "baseAddress", 0) + copy.offset
        group = _text(element, "groupName")
        registers = list(
            self._level(element.find("registers"), address, base.within(element), "", f"{copy.name} {group}")
        )
        registers.sort(key=lambda item: (item.address, item.name))
        return Peripheral(copy.name, _describe(element), group, address, tuple(registers))

    def _level(
        self, parent: _Element | None, address: int, base: _Properties, prefix: str, owner: str
    ) -> Iterator[Register]:
        """Registers and clusters side by side."""
        if parent is None:
            return
        children = [item for item in parent if item.tag in ("register", "cluster")]
        named = {_name(item): item for item in children}
        for child in children:
            full = self._derived(child, named)
            for copy in _copies(full):
                at = address + _number(full, "addressOffset", 0) + copy.offset
                properties = base.within(full)
                if child.tag == "cluster":
                    yield from self._level(full, at, properties, f"{prefix}{copy.name}.", owner)
                else:
                    self._registers += 1
                    if self._registers > _MAX_REGISTERS:
                        raise ValueError(f"it has more than {_MAX_REGISTERS} registers")
                    yield self._register(full, prefix + copy.name, at, properties, owner)

    def _register(
        self, element: _Element, name: str, address: int, base: _Properties, owner: str
    ) -> Register:
        items = list(element.iterfind("fields/field"))
        named = {_name(item): item for item in items}
        enums = {
            _text(found, "name"): found
            for found in element.iterfind("fields/field/enumeratedValues")
            if _text(found, "name")
        }
        fields = [
            _field(copy, base.access, enums) for item in items for copy in _copies(self._derived(item, named))
        ]
        fields.sort(key=lambda item: -item.lsb)
        reading = _reading(element)
        if reading is Reading.SAFE and any(item.reading is Reading.CHANGES for item in fields):
            reading = Reading.CHANGES
        if reading is Reading.SAFE and _DATA.search(name) and _FIFO.search(owner):
            reading = Reading.SUSPECT
        size = max(1, base.size // 8)
        mask = (1 << size * 8) - 1
        return Register(
            name,
            _describe(element),
            address,
            size,
            base.access,
            reading,
            base.reset & mask,
            base.reset_mask & mask,
            tuple(fields),
        )


def _joined(own: _Element, base: _Element | None) -> _Element:
    """Registers or fields of a derived element: those of the base that it does not name anew come too."""
    if own.tag not in ("registers", "fields") or base is None:
        return own
    merged = ElementTree.Element(own.tag)
    names = {_name(item) for item in own}
    merged.extend([*own, *(item for item in base if _name(item) not in names)])
    return merged


@dataclass(frozen=True, slots=True)
class _Copy:
    """One element of an array, or the only one: `offset` in the unit of dimIncrement."""

    element: _Element
    name: str
    offset: int


def _copies(element: _Element) -> Iterator[_Copy]:
    """What `dim`, `dimIncrement` and `dimIndex` unfold to: `CH%s` or `CH[%s]`."""
    name = _name(element)
    count = _number(element, "dim", 0)
    if not count:
        yield _Copy(element, name, 0)
        return
    if count > _MAX_REGISTERS:
        raise ValueError(f"{name} has {count} elements")
    step = _number(element, "dimIncrement", 0)
    for index, label in enumerate(_labels(_text(element, "dimIndex"), count, name)):
        yield _Copy(element, name.replace("[%s]", label).replace("%s", label), index * step)


def _labels(words: str, count: int, name: str) -> list[str]:
    """`dimIndex`: "3-6", "A-D" or "A,B,C"; numbers from 0 where there is none."""
    if not words:
        return [str(index) for index in range(count)]
    first, dash, last = words.replace(" ", "").partition("-")
    if dash and first.isdecimal() and last.isdecimal():
        labels = [str(index) for index in range(int(first), int(last) + 1)]
    elif dash and len(first) == len(last) == 1:
        labels = [chr(code) for code in range(ord(first), ord(last) + 1)]
    else:
        labels = [word.strip() for word in words.split(",")]
    if len(labels) != count:
        raise ValueError(f"{name} has {count} elements but {len(labels)} names")
    return labels


def _field(copy: _Copy, access: Access, enums: Mapping[str, _Element]) -> Field:
    element = copy.element
    lsb, width = _bits(element, copy.name)
    meanings: list[Meaning] = []
    otherwise: Meaning | None = None
    groups = element.findall("enumeratedValues")
    groups.sort(key=lambda group: _text(group, "usage") == "write")  # what is read comes first
    for group in groups[:1]:
        group = enums.get(group.get("derivedFrom", "").rpartition(".")[2], group)
        for item in group.iterfind("enumeratedValue"):
            value, mask = _pattern(_text(item, "value"), width)
            meaning = Meaning(_name(item), _describe(item), value, mask)
            if _text(item, "isDefault") in ("true", "1"):
                otherwise = meaning
            elif _text(item, "value"):
                meanings.append(meaning)
    return Field(
        copy.name,
        _describe(element),
        lsb + copy.offset,
        width,
        _access(element, access),
        _reading(element),
        tuple(meanings),
        otherwise,
    )


def _bits(element: _Element, name: str) -> tuple[int, int]:
    """Lowest bit and width, from any of the three ways to say it."""
    if span := _text(element, "bitRange"):
        high, _, low = span.strip("[]").partition(":")
        lsb, msb = int(low or high), int(high)
    elif element.find("lsb") is not None:
        lsb, msb = _number(element, "lsb", 0), _number(element, "msb", 0)
    elif element.find("bitOffset") is not None:
        lsb = _number(element, "bitOffset", 0)
        msb = lsb + _number(element, "bitWidth", 1) - 1
    else:
        raise ValueError(f"the field {name} does not say its bits")
    if not 0 <= lsb <= msb < 64:
        raise ValueError(f"the field {name} has bits {msb}:{lsb}")
    return lsb, msb - lsb + 1


def _pattern(text: str, width: int) -> tuple[int, int]:
    """A value and the bits of it that count: `5`, `0x5`, `0b101`, `#1x0`."""
    everything = (1 << width) - 1
    if not text:
        return 0, everything
    digits = text.lower()
    if digits.startswith(("#", "0b")):
        digits = digits.removeprefix("#").removeprefix("0b")
        value = int(digits.replace("x", "0"), 2)
        return value, everything & ~int(re.sub("[01]", "0", digits).replace("x", "1"), 2)
    return _integer(digits), everything


def _reading(element: _Element) -> Reading:
    return Reading.CHANGES if _text(element, "readAction") else Reading.SAFE


def _access(element: _Element, inherited: Access) -> Access:
    text = _text(element, "access")
    return Access(text) if text in {item.value for item in Access} else inherited


def _text(element: _Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _name(element: _Element) -> str:
    name = _text(element, "name")
    if not name and element.tag != "enumeratedValue":
        raise ValueError(f"a <{element.tag}> has no name")
    return name


def _describe(element: _Element) -> str:
    return _SPACE.sub(" ", _text(element, "description"))


def _number(element: _Element, tag: str, default: int) -> int:
    text = _text(element, tag)
    return _integer(text) if text else default


def _integer(text: str) -> int:
    """The schema's scaledNonNegativeInteger: decimal, 0x, #binary, with k, m, g, t behind."""
    match = re.fullmatch(r"\+?(0x[0-9a-f]+|#[01]+|0b[01]+|[0-9]+)([kmgt]?)", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is no number")
    digits, shift = match[1], 10 * " kmgt".index(match[2] or " ")
    if digits[0] == "#" or digits.startswith("0b"):
        return int(digits.removeprefix("#").removeprefix("0b"), 2) << shift
    return int(digits, 16 if digits.startswith("0x") else 10) << shift
