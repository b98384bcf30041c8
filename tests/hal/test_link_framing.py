"""SLIP, FCS-16 and Slipmux: round trips, damage, pieces of any size."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hal.link import slip
from hal.link.fcs import append_fcs, check_fcs, fcs16
from hal.link.slipmux import CoapFrame, Decoder, TextLine, encode_coap, encode_text

frames = st.lists(st.binary(min_size=1, max_size=80), max_size=8)


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def test_fcs_is_that_of_rfc_1662() -> None:
    assert fcs16(b"123456789") == 0x906E  # CRC-16/X-25's well-known check value
    assert check_fcs(append_fcs(b"123456789"))
    assert not check_fcs(b"")


@given(data=st.binary(min_size=1, max_size=100), position=st.integers(0), flip=st.integers(1, 255))
def test_fcs_finds_every_damaged_byte(data: bytes, position: int, flip: int) -> None:
    frame = bytearray(append_fcs(data))
    frame[position % len(frame)] ^= flip
    assert not check_fcs(bytes(frame))


def test_slip_escapes_as_rfc_1055() -> None:
    assert slip.encode(b"\x01\xc0\xdb\x02") == bytes.fromhex("c0 01 db dc db dd 02 c0")


@given(frames=frames, cuts=st.lists(st.integers(0), max_size=10))
def test_slip_round_trip_in_any_pieces(frames: list[bytes], cuts: list[int]) -> None:
    decoder = slip.Decoder(limit=80)
    stream = b"".join(slip.encode(frame) for frame in frames)
    assert [frame for piece in _pieces(stream, cuts) for frame in decoder.feed(piece)] == frames
    assert decoder.dropped == 0


def test_slip_drops_what_is_too_long_or_broken_and_is_in_step_again() -> None:
    decoder = slip.Decoder(limit=4)
    assert decoder.feed(slip.encode(b"12345") + slip.encode(b"1234")) == [b"1234"]
    assert decoder.feed(b"\xdb\x00abc\xc0ok\xc0") == [b"ok"]
    assert decoder.feed(b"ab\xdb\xc0ok\xc0") == [b"ok"]
    assert decoder.dropped == 3


@given(noise=st.binary(max_size=200), message=st.binary(min_size=4, max_size=50))
def test_a_message_after_noise_arrives(noise: bytes, message: bytes) -> None:
    decoder = Decoder()
    got = decoder.feed(noise + encode_coap(message))
    assert got[-1] == CoapFrame(message)


@given(messages=st.lists(st.binary(min_size=4, max_size=50), max_size=5), seed=st.randoms())
def test_damage_never_makes_a_message(messages: list[bytes], seed: object) -> None:
    """With one damaged byte, what still arrives is what was sent, and at most two frames are lost."""
    import random

    assert isinstance(seed, random.Random)
    stream = bytearray(b"".join(encode_coap(message) for message in messages))
    if stream:
        stream[seed.randrange(len(stream))] ^= 1 << seed.randrange(8)
    got = [frame.message for frame in Decoder().feed(bytes(stream)) if isinstance(frame, CoapFrame)]
    remaining = iter(messages)
    assert all(message in remaining for message in got)
    assert len(got) >= len(messages) - 2


def test_text_lines_are_joined_from_parts_and_made_printable() -> None:
    decoder = Decoder()
    assert decoder.feed(encode_text("mma ker")) == []
    assert decoder.feed(encode_text("nel\nnext\x1b[2J")) == [TextLine("mma kernel")]
    assert decoder.feed(encode_text("\n")) == [TextLine("next[2J")]
    lines = decoder.feed(encode_text("x" * 1500) + encode_text("\n"))
    assert [len(line.text) for line in lines if isinstance(line, TextLine)] == [1024, 476]


def test_other_frames_are_ignored_without_a_count() -> None:
    decoder = Decoder()
    assert decoder.feed(slip.encode(b"\x45ip packet") + slip.encode(b"boot rom")) == []
    assert (decoder.fcs_errors, decoder.dropped) == (0, 0)
