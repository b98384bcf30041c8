"""JSON Web Tokens signed by HS256, the kind that Mesos makes and takes (RFC 7519, RFC 7515).

Source: src/jwt.cpp of libprocess. The algorithm is not the caller's to choose: every other one is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any


class TokenError(Exception):
    """The token is not to be trusted; the text is for the caller (RFC 6750, error_description)."""


def sign(claims: Mapping[str, Any], key: bytes) -> str:
    """A token of these claims."""
    head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = _encode(json.dumps(dict(claims)).encode())
    return f"{head}.{body}.{_encode(_mac(f'{head}.{body}', key))}"


def verify(token: str, key: bytes, now: float | None = None) -> Mapping[str, Any]:
    """The claims of a token that `key` signed and that has not expired; TokenError otherwise."""
    head, _, rest = token.partition(".")
    body, _, signature = rest.partition(".")
    try:
        given = _decode(signature)
        signed = hmac.compare_digest(given, _mac(f"{head}.{body}", key))
        header, claims = json.loads(_decode(head)), json.loads(_decode(body))
    except (ValueError, RecursionError) as error:
        raise TokenError("Malformed token") from error
    if not signed:
        raise TokenError("Token signature does not match")
    if not isinstance(header, dict) or header.get("alg") != "HS256" or header.get("typ", "JWT") != "JWT":
        raise TokenError("Unsupported algorithm or type")
    if not isinstance(claims, dict):
        raise TokenError("Malformed token")
    moment = time.time() if now is None else now
    for name, early in (("exp", False), ("nbf", True)):
        limit = claims.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            raise TokenError(f"The {name} claim is no number")
        if (moment < limit) if early else (moment >= limit):
            raise TokenError("Token is not valid yet" if early else "Token has expired")
    return claims


def _mac(text: str, key: bytes) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
