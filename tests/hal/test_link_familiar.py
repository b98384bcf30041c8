"""Unknown options and formats are refused before aiocoap would remember them for ever."""

from __future__ import annotations

import contextlib

import pytest
from aiocoap import CON, CONTENT, Message
from aiocoap.error import Error
from aiocoap.numbers import ContentFormat, OptionNumber
from hypothesis import example, given
from hypothesis import strategies as st

from hal.link.familiar import familiar
from hal.link.proof import OPTION
from hal.link.transport import StreamTransport

Message.decode(bytes.fromhex("604500016105"))  # aiocoap begins to count options at 0, which is none


def members() -> tuple[int, int]:
    return len(OptionNumber._value2member_map_), len(ContentFormat._value2member_map_)


def test_what_the_link_speaks_is_familiar() -> None:
    message = Message(
        code=CONTENT, _mtype=CON, _mid=7, _token=b"ab", payload=b"\xa0", observe=3, content_format=60
    )
    message.opt.block2 = (2, True, 2)
    message.opt.uri_path = ("x", "0", "result")
    message.opt.add_option(OPTION.create_option(value=b"0123456789ab"))
    assert familiar(message.encode())
    assert familiar(b"\x40\x00\x00\x01")
    assert familiar(b"")


@pytest.mark.parametrize(
    "data",
    [
        "604500010d37ff",  # option 68
        "60450001e10a0000ff",  # option 2829
        "60450001c10b",  # content-format 11
        "60450001c30b0c0d",  # content-format 723981
        "60450001f0",  # a delta of 15 is no option
        "60450001d0",  # its extension is missing
        "60450001c0c0c0c0c0c0",  # numbers that go on past those known
    ],
)
def test_what_it_does_not_is_malformed_and_leaves_nothing(data: str) -> None:
    before, transport = members(), StreamTransport("test")
    assert not familiar(bytes.fromhex(data))
    transport._receive(bytes.fromhex(data))
    assert (transport.statistics.malformed, transport.statistics.frames_received) == (1, 0)
    assert members() == before


@given(st.binary(max_size=40))
@example(bytes.fromhex("6045000161ff"))
def test_nothing_familiar_makes_aiocoap_remember(data: bytes) -> None:
    before = members()
    if familiar(data):
        with contextlib.suppress(Error, ValueError, IndexError):
            Message.decode(data)
    assert members() == before
