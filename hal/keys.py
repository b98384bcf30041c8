"""Keys of devices: who has a device's key may create, start and kill executors on it (docs/security.md).

A key is 32 random bytes, in the device's flash and in a file here. A device tells four bytes of its key's
SHA-256, so that the right one is found without anybody naming it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path

from hal.errors import KeyFileError

KEY_BYTES = 32
DEVELOPMENT = b"mma development key, open to all"
"""What an image has until it gets its own key: it keeps nobody out."""
_KERNEL = b" bytes for executors, isolation "
"""Of the kernel's greeting (firmware/kernel/main.c): every image has it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A key; its repr does not show it."""

    name: str
    secret: bytes

    def __repr__(self) -> str:
        return f"DeviceKey({self.name!r}, id {self.id.hex()})"

    @property
    def id(self) -> bytes:
        """Four bytes that a device tells of its key."""
        return hashlib.sha256(self.secret).digest()[:4]

    @property
    def open(self) -> bool:
        """Anybody knows it."""
        return self.secret == DEVELOPMENT


DEVELOPMENT_KEY = DeviceKey("development", DEVELOPMENT)


def folder() -> Path:
    """Where keys are kept: $MMA_KEYS, else `keys` in the user's configuration folder."""
    given = os.environ.get("MMA_KEYS")
    return Path(given) if given else user_config_path("mesos-micro-agent") / "keys"


def read(path: Path) -> DeviceKey:
    """A key's file: 64 hexadecimal digits. KeyFileError if it is none, or if others may read it."""
    try:
        text = path.read_text(encoding="ascii").strip()
        others = path.stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(
            f"The key {path} cannot be read.", remedy="Is the file there, and yours?"
        ) from error
    if others:
        raise KeyFileError(f"The key {path} can be read by others.", remedy=f"chmod 600 {path}")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise KeyFileError(f"{path} is no key.", remedy="A key's file holds 64 hexadecimal digits.")
    return DeviceKey(path.stem, bytes.fromhex(text))


def make(name: str) -> tuple[DeviceKey, bool]:
    """The key of that name, made if there is none; whether it was. KeyFileError."""
    if not _NAME.fullmatch(name):
        raise KeyFileError(
            f"{name!r} cannot name a key.", remedy="Letters, digits, dot, dash and underscore can."
        )
    path = folder() / f"{name}.key"
    if path.exists():
        return read(path), False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
    except OSError as error:
        raise KeyFileError(
            f"The key {path} cannot be written.", remedy="Set MMA_KEYS to a folder of yours."
        ) from error
    return read(path), True


def find(key_id: bytes, keys: Sequence[DeviceKey] = ()) -> DeviceKey | None:
    """The key that a device tells of: one of `keys`, of the files in folder(), or the development key."""
    for key in (*keys, DEVELOPMENT_KEY):
        if key.id == key_id:
            return key
    for path in sorted(folder().glob("*.key")):
        key = read(path)
        if key.id == key_id:
            return key
    return None


def in_flash(content: bytes) -> DeviceKey | None:
    """The key that a board has, by its flash; None where no kernel of ours is there. KeyFileError if it is
    none of those in folder()."""
    if _KERNEL not in content:
        return None
    if DEVELOPMENT in content:
        return DEVELOPMENT_KEY
    for path in sorted(folder().glob("*.key")):
        key = read(path)
        if key.secret in content:
            return key
    raise KeyFileError(
        f"The board has a key that is not in {folder()}.",
        remedy="Copy its file there, or give the board another one by --key NAME.",
    )


def with_key(image: bytes, key: DeviceKey) -> bytes:
    """A built kernel with this key. KeyFileError if the image has no place for one."""
    if image.count(DEVELOPMENT) != 1:
        raise KeyFileError("The image has no place for a key.", remedy="Is it a kernel of this release?")
    return image.replace(DEVELOPMENT, key.secret)


def provision(image: Path, key: DeviceKey, output: Path) -> None:
    """Write a copy of a built kernel that has this key. KeyFileError if the image has no place for one."""
    data = with_key(image.read_bytes(), key)
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise KeyFileError(f"{output} cannot be written.", remedy="Name another file with -o.") from error
