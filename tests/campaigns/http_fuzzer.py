"""Requests that nobody in their right mind sends: seeded, endless, of every kind that the port takes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from urllib.parse import quote

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from agent.http.endpoints import AGENT_ROUTES, PORT_ROUTES
from agent.proto import agent_pb2 as api
from agent.proto import messages_pb2 as internal

WORDS = (
    *(
        "",
        "0",
        "-1",
        "x",
        "..",
        "../../../../etc/passwd",
        "%2e%2e%2f",
        "\0",
        "a" * 300,
        "ü",
        "\ud800",
        "[]",
        "{}",
    ),
    *("F0", "S0", "slave(1)", "latest", "stdout", "runs", "frameworks", "NaN", "1e999", "true", "null"),
)
NUMBERS = (0, 1, -1, 7, 255, 1 << 31, -(1 << 31), (1 << 63) - 1, 1 << 64, 1e300)
MESSAGES = [
    item
    for name in dir(internal)
    if isinstance(item := getattr(internal, name), type) and issubclass(item, Message)
]
EVERYWHERE = sorted({f"/slave({number})/{path}" for path in AGENT_ROUTES for number in (1, 2, 999)})
PATHS = [*EVERYWHERE, *(f"/{path}" for path in PORT_ROUTES)]
PARAMETERS = ("path", "offset", "length", "jsonp", "level", "duration", "timeout", "container_id", "format")
TYPES = ("application/json", "application/x-protobuf", "application/recordio", "text/plain", "", "*/*")


class Fuzzer:
    """Makes one request after the other; the same seed makes the same ones."""

    def __init__(self, seed: int, folder: str) -> None:
        """`folder`: where sandboxes are, for paths that are nearly right."""
        self._random = random.Random(seed)
        self._folder = folder
        self._kinds: tuple[tuple[str, Callable[[], bytes]], ...] = (
            ("garbage", self._garbage),
            ("path", self._path),
            ("call", self._call),
            ("message", self._message),
            ("mutant", self._mutant),
        )

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        while True:
            name, make = self._random.choice(self._kinds)
            yield name, make()

    # -- kinds -------------------------------------------------------------------------------------------

    def _garbage(self) -> bytes:
        pick = self._random
        start = pick.choice(
            (b"", b"GET ", b"POST / HTTP/1.1\r\n", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\n")
        )
        return start + pick.randbytes(pick.randrange(400))

    def _path(self) -> bytes:
        pick = self._random
        names = pick.sample(PARAMETERS, pick.randrange(4))
        if pick.random() < 0.5:
            names.append("path")
        query = "&".join(
            f"{name}={self._quoted(self._place() if name == 'path' else self._word())}" for name in names
        )
        method = pick.choice(("GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "X"))
        return _request(method, f"{pick.choice(PATHS)}?{query}", b"", {})

    def _call(self) -> bytes:
        pick = self._random
        call: Message = pick.choice((api.Call, api.Call, api.ExecutorCall))()
        self._fill(call, 4)
        kind = pick.choice(TYPES)
        if kind == "application/json":
            body = json.dumps(self._json(5)).encode() if pick.random() < 0.5 else _as_json(call)
        else:
            body = call.SerializePartialToString()
        if kind == "application/recordio":
            size = pick.choice((len(body), len(body) + 9, pick.choice(NUMBERS)))
            body = f"{size}\n".encode() + body
        headers = {"Content-Type": kind}
        for name in ("Accept", "Message-Accept", "Message-Content-Type"):
            if pick.random() < 0.3:
                headers[name] = pick.choice(TYPES)
        where = pick.choice(("/api/v1", "/slave(1)/api/v1", "/slave(2)/api/v1/executor"))
        return _request("POST", where, self._bent(body) if pick.random() < 0.3 else body, headers)

    def _message(self) -> bytes:
        pick = self._random
        message = pick.choice(MESSAGES)()
        self._fill(message, 4)
        body = message.SerializePartialToString()
        sender = pick.choice(
            ("x(1)@127.0.0.1:1", "master@127.0.0.1:1", "@", "a@b:c", "slave(1)@127.0.0.1:99999")
        )
        name = message.DESCRIPTOR.full_name if pick.random() < 0.9 else self._quoted(self._word())
        to = pick.choice(("slave(1)", "slave(2)", "slave(999)", "master", ""))
        body = self._bent(body) if pick.random() < 0.3 else body
        return _request("POST", f"/{to}/{name}", body, {"Libprocess-From": sender})

    def _mutant(self) -> bytes:
        """A good request with a few bytes changed."""
        return self._bent(self._random.choice((self._path, self._call, self._message))())

    # -- parts -------------------------------------------------------------------------------------------

    def _bent(self, data: bytes) -> bytes:
        pick, bent = self._random, bytearray(data)
        for _ in range(pick.randrange(1, 6)):
            if not bent:
                break
            place = pick.randrange(len(bent))
            match pick.randrange(4):
                case 0:
                    bent[place] = pick.randrange(256)
                case 1:
                    del bent[place : place + pick.randrange(1, 20)]
                case 2:
                    bent[place:place] = pick.randbytes(pick.randrange(1, 20))
                case _:
                    bent[place:place] = bent[: pick.randrange(60)]
        return bytes(bent)

    def _place(self) -> str:
        pick = self._random
        parts = [pick.choice(WORDS) for _ in range(pick.randrange(8))]
        return (
            pick.choice(("", "/", self._folder, f"{self._folder}/slaves", "/frameworks"))
            + "/"
            + "/".join(parts)
        )

    def _word(self) -> str:
        return self._random.choice(WORDS)

    def _quoted(self, text: str) -> str:
        return quote(text.encode("utf-8", "surrogatepass"), safe="/")

    def _json(self, depth: int) -> object:
        pick = self._random
        match pick.randrange(7 if depth else 4):
            case 0:
                return pick.choice(WORDS)
            case 1:
                return pick.choice(NUMBERS)
            case 2:
                return pick.choice((None, True, False))
            case 3:
                return pick.choice([value.name for value in api.Call.Type.DESCRIPTOR.values])
            case 4:
                return [self._json(depth - 1) for _ in range(pick.randrange(4))]
            case _:
                names = [field.name for field in api.Call.DESCRIPTOR.fields]
                inner = ("container_id", "value", "parent", "path", "offset", "duration", "level", "info")
                keys = (pick.choice(names), pick.choice(inner), "type")
                return {key: self._json(depth - 1) for key in keys}

    def _fill(self, message: Message, depth: int) -> None:
        pick = self._random
        for field in message.DESCRIPTOR.fields:
            if pick.random() < (0.35 if not field.is_required else 0.9):
                self._set(message, field, depth)

    def _set(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        pick, kind = self._random, field.type
        if kind == FieldDescriptor.TYPE_MESSAGE:
            if depth == 0 or (field.message_type and field.message_type.GetOptions().map_entry):
                return
            here = getattr(message, field.name)
            inner = here.add() if field.is_repeated else here
            inner.SetInParent()
            self._fill(inner, depth - 1)
            return
        value: object
        if field.enum_type is not None:
            value = pick.choice(field.enum_type.values).number
        elif kind == FieldDescriptor.TYPE_STRING:
            value = pick.choice([word for word in WORDS if word.isprintable()])
        elif kind == FieldDescriptor.TYPE_BYTES:
            value = pick.randbytes(pick.choice((0, 1, 16, 40)))
        elif kind == FieldDescriptor.TYPE_BOOL:
            value = pick.random() < 0.5
        elif kind in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
            value = float(pick.choice(NUMBERS))
        else:
            value = pick.randrange(100)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def _as_json(call: Message) -> bytes:
    from agent.http.protojson import to_json

    return json.dumps(to_json(call, v1=True)).encode()


def _request(method: str, target: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: x",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode("latin-1", "replace") + body
