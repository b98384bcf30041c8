"""The whole server with AddressSanitizer and UBSan, fed with damaged conversations."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
from pathlib import Path

import cbor2
import host_build
import pytest
from aiocoap import ACK, CON, DELETE, EMPTY, GET, NON, POST, PUT, RST, Message

ARENA = 0x20010000


def conversation() -> list[bytes]:
    """Requests as a gateway makes them, over a life of three executors."""
    messages: list[Message] = []

    def add(code: object, path: str, payload: bytes = b"", **options: object) -> None:
        mid = len(messages) + 1
        message = Message(code=code, payload=payload, _mtype=CON, _mid=mid, _token=bytes([mid & 255, 7]))
        path, _, query = path.partition("?")
        message.opt.uri_path = tuple(path.split("/"))
        message.opt.uri_query = (query,) if query else ()
        for name, value in options.items():
            setattr(message.opt, name, value)
        messages.append(message)

    for path in ("d", "s", "k", ".well-known/core", "nothing", "x", "x/9", "x/0/what"):
        add(GET, path)
    add(GET, "s", observe=0)
    add(GET, "d", block2=(1, False, 2), accept=60)
    for number, (code, stack, memory) in enumerate([(512, 512, 256), (96, 256, 0), (8192, 1024, 4096)]):
        create = {
            0: os.urandom(8),
            1: code,
            2: stack,
            3: memory,
            4: 100 * number,
            5: 300,
            6: 500,
            7: 3,
            8: 1,
            9: 2,
        }
        add(POST, "x", cbor2.dumps(create))
        stream = struct.pack("<II", ARENA, code) + os.urandom(code)
        for block in range(0, len(stream), 256):
            part, more = stream[block : block + 256], block + 256 < len(stream)
            add(PUT, f"x/{number}", part, block1=(block // 256, more, 4))
        start = {0: 1, 1: hashlib.sha256(stream).digest(), 2: ARENA, 3: memory}
        add(POST, f"x/{number}", cbor2.dumps(start))
        for path in ("", "/log?o=0", "/result", "/log?o=99999", "/rules"):
            add(GET, f"x/{number}{path}")
    for mtype, mid in ((ACK, 1), (RST, 2), (CON, 3), (NON, 4)):
        messages.append(Message(code=EMPTY, _mtype=mtype, _mid=mid))
    for number in (1, 0, 2):
        add(POST, f"x/{number}", cbor2.dumps({0: 2}))
        add(GET, f"x/{number}")
        add(DELETE, f"x/{number}")
    return [message.encode() for message in messages]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = host_build.fuzzer(tmp_path_factory.mktemp("fuzz"))
    if built is None:
        pytest.skip("GCC with its sanitizers is not installed")
    return built


@pytest.mark.parametrize("seed", range(4))
def test_no_damage_harms_the_server(fuzzer: Path, tmp_path: Path, seed: int) -> None:
    corpus = tmp_path / "corpus"
    corpus.write_bytes(b"".join(struct.pack("<H", len(data)) + data for data in conversation()))
    count = int(os.environ.get("MMA_FUZZ", "20000"))
    result = subprocess.run(
        [fuzzer, corpus, str(seed), str(count)], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    answers = int(result.stdout.split(" frames, ")[1].split()[0])
    assert answers > count // 2, result.stdout
