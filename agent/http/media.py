"""Which encodings a call comes in and its answer goes out (Http::api of src/slave/http.cpp; RecordIO as in
src/common/recordio.hpp)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from aiohttp import StreamReader, hdrs, web
from google.protobuf.message import DecodeError, Message

from agent.http.answers import refuse
from agent.http.protojson import JsonError, from_json, to_json


class Media(Enum):
    """Media types of the operator API."""

    JSON = "application/json"
    PROTOBUF = "application/x-protobuf"
    RECORDIO = "application/recordio"

    @property
    def streams(self) -> bool:
        return self is Media.RECORDIO


MESSAGE_CONTENT_TYPE = "Message-Content-Type"
MESSAGE_ACCEPT = "Message-Accept"
BODY_LIMIT = 256 << 10
"""Bytes of a call, or of one record of a stream of them: those that are served are far smaller."""
_MESSAGES = {media.value: media for media in (Media.JSON, Media.PROTOBUF)}
_ALL = {media.value: media for media in Media}
_EITHER = "application/json or application/x-protobuf"
_ANY = f"{_EITHER} or application/recordio"


class MediaError(Exception):
    """The headers or the body do not fit; with the answer that says so."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def answer(self) -> web.Response:
        """As a response."""
        return refuse(self.status, self.text)


@dataclass(frozen=True, slots=True)
class MediaTypes:
    """What a request settled on. The message types are those within streams."""

    content: Media
    accept: Media
    message_content: Media | None = None
    message_accept: Media | None = None

    @property
    def incoming(self) -> Media:
        """How messages of the request are encoded."""
        return self.message_content or self.content

    @property
    def outgoing(self) -> Media:
        """How messages of the answer are encoded."""
        return self.message_accept or self.accept


def negotiate(request: web.BaseRequest) -> MediaTypes:
    """From a request's headers. MediaError as a native agent refuses."""
    headers = request.headers
    if hdrs.CONTENT_TYPE not in headers:
        raise MediaError(400, "Expecting 'Content-Type' to be present")
    content = _ALL.get(headers[hdrs.CONTENT_TYPE])
    if content is None:
        raise MediaError(415, f"Expecting 'Content-Type' of {_ANY}")
    told, message_content = headers.get(MESSAGE_CONTENT_TYPE), None
    if content.streams:
        if told is None:
            raise MediaError(400, f"Expecting '{MESSAGE_CONTENT_TYPE}' to be set for streaming requests")
        message_content = _MESSAGES.get(told)
        if message_content is None:
            raise MediaError(415, f"Expecting '{MESSAGE_CONTENT_TYPE}' of {_EITHER}")
    elif told is not None:
        raise MediaError(415, f"Expecting '{MESSAGE_CONTENT_TYPE}' to be not set for non-streaming requests")
    accept = _first_accepted(headers.get(hdrs.ACCEPT), *Media)
    if accept is None:
        raise MediaError(406, f"Expecting 'Accept' to allow {_ANY}")
    message_accept = None
    if accept.streams:
        message_accept = _first_accepted(headers.get(MESSAGE_ACCEPT), Media.JSON, Media.PROTOBUF)
        if message_accept is None:
            raise MediaError(406, f"Expecting '{MESSAGE_ACCEPT}' to allow {_EITHER}")
    elif MESSAGE_ACCEPT in headers:
        raise MediaError(406, f"Expecting '{MESSAGE_ACCEPT}' to be not set for non-streaming responses")
    return MediaTypes(content, accept, message_content, message_accept)


def accepts(header: str | None, media: Media) -> bool:
    """Whether an Accept header allows a type (Request::acceptsMediaType): no header allows all."""
    if header is None:
        return True
    kind = media.value.partition("/")[0]
    for part in header.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        fits = name in ("*/*", "*", f"{kind}/*", media.value)
        if fits and not any(_is_zero_quality(parameter) for parameter in parameters):
            return True
    return False


def _is_zero_quality(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().strip("0.") == "" and value.strip() != ""


def _first_accepted(header: str | None, *medias: Media) -> Media | None:
    return next((media for media in medias if accepts(header, media)), None)


# -- messages --------------------------------------------------------------------------------------------


def decode(body: bytes, media: Media, message: Message) -> None:
    """Fill `message` from a body or record. MediaError in Mesos's words."""
    try:
        if media is Media.PROTOBUF:
            message.MergeFromString(body)
        else:
            from_json(body, message, v1=True)
    except DecodeError as error:
        raise MediaError(400, "Failed to parse body into a protobuf object") from error
    except JsonError as error:
        raise MediaError(400, str(error)) from error


def encode(message: Message, media: Media) -> bytes:
    """One message as a body or record."""
    if media is Media.PROTOBUF:
        return message.SerializeToString()
    return dumps(to_json(message, v1=True))


def record(data: bytes) -> bytes:
    """A record of a stream: its length, a newline, itself."""
    return b"%d\n%b" % (len(data), data)


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body. MediaError past BODY_LIMIT."""
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > BODY_LIMIT:
            raise MediaError(413, f"A call may have {BODY_LIMIT} bytes.")
    return bytes(body)


async def read_record(stream: StreamReader) -> bytes | None:
    """The next record of a request; None at its end. MediaError when it is none."""
    head = bytearray()
    while not head.endswith(b"\n"):
        byte = await stream.read(1)
        if not byte:
            if head:
                raise MediaError(400, "Failed to read a record: its length has no end")
            return None
        head += byte
        if len(head) > 20:
            break
    text = head.strip().decode("latin-1")
    if not text.isdecimal():
        told = text[:20]
        raise MediaError(
            500, f"Decoder failure: Failed to decode length '{told}': Failed to convert '{told}' to number"
        )
    size = int(text)
    if size > BODY_LIMIT:
        raise MediaError(413, f"A record may have {BODY_LIMIT} bytes.")
    body = b""
    while len(body) < size:
        part = await stream.read(size - len(body))
        if not part:
            raise MediaError(400, "Failed to read a record: the request ended within it")
        body += part
    return body


def dumps(value: object) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
