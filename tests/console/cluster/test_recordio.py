"""RecordIO survives any chunking and says what it cannot read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cluster.recordio import Decoder, RecordError, encode


@given(st.lists(st.binary(max_size=200), max_size=20), st.lists(st.integers(1, 64), min_size=1))
def test_any_chunking_gives_the_same_records(records: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(map(encode, records))
    decoder, found, turn = Decoder(), list[bytes](), 0
    while stream:
        size = sizes[turn % len(sizes)]
        found += decoder.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert found == records


@pytest.mark.parametrize("stream", [b"abc\n", b"-1\n", b"1" * 30, b"\nx", b"99999999999\n"])
def test_nonsense_is_refused(stream: bytes) -> None:
    with pytest.raises(RecordError):
        Decoder().feed(stream)
