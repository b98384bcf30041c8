"""Answers in the words and types of a native agent (libprocess http.hpp, common/http.cpp)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

JSON = "application/json"
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
_COMPRESS_FROM = 1024
"""Bytes from which an answer is compressed (GZIP_MINIMUM_BODY_LENGTH of libprocess)."""
_CALLBACK = re.compile(r"[A-Za-z_$][\w$.\[\]]{0,200}", re.ASCII)
"""A JavaScript name that is safe to put before a parenthesis."""
_REASONS = {
    403: "403 Forbidden.",
    404: "404 Not Found.",
    501: "501 Not Implemented.",
    503: "503 Service Unavailable.",
}


def ok(body: bytes = b"", content_type: str | None = None) -> web.Response:
    """200."""
    headers = {"Content-Type": content_type} if content_type else None
    return web.Response(body=body, headers=headers)


def compress(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """As libprocess does (encode in src/encoder.hpp): gzip, where it is taken and worth while."""
    body = response.body if isinstance(response, web.Response) else None
    takes = "gzip" in request.headers.get("Accept-Encoding", "")
    if takes and isinstance(body, bytes) and len(body) >= _COMPRESS_FROM:
        response.enable_compression(web.ContentCoding.gzip)


def ok_json(data: Any, callback: str | None = None) -> web.Response:
    """JSON, or JSONP for the master's web UI, which asks from another origin (`?jsonp=name`)."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    if callback is None:
        return ok(text.encode(), JSON)
    if not _CALLBACK.fullmatch(callback):
        return refuse(400, "jsonp must be the name of a function.\n")
    return ok(f"{callback}({text})".encode(), "text/javascript")


def accepted() -> web.Response:
    """202."""
    return web.Response(status=202)


def refuse(status: int, text: str | None = None, headers: Mapping[str, str] | None = None) -> web.Response:
    """A status with a sentence; without one, the words that libprocess has for it."""
    words = _REASONS.get(status, "") if text is None else text
    return web.Response(status=status, body=words.encode(), headers={**_TEXT, **(headers or {})})


def not_allowed(method: str, *allowed: str) -> web.Response:
    """405, with what would have been right."""
    wanted = ", ".join(f"'{item}'" for item in allowed)
    text = f"405 Method Not Allowed. Expecting one of {{ {wanted} }}, but received '{method}'."
    return refuse(405, text, {"Allow": ", ".join(allowed)})
