"""Keys of devices: files that only their owner reads, found by the id that a device tells."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

import pytest

from hal import keys
from hal.errors import KeyFileError
from hal.link.proof import prove


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMA_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def test_a_key_is_made_once_and_found_by_its_id(folder: Path) -> None:
    assert keys.find(b"none") is None
    key, made = keys.make("attic")
    assert made
    assert keys.make("attic") == (key, False)
    assert keys.make("cellar")[0].id != key.id
    assert keys.find(key.id) == key
    assert (folder / "attic.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert keys.find(hashlib.sha256(keys.DEVELOPMENT).digest()[:4]) == keys.DEVELOPMENT_KEY
    assert keys.DEVELOPMENT_KEY.open
    assert not key.open


def test_a_key_does_not_show_itself() -> None:
    key, _ = keys.make("attic")
    assert key.secret.hex() not in f"{key} {key!r}"
    assert repr(key.secret)[2:10] not in repr(key)


def test_a_key_that_others_may_read_is_refused(folder: Path) -> None:
    keys.make("attic")
    os.chmod(folder / "attic.key", 0o644)
    with pytest.raises(KeyFileError, match=r"read by others\. chmod 600"):
        keys.read(folder / "attic.key")
    (folder / "bad.key").write_text("abc")
    os.chmod(folder / "bad.key", 0o600)
    with pytest.raises(KeyFileError, match="64 hexadecimal digits"):
        keys.read(folder / "bad.key")
    with pytest.raises(KeyFileError, match="cannot name a key"):
        keys.make("../../etc/passwd")


def test_an_image_gets_a_key(tmp_path: Path) -> None:
    image, output = tmp_path / "a.elf", tmp_path / "b.elf"
    image.write_bytes(b"before" + keys.DEVELOPMENT + b"after")
    key, _ = keys.make("attic")
    keys.provision(image, key, output)
    assert output.read_bytes() == b"before" + key.secret + b"after"
    assert output.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="no place for a key"):
        keys.provision(output, key, tmp_path / "c.elf")


def test_a_proof_is_the_hmac_of_all_that_is_asked() -> None:
    said = bytes.fromhex("0000000a 00000007 02 02 00000001") + b"x" + bytes.fromhex("00000001") + b"3" + b"do"
    tag = hmac.new(b"k" * 32, said, "sha256").digest()[:8]
    assert prove(b"k" * 32, 10, 7, 2, ("x", "3"), b"do") == b"\0\0\0\x07" + tag
