"""TLS as libprocess has it: which files, whom we verify, and the contexts made of them.

Names and meanings follow docs/ssl.md of Mesos 1.11 and 3rdparty/libprocess/src/openssl.cpp.
"""

from __future__ import annotations

import logging
import re
import ssl
import time
from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import ConfigError
from agent.secrets import read_secret

log = logging.getLogger(__name__)

HANDSHAKE = 10.0
"""Seconds that a handshake may take, either way."""
GOODBYE = 2.0
"""Seconds that the end of a TLS connection waits for the other side's."""
SOON = 14 * 24 * 3600.0
"""Seconds before a certificate's end from which on every start warns."""
CIPHERS = (
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:"
    "AES128-SHA:AES256-SHA:DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA:!aNULL:!eNULL"
)
"""Up to TLS 1.2, in OpenSSL's words: today's first, then what a native master offers by itself (its default
without RC4 and DSS, which OpenSSL no longer has)."""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """LIBPROCESS_SSL_…, by the names that libprocess gives them."""

    enabled: bool = False
    """Connections out speak TLS, connections in must."""
    support_downgrade: bool = False
    """Who begins without a handshake is served in the clear, and a peer without TLS is spoken to so."""
    key_file: Path | None = None
    cert_file: Path | None = None
    """The certificate first, then those between it and the authority's, PEM."""
    ca_file: Path | None = None
    ca_dir: Path | None = None
    """Authorities by the hash of their names, as `openssl rehash` links them."""
    verify_server_cert: bool = False
    """Whom we connect to must prove its name by a certificate of a known authority."""
    require_client_cert: bool = False
    """Whoever connects must have one."""
    verify_ipadd: bool = False
    """A peer's address in its certificate is as good as its name."""
    hostname_validation_scheme: str = "legacy"
    """legacy: the name is what DNS calls the peer's address. openssl: it is the address."""
    ciphers: str = CIPHERS
    enable_tls_v1_2: bool = True
    enable_tls_v1_3: bool = True


class Tls:
    """The contexts of a gateway. reload() reads the files anew; open connections stay as they are."""

    def __init__(self, config: TlsConfig) -> None:
        """ConfigError, with a remedy, for files that cannot be used."""
        self.config = _checked(config)
        self.server = self._make_server()
        self.client = self._make_client()
        self._try_out()

    def reload(self) -> None:
        """Take the files as they are by now. ConfigError leaves all as it was."""
        fresh = Tls(self.config)
        self.server, self.client = fresh.server, fresh.client

    def names(self, ip: str) -> tuple[str, ...]:
        """Under which names a peer's certificate is looked for, in this order; none are where the name
        does not matter. "" stands for what DNS calls the address."""
        if not self.config.verify_server_cert:
            return ()
        if self.config.hostname_validation_scheme == "openssl":
            return (ip,)
        return (ip, "") if self.config.verify_ipadd else ("",)

    def _make_server(self) -> ssl.SSLContext:
        context = self._context(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
        if self.config.require_client_cert:
            context.verify_mode = ssl.CERT_REQUIRED
            self._trust(context)
        return context

    def _make_client(self) -> ssl.SSLContext:
        context = self._context(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.config.verify_server_cert
        context.verify_mode = ssl.CERT_REQUIRED if self.config.verify_server_cert else ssl.CERT_NONE
        if self.config.verify_server_cert:
            self._trust(context)
        return context

    def _context(self, protocol: ssl._SSLMethod) -> ssl.SSLContext:
        config = self.config
        context = ssl.SSLContext(protocol)
        versions = (
            (ssl.TLSVersion.TLSv1_2, config.enable_tls_v1_2),
            (
                ssl.TLSVersion.TLSv1_3,
                config.enable_tls_v1_3,
            ),
        )
        wanted = [version for version, enabled in versions if enabled]
        context.minimum_version, context.maximum_version = wanted[0], wanted[-1]
        try:
            context.set_ciphers(config.ciphers)
        except ssl.SSLError as error:
            raise ConfigError(
                f"ssl_ciphers: OpenSSL has none of {config.ciphers!r}.",
                remedy="Write names as `openssl ciphers` lists them, with colons between, or leave it out.",
            ) from error
        assert config.key_file is not None
        assert config.cert_file is not None
        load_key(context, config.key_file, config.cert_file)
        return context

    def _trust(self, context: ssl.SSLContext) -> None:
        """Authorities: ours where given, else the system's."""
        config = self.config
        if config.ca_file is None and config.ca_dir is None:
            context.load_default_certs(
                ssl.Purpose.CLIENT_AUTH
                if context.protocol == ssl.PROTOCOL_TLS_SERVER
                else ssl.Purpose.SERVER_AUTH
            )
            return
        if config.ca_file is not None:
            trust_file(context, config.ca_file)
        if config.ca_dir is not None:
            if not config.ca_dir.is_dir():
                raise ConfigError(
                    f"ssl_ca_dir: {config.ca_dir} is no folder.", remedy="Name a folder of certificates."
                )
            context.load_verify_locations(capath=config.ca_dir)

    def _try_out(self) -> None:
        """Shake hands with ourselves: a certificate that is over, or a key that no cipher goes with, is
        told at the start and not by the first peer."""
        cert = self.config.cert_file
        assert cert is not None
        plain = Tls._bare(replace(self.config, require_client_cert=False, verify_server_cert=False))
        client = plain._make_client()
        client.verify_mode = ssl.CERT_REQUIRED
        client.load_verify_locations(cafile=cert)
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            left = _shake_hands(plain._make_server(), client) - time.time()
        except ssl.SSLCertVerificationError as error:
            raise ConfigError(
                f"The certificate {cert} is of no use: {error.verify_message}.",
                remedy="Get one that is valid today (and check this computer's clock).",
            ) from error
        except ssl.SSLError as error:
            raise ConfigError(
                f"The key and the certificate {cert} make no connection: {_reason(error)}.",
                remedy="Check --ssl_ciphers, --ssl_enable_tls_v1_2 and --ssl_enable_tls_v1_3.",
            ) from error
        if left < SOON:
            log.warning("the certificate %s ends in %.1f days: get another one", cert, left / 86400)

    @classmethod
    def _bare(cls, config: TlsConfig) -> Tls:
        """One that makes contexts and no trial."""
        found = cls.__new__(cls)
        found.config = config
        return found


def tls_of(config: TlsConfig) -> Tls | None:
    """The contexts, or None where TLS is off: then nothing else of the config matters, as in libprocess."""
    return Tls(config) if config.enabled else None


def trust_file(context: ssl.SSLContext, path: Path) -> None:
    """Take the authorities of a file. ConfigError where there are none."""
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise ConfigError(
            f"The file {path} holds no certificates of authorities: {_reason(error)}.",
            remedy="Name a PEM file, -----BEGIN CERTIFICATE-----.",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"The file {path} cannot be read: {error.strerror}.", remedy="Name a readable file."
        ) from error


def _checked(config: TlsConfig) -> TlsConfig:
    """What libprocess demands before anything else, and what implies what there."""
    if config.key_file is None or config.cert_file is None:
        missing = "key" if config.key_file is None else "certificate"
        name = "KEY" if config.key_file is None else "CERT"
        raise ConfigError(
            f"TLS is on and there is no {missing}.",
            remedy=f"Name its file by LIBPROCESS_SSL_{name}_FILE (--ssl_{name.lower()}_file).",
        )
    if not (config.enable_tls_v1_2 or config.enable_tls_v1_3):
        raise ConfigError(
            "TLS is on and every version of it off.", remedy="Enable TLS 1.2 or 1.3, or leave both out."
        )
    if config.require_client_cert:
        config = replace(config, verify_server_cert=True)
    if (
        config.verify_server_cert
        and config.hostname_validation_scheme == "openssl"
        and not config.verify_ipadd
    ):
        raise ConfigError(
            "Masters are connected to by address, and ssl_verify_ipadd, which lets that be proven, is off.",
            remedy="Set it, or ssl_hostname_validation_scheme=legacy.",
        )
    if config.support_downgrade and (config.verify_server_cert or config.require_client_cert):
        log.warning("certificates are verified, but peers may do without TLS: ssl_support_downgrade is on")
    return config


def load_key(context: ssl.SSLContext, key: Path, cert: Path) -> None:
    """Take a key and its certificate. ConfigError, with a remedy, for each way in which they can be wrong."""
    secret = read_secret(key)
    try:
        content = cert.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The certificate {cert} cannot be read: {error.strerror}.", remedy="Name a readable file."
        ) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ConfigError(
            f"The file {cert} is no certificate.", remedy="Name a PEM file, -----BEGIN CERTIFICATE-----."
        )
    if not re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----", secret):
        raise ConfigError(
            f"The file {key} is no private key.", remedy="Name a PEM file, -----BEGIN PRIVATE KEY-----."
        )
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except _EncryptedError:
        raise ConfigError(
            f"The key {key} is protected by a password, and nobody is here to type it.",
            remedy=f"Write it without one: openssl pkey -in {key} -out plain.key, and chmod 600 plain.key.",
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"The key {key} is not that of the certificate {cert}.",
                remedy="Name the two that belong together.",
            ) from error
        raise ConfigError(
            f"The key {key} or the certificate {cert} cannot be used: {_reason(error)}.",
            remedy="Make them anew; both are PEM.",
        ) from error


class _EncryptedError(Exception):
    pass


def _no_password() -> str:
    raise _EncryptedError


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "OpenSSL does not say why").lower().replace("_", " ")


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> float:
    """A handshake in memory; gives when the certificate ends, in seconds since the epoch."""
    client.check_hostname = False
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(up, down, server_side=True)
    theirs = client.wrap_bio(down, up)
    waiting = [theirs, ours]
    for _ in range(20):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            break
    return float(ssl.cert_time_to_seconds(str((theirs.getpeercert() or {}).get("notAfter"))))
