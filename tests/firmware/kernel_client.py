"""A kernel under QEMU, talked to byte by byte over its line: no code of ours in between but the kernel's.

CoAP messages are aiocoap's, frames are made here by the RFCs. Guests are C functions for the very slot.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2
from aiocoap import ACK, CON, DELETE, EMPTY, GET, POST, PUT, Code, Message
from aiocoap.optiontypes import OpaqueOption
from elftools.elf.elffile import ELFFile

from hal import toolchain
from hal.abi import State
from hal.boards import Board
from hal.firmware import Firmware
from hal.keys import DEVELOPMENT
from hal.link.proof import OPTION, prove

HEADER = Path(__file__).parent / "host" / "guest.h"


def fcs16(data: bytes) -> int:
    """RFC 1662 appendix C, bit by bit."""
    fcs = 0xFFFF
    for byte in data:
        fcs ^= byte
        for _ in range(8):
            fcs = fcs >> 1 ^ (0x8408 if fcs & 1 else 0)
    return fcs


def to_frame(message: bytes) -> bytes:
    """Slipmux: mark, message, FCS between two ENDs."""
    data = b"\xa9" + message
    data += struct.pack("<H", fcs16(data) ^ 0xFFFF)
    return b"\xc0" + data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


@dataclass(frozen=True)
class Spawned:
    """An executor made by spawn(): its slot and where its parts are."""

    number: int
    code: int
    stack: int
    memory: int
    taken: int
    digest: bytes
    entry: int
    elf: Path

    def symbol(self, name: str) -> tuple[int, int]:
        """[first address, past the last) of a function."""
        with self.elf.open("rb") as file:
            (symbol,) = ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name(name)
            start = symbol["st_value"] & ~1
            return start, start + symbol["st_size"]


@dataclass
class Kernel:
    """A running kernel. Close it."""

    firmware: Firmware
    options: tuple[str, ...] = ()
    text: str = ""
    notices: list[Message] = field(default_factory=list)
    acknowledge: bool = True
    proves: bool = True

    def __post_init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="mma-kernel-")
        path = f"{self.folder.name}/line"
        emulator = self.firmware.board.emulators["qemu"]
        machine = [word.format(elf=self.firmware.elf) for word in emulator["arguments"]]
        headless = ["-nographic", "-monitor", "none", "-serial", f"unix:{path},server,nowait"]
        self.process = subprocess.Popen(
            # It must not outlive a test run that was killed.
            ["setpriv", "--pdeathsig", "KILL", emulator["system"], *machine, *headless, *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.line = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.line.connect(path)
                break
            except OSError:
                assert time.monotonic() < deadline, "QEMU does not start"
                time.sleep(0.01)
        self._boot: int | None = None
        self._counter = 0
        self._received = b""
        self._sound = False
        self._ids = itertools.count(int.from_bytes(os.urandom(2), "big"))

    def close(self) -> None:
        self.line.close()
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    # -- frames ---------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        self.line.sendall(data)

    def frames(self, seconds: float) -> Iterator[bytes]:
        """Frames as they come, until so much time has passed."""
        deadline = time.monotonic() + seconds
        while True:
            head, end, tail = self._received.partition(b"\xc0")
            if end:
                self._received = tail
                if head:
                    yield head.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                continue
            self.line.settimeout(max(deadline - time.monotonic(), 0.0001))
            try:
                self._received += self.line.recv(4096)
            except TimeoutError:
                return

    def _message(self, frame: bytes) -> Message | None:
        if frame[0] == 0x0A:
            self.text += frame[1:].decode()
            return None
        if not self._sound:  # the greeting's tail, of a line that came up in the middle of it
            self._sound = True
            if frame[0] != 0xA9:
                return None
        assert frame[0] == 0xA9
        assert fcs16(frame) == 0xF0B8
        message = Message.decode(frame[1:-2])
        if message.mtype is CON:
            self.notices.append(message)
            if self.acknowledge:
                self.send(to_frame(Message(code=EMPTY, _mtype=ACK, _mid=message.mid).encode()))
            return None
        return message

    def wait(self, seconds: float) -> None:
        """Let time pass, taking what comes."""
        for frame in self.frames(seconds):
            self._message(frame)

    # -- requests -------------------------------------------------------------------------------------

    def request(self, code: Code, path: str, payload: bytes = b"", **options: Any) -> Message:
        """One request and its answer; sent again after a second, four times."""
        message = Message(
            code=code, payload=payload, _mtype=CON, _mid=next(self._ids) & 0xFFFF, _token=b"\x11"
        )
        path, _, query = path.partition("?")
        message.opt.uri_path = tuple(path.split("/"))
        message.opt.uri_query = (query,) if query else ()
        for name, value in options.items():
            setattr(message.opt, name, value)
        proven = code in (POST, DELETE) and self.proves
        if proven:
            self.prove(message)
        answer = self.exchange(message.encode(), message.mid)
        if proven and str(answer.code)[:4] == "4.01":  # it restarted meanwhile
            self.renew()
            return self.request(code, f"{path}?{query}" if query else path, payload, **options)
        return answer

    def prove(self, message: Message, key: bytes = DEVELOPMENT) -> None:
        """Add a proof that comes from who has the device's key."""
        if self._boot is None:
            self.renew()
        self._counter += 1
        value = prove(
            key, self._boot or 0, self._counter, message.code, message.opt.uri_path, message.payload
        )
        message.opt.add_option(OpaqueOption(OPTION, value))

    def renew(self) -> None:
        """Take boot id and counter from the device, as after its restart."""
        found = self.get("d")
        self._boot, self._counter = found[3], found[18]

    def exchange(self, message: bytes, mid: int) -> Message:
        for _ in range(4):
            self.send(to_frame(message))
            for frame in self.frames(1.0):
                answer = self._message(frame)
                if answer is not None and answer.mid == mid:
                    return answer
        raise TimeoutError(f"no answer; the device said {self.text!r}")

    def unconfirmed(self, message: Message) -> Message:
        """Send a message as it is, once, and take the next answer."""
        self.send(to_frame(message.encode()))
        return self.answer()

    def answer(self, seconds: float = 60.0) -> Message:
        """The next message that is no notification."""
        for frame in self.frames(seconds):
            answer = self._message(frame)
            if answer is not None:
                return answer
        raise TimeoutError("no answer")

    def get(self, path: str, **options: Any) -> Any:
        """The payload of a GET that must succeed, decoded where it is CBOR."""
        answer = self.request(GET, path, **options)
        assert str(answer.code).startswith("2.05"), (path, answer.code, answer.payload)
        return cbor2.loads(answer.payload) if answer.opt.content_format == 60 else answer.payload

    def post(self, path: str, value: Any = None) -> tuple[str, Any]:
        answer = self.request(POST, path, b"" if value is None else cbor2.dumps(value))
        return str(answer.code)[:4], cbor2.loads(answer.payload) if answer.payload else None

    def delete(self, number: int) -> str:
        return str(self.request(DELETE, f"x/{number}").code)[:4]

    @property
    def block(self) -> int:
        """Bytes of its longest block."""
        return self.firmware.board.options["block"]

    @property
    def slots(self) -> int:
        """Most executors at once."""
        return self.firmware.board.options["slots"]

    def upload(self, number: int, stream: bytes, szx: int | None = None) -> Message:
        szx = self.block.bit_length() - 5 if szx is None else szx
        size = 16 << szx
        for block in itertools.count():
            part, more = stream[block * size : (block + 1) * size], (block + 1) * size < len(stream)
            answer = self.request(PUT, f"x/{number}", part, block1=(block, more, szx))
            if not more or str(answer.code)[:4] != "2.31":
                return answer
        raise AssertionError

    # -- executors ------------------------------------------------------------------------------------

    def create(self, **parts: Any) -> tuple[str, Any]:
        keys = ("key", "code", "stack", "memory", "log", "result", "share", "gpio", "sensors", "rules")
        defaults = dict(key=os.urandom(8), code=512, stack=512, memory=512, log=256, result=64, share=100)
        return self.post("x", {keys.index(name): value for name, value in (defaults | parts).items()})

    def spawn(self, source: str, *, start: bool = True, initial: bytes = b"", **parts: Any) -> Spawned:
        """Create, compile for the place, upload and start an executor. `source` is C with a start()."""
        code, place = self.create(**parts)
        assert code == "2.01", place
        elf, image, entry = compile_guest(self.firmware.board, source, place, Path(self.folder.name))
        stream = struct.pack("<II", place[1], len(image)) + image
        if initial:
            stream += struct.pack("<II", place[3], len(initial)) + initial
        assert str(self.upload(place[0], stream).code)[:4] == "2.04"
        digest = hashlib.sha256(stream).digest()
        spawned = Spawned(*(place[key] for key in range(5)), digest, entry, elf)
        if start:
            assert self.post(f"x/{spawned.number}", {0: 1, 1: digest, 2: entry})[0] == "2.04"
        return spawned

    def look(self, spawned: Spawned) -> dict[int, Any]:
        """X of link.md."""
        found: dict[int, Any] = self.get(f"x/{spawned.number}")
        return found

    def look_state(self, number: int) -> State:
        return State(self.get(f"x/{number}")[1])

    def ended(self, spawned: Spawned, seconds: float = 60.0) -> dict[int, Any]:
        """X once the executor has ended."""
        deadline = time.monotonic() + seconds
        while (found := self.look(spawned))[1] != State.ENDED:
            assert time.monotonic() < deadline, found
            self.wait(0.02)
        return found

    def log(self, spawned: Spawned, offset: int = 0) -> tuple[int, bytes]:
        first, data = self.get(f"x/{spawned.number}/log?o={offset}")
        return first, data


class Debugger:
    """GDB's remote protocol, as much as pokes into a machine that stands still meanwhile."""

    def __init__(self, path: Path) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(path))
        self.line.settimeout(5)
        self._received = b""

    def __enter__(self) -> Debugger:
        self.command(
            "qXfer:features:read:target.xml:0,fff"
        )  # QEMU takes registers only from who has read this
        return self

    def __exit__(self, *error: object) -> None:
        self.command("D")  # lets it run on
        self.line.close()

    def run_to(self, address: int) -> None:
        """Let it run until it is there."""
        self.command(f"Z0,{address:x},2")
        self.command("c", stops=True)
        self.command(f"z0,{address:x},2")

    def command(self, text: str, *, stops: bool = False) -> str:
        """The answer to one command; `stops`: that it stopped again."""
        self.line.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())
        while True:
            _, begin, rest = self._received.partition(b"$")
            answer, end, self._received = rest.partition(b"#") if begin else (b"", b"", self._received)
            if not end:
                self._received = begin + rest + self.line.recv(4096)
                continue
            self.line.sendall(b"+")
            if answer.startswith((b"T", b"S")) is stops:  # else: that it stopped, which we know
                return answer.decode()


def compile_guest(board: Board, source: str, place: dict[int, int], folder: Path) -> tuple[Path, bytes, int]:
    """(ELF, bytes for the code part, entry) of a guest linked for its place."""
    name = f"guest-{place[0]}-{os.urandom(4).hex()}"
    c, o, elf, script = (folder / f"{name}.{suffix}" for suffix in ("c", "o", "elf", "ld"))
    c.write_text(f'#include "{HEADER}"\n{source}\n')
    options = [f"--target={board.target}", *board.flags, "-O2", "-ffreestanding", "-std=gnu11"]
    places = [f"-DCODE={place[1]:#x}u", f"-DSTACK={place[2]:#x}u", f"-DMEMORY={place[3]:#x}u"]
    toolchain.must(["clang", *options, *places, f"-isystem{toolchain.headers()}", "-c", c, "-o", o])
    sections = "*(.text*) *(.rodata*)"
    script.write_text(
        f"ENTRY(start) SECTIONS {{ .text {place[1]:#x} : {{ {sections} }} /DISCARD/ : {{ *(.ARM*) }} }}"
    )
    toolchain.must(["ld.lld", "-T", script, "-o", elf, o])
    with elf.open("rb") as file:
        linked = ELFFile(file)
        return elf, linked.get_section_by_name(".text").data(), linked["e_entry"]
