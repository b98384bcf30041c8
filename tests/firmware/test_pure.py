"""The kernel's hardware-free parts against independent implementations: hashlib, cbor2, aiocoap, Python."""

from __future__ import annotations

import ctypes
import hashlib
import re
import struct
from pathlib import Path
from typing import Any

import aiocoap
import cbor2
import host_build
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

u8, u16, u32 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32
Bytes = ctypes.POINTER(u8)


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return host_build.library(Path(tmp_path_factory.mktemp("pure")))


def buffer(data: bytes) -> Any:
    """Bytes in memory of their own; at least one, since C has no empty arrays."""
    return (u8 * max(len(data), 1)).from_buffer_copy(data or b"\0")


# -- slip.c ----------------------------------------------------------------------------------------


class SlipIn(ctypes.Structure):
    _fields_ = [
        ("frame", Bytes),
        ("room", u16),
        ("length", u16),
        ("escaped", ctypes.c_bool),
        ("broken", ctypes.c_bool),
    ]


class SlipOut(ctypes.Structure):
    _fields_ = [("frame", Bytes), ("length", u16), ("at", u16), ("step", u8)]


def encode(pure: ctypes.CDLL, data: bytes) -> bytes:
    out = SlipOut()
    held = buffer(data)
    pure.mma_slip_start(ctypes.byref(out), held, u16(len(data)))
    line = bytearray()
    while (byte := pure.mma_slip_next(ctypes.byref(out))) >= 0:
        line.append(byte)
    return bytes(line)


def decode(pure: ctypes.CDLL, line: bytes, room: int) -> list[bytes | None]:
    """Frames, or None for each that was dropped."""
    held = (u8 * room)()
    state = SlipIn(frame=ctypes.cast(held, Bytes), room=room)
    frames: list[bytes | None] = []
    for byte in line:
        result = pure.mma_slip_put(ctypes.byref(state), u8(byte))
        if result:
            frames.append(bytes(held[:result]) if result > 0 else None)
    return frames


@given(data=st.binary(min_size=1, max_size=300))
def test_slip_is_rfc_1055(pure: ctypes.CDLL, data: bytes) -> None:
    line = encode(pure, data)
    assert line == b"\xc0" + data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
    assert decode(pure, line, 300) == [data]
    too_long = decode(pure, line, len(data) - 1) if len(data) > 1 else [None]
    assert too_long == [None]


@given(line=st.lists(st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD, 1]), max_size=60).map(bytes))
def test_slip_drops_broken_escapes(pure: ctypes.CDLL, line: bytes) -> None:
    expected: list[bytes | None] = []
    for part in line.split(b"\xc0")[:-1]:
        if part:
            good = re.fullmatch(rb"(?s)(?:[^\xdb]|\xdb[\xdc\xdd])*", part)
            whole = re.sub(b"\xdb[\xdc\xdd]", lambda pair: b"\xc0" if pair[0][1] == 0xDC else b"\xdb", part)
            expected.append(whole if good else None)
    assert decode(pure, line, 100) == expected


@given(data=st.binary(max_size=100))
def test_fcs_is_rfc_1662(pure: ctypes.CDLL, data: bytes) -> None:
    fcs = 0xFFFF
    for byte in data:
        fcs ^= byte
        for _ in range(8):
            fcs = fcs >> 1 ^ (0x8408 if fcs & 1 else 0)
    pure.mma_fcs16.restype = u16
    assert pure.mma_fcs16(u16(0xFFFF), buffer(data), u32(len(data))) == fcs
    sealed = data + struct.pack("<H", fcs ^ 0xFFFF)
    assert pure.mma_fcs16(u16(0xFFFF), buffer(sealed), u32(len(sealed))) == 0xF0B8


# -- sha256.c --------------------------------------------------------------------------------------


class Sha256(ctypes.Structure):
    _fields_ = [("state", u32 * 8), ("length", u32), ("block", u8 * 64)]


@given(parts=st.lists(st.binary(max_size=200), max_size=6))
def test_sha256(pure: ctypes.CDLL, parts: list[bytes]) -> None:
    state, digest = Sha256(), (u8 * 32)()
    pure.mma_sha256_start(ctypes.byref(state))
    for part in parts:
        pure.mma_sha256_feed(ctypes.byref(state), buffer(part), u32(len(part)))
    pure.mma_sha256_end(ctypes.byref(state), digest)
    assert bytes(digest) == hashlib.sha256(b"".join(parts)).digest()


# -- cbor.c ----------------------------------------------------------------------------------------


class Out(ctypes.Structure):
    _fields_ = [("to", Bytes), ("first", u32), ("room", u32), ("total", u32)]


class Item(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("value", u32), ("data", Bytes)]


def write(pure: ctypes.CDLL, value: object, out: Out) -> None:
    if isinstance(value, bytes):
        pure.mma_cbor_bytes(ctypes.byref(out), buffer(value), u32(len(value)))
    elif isinstance(value, str):
        pure.mma_cbor_text(ctypes.byref(out), ctypes.c_char_p(value.encode()))
    elif isinstance(value, list):
        pure.mma_cbor_head(ctypes.byref(out), 4, u32(len(value)))
        for item in value:
            write(pure, item, out)
    elif isinstance(value, int) and value < 0:
        pure.mma_cbor_int(ctypes.byref(out), ctypes.c_int32(value))
    else:
        pure.mma_cbor_uint64(ctypes.byref(out), ctypes.c_uint64(value))  # type: ignore[arg-type]


written = st.recursive(
    st.integers(-(2**31), 2**64 - 1) | st.binary(max_size=300) | st.text("abcä", max_size=30),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=10,
)


@given(value=written, first=st.integers(0, 400), room=st.integers(0, 400))
def test_cbor_is_written_through_a_window(pure: ctypes.CDLL, value: object, first: int, room: int) -> None:
    held = (u8 * 401)(*[0xEE] * 401)
    out = Out(ctypes.cast(held, Bytes), first, room, 0)
    write(pure, value, out)
    whole = cbor2.dumps(value)
    assert out.total == len(whole)
    window = whole[first : first + room]
    assert bytes(held[: len(window)]) == window
    assert all(byte == 0xEE for byte in held[len(window) :])


read_values = st.recursive(
    st.integers(-(2**31), 2**32 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=10)
    | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 9), inner, max_size=3),
    max_leaves=8,
)


@given(
    value=st.dictionaries(st.integers(0, 30) | st.text(max_size=3), read_values, max_size=8),
    key=st.integers(0, 30),
)
def test_cbor_maps_are_searched(pure: ctypes.CDLL, value: dict[Any, Any], key: int) -> None:
    data, item = cbor2.dumps(value), Item()
    memory = buffer(data)  # which the item points into
    pure.mma_cbor_find.restype = ctypes.c_bool
    found = pure.mma_cbor_find(memory, u32(len(data)), u32(key), ctypes.byref(item))
    assert found == (key in value)
    wanted = value.get(key)
    if found and isinstance(wanted, bytes):
        assert item.type == 2
        assert bytes(item.data[: item.value]) == wanted
    if found and type(wanted) is int and wanted >= 0:
        assert (item.type, item.value) == (0, wanted)


@given(data=st.binary(max_size=60), key=st.integers(0, 30))
@settings(max_examples=500)
def test_cbor_garbage_is_only_read_within_itself(pure: ctypes.CDLL, data: bytes, key: int) -> None:
    item, held = Item(), buffer(data)
    pure.mma_cbor_find.restype = ctypes.c_bool
    if pure.mma_cbor_find(held, u32(len(data)), u32(key), ctypes.byref(item)) and item.type in (2, 3):
        start = ctypes.cast(item.data, ctypes.c_void_p).value or 0
        assert ctypes.addressof(held) <= start
        assert start + item.value <= ctypes.addressof(held) + len(data)


# -- coap.c ----------------------------------------------------------------------------------------


class View(ctypes.Structure):
    _fields_ = [("data", Bytes), ("length", u32)]


class Block(ctypes.Structure):
    _fields_ = [("number", u32), ("size", u8), ("more", ctypes.c_bool), ("given", ctypes.c_bool)]


class Coap(ctypes.Structure):
    _fields_ = [
        ("type", u8),
        ("code", u8),
        ("id", u16),
        ("token", u8 * 8),
        ("token_length", u8),
        ("depth", u8),
        ("unknown", ctypes.c_bool),
        ("observes", ctypes.c_bool),
        ("accepts", ctypes.c_bool),
        ("observe", u32),
        ("accept", u32),
        ("path", View * 3),
        ("query", View),
        ("block1", Block),
        ("block2", Block),
        ("payload", View),
        ("proof", View),
    ]


def bytes_of(view: View) -> bytes:
    return bytes(view.data[: view.length]) if view.length else b""


def parse(pure: ctypes.CDLL, data: bytes) -> tuple[bool, Coap, Any]:
    message, held = Coap(), buffer(data)
    pure.mma_coap_parse.restype = ctypes.c_bool
    return pure.mma_coap_parse(held, u32(len(data)), ctypes.byref(message)), message, held


blocks = st.none() | st.tuples(st.integers(0, 2**20 - 1), st.booleans(), st.integers(0, 6))


@given(
    path=st.lists(st.text(max_size=20), max_size=5),
    query=st.none() | st.text(max_size=300),
    token=st.binary(max_size=8),
    mid=st.integers(0, 0xFFFF),
    observe=st.none() | st.integers(0, 0xFFFFFF),
    accept=st.none() | st.integers(0, 0xFFFF),
    block1=blocks,
    block2=blocks,
    payload=st.binary(max_size=80),
)
def test_requests_of_aiocoap_are_understood(
    pure: ctypes.CDLL,
    path: list[str],
    query: str | None,
    token: bytes,
    mid: int,
    observe: int | None,
    accept: int | None,
    block1: tuple[int, bool, int] | None,
    block2: tuple[int, bool, int] | None,
    payload: bytes,
) -> None:
    sent = aiocoap.Message(code=aiocoap.PUT, payload=payload, _mid=mid, _mtype=aiocoap.CON, _token=token)
    sent.opt.uri_path = tuple(path)
    sent.opt.uri_query = (query,) if query is not None else ()
    sent.opt.observe, sent.opt.accept = observe, accept
    sent.opt.block1, sent.opt.block2 = block1, block2
    good, message, held = parse(pure, sent.encode())
    assert good
    assert (message.type, message.code, message.id) == (0, 3, mid)
    assert bytes(message.token[: message.token_length]) == token
    assert message.depth == len(path)
    assert [bytes_of(view) for view in message.path[: len(path)]] == [part.encode() for part in path[:3]]
    assert bytes_of(message.query) == (query or "").encode()
    assert (message.observe if message.observes else None) == observe
    assert (message.accept if message.accepts else None) == accept
    for block, wanted in ((message.block1, block1), (message.block2, block2)):
        assert ((block.number, block.more, block.size) if block.given else None) == wanted
    assert bytes_of(message.payload) == payload
    assert not message.unknown
    del held


@given(data=st.binary(max_size=80))
@settings(max_examples=500)
def test_coap_garbage_is_only_read_within_itself(pure: ctypes.CDLL, data: bytes) -> None:
    good, message, held = parse(pure, b"\x44\x01" + data)
    if good:
        for view in (*message.path, message.query, message.payload):
            if view.length:
                start = ctypes.cast(view.data, ctypes.c_void_p).value or 0
                assert ctypes.addressof(held) <= start
                assert start + view.length <= ctypes.addressof(held) + len(data) + 2


@pytest.mark.parametrize(
    "data",
    [
        b"\x40\x01\x00",  # three bytes
        b"\x80\x01\x00\x01",  # version 2
        b"\x49\x01\x00\x01123456789",  # a token of nine
        b"\x44\x01\x00\x01abc",  # a token cut off
        b"\x40\x00\x00\x01\x00",  # an empty message that isn't
        b"\x40\x01\x00\x01\xff",  # a marker without a payload
        b"\x40\x01\x00\x01\xf0",  # a delta of 15
        b"\x40\x01\x00\x01\xb5x",  # an option cut off
        b"\x40\x01\x00\x01\xe0\xff\xff\xe0\xff\xff",  # option numbers past 65535
        b"\x40\x01\x00\x01\xd1\x0a\x0f",  # Block2 with the reserved size
    ],
)
def test_malformed_messages(pure: ctypes.CDLL, data: bytes) -> None:
    assert not parse(pure, data)[0]


def test_unknown_critical_option(pure: ctypes.CDLL) -> None:
    assert parse(pure, b"\x40\x01\x00\x01\x10")[1].unknown  # If-Match
    assert not parse(pure, b"\x40\x01\x00\x01\x40")[1].unknown  # ETag, elective


# -- ring.c ----------------------------------------------------------------------------------------


class Ring(ctypes.Structure):
    _fields_ = [("end", u32), ("at", u32), ("read", u32), ("dropped", u32)]


@given(
    size=st.integers(1, 20),
    before=st.integers(0, 60),
    writes=st.lists(st.binary(max_size=30), max_size=12),
    offset=st.integers(-80, 400),
)
def test_ring_goes_on_past_four_gigabytes(
    pure: ctypes.CDLL, size: int, before: int, writes: list[bytes], offset: int
) -> None:
    """As one that has written nearly as much, all of it read."""
    begin = (1 << 32) - before
    ring, area = Ring(begin, 0, begin, 0), (u8 * size)()
    for data in writes:
        pure.mma_ring_write(ctypes.byref(ring), area, u32(size), buffer(data), u32(len(data)))
    stream = b"".join(writes)
    end = (begin + len(stream)) % (1 << 32)
    assert ring.end == end
    assert ring.dropped == max(len(stream) - size, 0)
    first = pure.mma_ring_from(ctypes.byref(ring), u32(size), u32(begin + offset)) % (1 << 32)
    left = (end - first) % (1 << 32)
    assert left <= size
    assert left == 0 if offset >= len(stream) else left <= len(stream) - offset
    if left and left <= len(stream):
        at = u32()
        piece = pure.mma_ring_piece(ctypes.byref(ring), u32(size), u32(first), u32(left), ctypes.byref(at))
        assert bytes(area[at.value : at.value + piece]) + bytes(area[: left - piece]) == stream[-left:]
    pure.mma_ring_seen(ctypes.byref(ring), u32(end))
    assert ring.read == end
    pure.mma_ring_seen(ctypes.byref(ring), u32(begin - 1))
    assert ring.read == end


@given(
    size=st.integers(0, 20), writes=st.lists(st.binary(max_size=30), max_size=12), offset=st.integers(0, 400)
)
def test_ring_keeps_the_newest(pure: ctypes.CDLL, size: int, writes: list[bytes], offset: int) -> None:
    ring, area = Ring(), (u8 * (size + 1))(*[0xEE] * (size + 1))
    for data in writes:
        pure.mma_ring_write(ctypes.byref(ring), area, u32(size), buffer(data), u32(len(data)))
    stream = b"".join(writes)
    kept = max(len(stream) - size, 0)
    first = min(max(offset, kept), len(stream))
    assert ring.end == len(stream)
    assert ring.dropped == kept
    assert area[size] == 0xEE
    assert pure.mma_ring_from(ctypes.byref(ring), u32(size), u32(offset)) == first
    length, at = len(stream) - first, u32()
    if length:
        piece = pure.mma_ring_piece(ctypes.byref(ring), u32(size), u32(first), u32(length), ctypes.byref(at))
        assert bytes(area[at.value : at.value + piece]) + bytes(area[: length - piece]) == stream[first:]


# -- loader.c --------------------------------------------------------------------------------------


class Run(ctypes.Structure):
    _fields_ = [("low", u32), ("high", u32)]


class Window(ctypes.Structure):
    _fields_ = [("run", Run), ("bytes", Bytes)]


class Loader(ctypes.Structure):
    _fields_ = [
        ("hash", Sha256),
        ("received", u32),
        ("head", u8 * 8),
        ("to", Bytes),
        ("left", u32),
        ("have", u8),
    ]


LOW, SIZE = 0x20000000, 64


@given(
    records=st.lists(st.tuples(st.integers(LOW - 4, LOW + SIZE + 4), st.binary(max_size=40)), max_size=6),
    cut=st.integers(0, 20),
    pieces=st.integers(1, 50),
)
def test_loader(pure: ctypes.CDLL, records: list[tuple[int, bytes]], cut: int, pieces: int) -> None:
    stream = b"".join(struct.pack("<II", address, len(data)) + data for address, data in records)
    cut = min(cut, len(stream))
    stream = stream[: len(stream) - cut]
    area = (u8 * SIZE)()
    window = Window(Run(LOW, LOW + SIZE), ctypes.cast(area, Bytes))
    loader, digest = Loader(), (u8 * 32)()
    pure.mma_loader_feed.restype = pure.mma_loader_end.restype = ctypes.c_bool
    pure.mma_loader_start(ctypes.byref(loader))
    taken = True
    for at in range(0, len(stream), pieces):
        part = stream[at : at + pieces]
        taken = taken and pure.mma_loader_feed(
            ctypes.byref(loader), ctypes.byref(window), u32(1), buffer(part), u32(len(part))
        )
    inside, expected, ends = True, bytearray(SIZE), {0}
    at = 0
    for address, data in records:
        if at + 8 > len(stream):
            break
        if address < LOW or address + len(data) > LOW + SIZE:
            inside = False
            break
        data = stream[at + 8 : at + 8 + len(data)]
        expected[address - LOW : address - LOW + len(data)] = data
        at += 8 + len(data)
        ends.add(at)
    assert taken == inside
    if inside:
        complete = pure.mma_loader_end(ctypes.byref(loader), digest)
        whole = sum(8 + len(data) for _, data in records)
        boundaries, total = {0}, 0
        for _, data in records:
            total += 8 + len(data)
            boundaries.add(total)
        assert complete == (len(stream) in boundaries)
        assert bytes(digest) == hashlib.sha256(stream).digest()
        assert whole >= len(stream)
        assert bytes(area) == bytes(expected)


# -- arena.c and plan.c ----------------------------------------------------------------------------


class Place(ctypes.Structure):
    _fields_ = [("base", u32), ("used", u32)]


class Parts(ctypes.Structure):
    _fields_ = [("code", u32), ("stack", u32), ("memory", u32), ("log", u32), ("result", u32)]


class Protection(ctypes.Structure):
    _fields_ = [("where", u32 * 8), ("what", u8 * 8)]

    def admits(self) -> tuple[set[int], set[int]]:
        """Addresses, in steps of 32, that are (code, data); a region's alignment is checked on the way."""
        code: set[int] = set()
        data: set[int] = set()
        for where, what in zip(self.where, self.what, strict=True):
            if not what:
                continue
            size, base, off = 1 << (what & 0x1F), where & ~0xFF, where & 0xFF
            assert base % size == 0
            for eighth in range(8):
                if not off >> eighth & 1:
                    start = base + eighth * size // 8
                    (code if what & 0x80 else data).update(range(start, start + size // 8, 32))
        return code, data


units = st.integers(1, 700).map(lambda count: count * 32)


@given(
    parts=st.lists(st.tuples(units, units, units, st.integers(0, 3000)), min_size=1, max_size=8),
    low=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_slots_are_apart_and_protected_exactly(
    pure: ctypes.CDLL, parts: list[tuple[int, int, int, int]], low: int
) -> None:
    arena = Run(0x20000000 + low * 32, 0x20020000)
    places: list[Place] = []
    pure.mma_parts_round.restype = pure.mma_arena_find.restype = ctypes.c_bool
    for code, stack, memory, log in parts:
        wanted, total, place, protection = Parts(code, stack, memory, log, 8), u32(), Place(), Protection()
        assert pure.mma_parts_round(ctypes.byref(wanted), ctypes.byref(total))
        assert total.value == code + stack + memory + -(-(log + 8) // 32) * 32
        taken = (ctypes.POINTER(Place) * max(len(places), 1))(*(ctypes.pointer(place) for place in places))
        arguments = (taken, u32(len(places)), ctypes.byref(wanted), total)
        if not pure.mma_arena_find(
            ctypes.byref(arena), *arguments, ctypes.byref(place), ctypes.byref(protection)
        ):
            continue
        end = place.base + place.used
        assert place.used == total.value
        assert arena.low <= place.base
        assert end <= arena.high
        assert all(end <= other.base or other.base + other.used <= place.base for other in places)
        admitted_code, admitted_data = protection.admits()
        border, top = place.base + code, place.base + code + stack + memory
        assert admitted_code == set(range(place.base, border, 32))
        assert set(range(border, top, 32)) <= admitted_data
        assert admitted_data <= set(range(border, end, 32))
        places.append(place)
    if sum(code + stack + memory + log + 64 for code, stack, memory, log in parts) < 0x10000:
        assert len(places) == len(parts), "half of the arena always suffices"
