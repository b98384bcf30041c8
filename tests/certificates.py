"""Authorities, keys and certificates for tests, made by trustme."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from agent.tls import TlsConfig


class Office:
    """An authority that writes into `folder`. `rsa`: a native master's own ciphers are all for such keys."""

    def __init__(self, folder: Path, *, rsa: bool = False) -> None:
        self._kind = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca_file)

    def issue(self, *names: str, days: float = 30.0, as_name: str = "agent") -> TlsConfig:
        """A key and a certificate for names and addresses, 127.0.0.1 unless told."""
        until = datetime.now(UTC) + timedelta(days=days)
        issued = self._authority.issue_cert(*(names or ("127.0.0.1",)), not_after=until, key_type=self._kind)
        key, cert = self.folder / f"{as_name}.key", self.folder / f"{as_name}.pem"
        key.touch(0o600)
        key.write_bytes(issued.private_key_pem.bytes())
        cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return TlsConfig(enabled=True, key_file=key, cert_file=cert, ca_file=self.ca_file)

    def strict(self, *names: str, **more: Any) -> TlsConfig:
        """That, with everybody proving to be who he is by the address."""
        return replace(
            self.issue(*names, **more),
            verify_server_cert=True,
            require_client_cert=True,
            verify_ipadd=True,
            hostname_validation_scheme="openssl",
        )
