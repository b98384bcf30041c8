"""Secrets come from files that nobody else can read: never from argv, and never into logs or flags."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from agent.errors import ConfigError

LIMIT = 1 << 20
"""Bytes of a file with secrets."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A principal and what proves it."""

    principal: str
    secret: str = field(repr=False)


def read_secret(path: Path) -> bytes:
    """The content of a file with secrets. ConfigError when it cannot be read, or others can read it."""
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise ConfigError(
            f"The file {path} cannot be read: {error.strerror}.",
            remedy="Name a file that this user can read.",
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"The file {path} holds secrets and others may use it.", remedy=f"Run chmod 600 {path}."
        )
    if len(content) > LIMIT:
        raise ConfigError(f"The file {path} has more than {LIMIT} bytes.", remedy="Is it the right file?")
    return content


def read_credential(path: Path) -> Credential:
    """As mesos-agent --credential: {"principal": …, "secret": …}, or the two words in a line."""
    content = read_secret(path)
    remedy = 'Write {"principal": "name", "secret": "word"} into it.'
    try:
        text = content.decode().strip()
        if not text.startswith("{"):
            principal, secret = text.split()
            return Credential(principal, secret)
        return _credential(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        # `from None`: the error's own text may hold a part of the secret.
        raise ConfigError(
            f"The file {path} holds no credential ({type(error).__name__}).", remedy=remedy
        ) from None


def read_credentials(path: Path) -> Mapping[str, Credential]:
    """As mesos-agent --http_credentials: {"credentials": [{"principal": …, "secret": …}]}; by principal."""
    content = read_secret(path)
    try:
        found = [_credential(each) for each in json.loads(content)["credentials"]]
    except (ValueError, KeyError, TypeError) as error:
        remedy = 'Write {"credentials": [{"principal": "name", "secret": "word"}]} into it.'
        raise ConfigError(
            f"The file {path} holds no credentials ({type(error).__name__}).", remedy=remedy
        ) from None
    return MappingProxyType({each.principal: each for each in found})


def _credential(data: object) -> Credential:
    if not isinstance(data, dict):
        raise TypeError
    principal, secret = data["principal"], data["secret"]
    if not isinstance(principal, str) or not isinstance(secret, str) or not principal:
        raise TypeError
    return Credential(principal, secret)
