"""Names of libprocess processes: `id@ip:port`, such as slave(1)@10.0.0.7:5051."""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import ConfigError

Peer = tuple[str, int]
"""An (ip, port): what libprocess keeps one connection for, however many processes live there."""


@dataclass(frozen=True, slots=True)
class Upid:
    """A process `id` at `ip`:`port` (process/pid.hpp). The id is free text, parentheses included."""

    id: str
    ip: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Upid:
        """From `id@ip:port`; ConfigError when it is anything else."""
        name, at, address = text.rpartition("@")
        ip, colon, port = address.rpartition(":")
        if not (at and colon and name and ip and port.isdecimal() and int(port) < 1 << 16):
            raise ConfigError(f"{text!r} is not a libprocess address.", remedy="Write id@ip:port.")
        return cls(name, ip, int(port))

    @property
    def peer(self) -> Peer:
        """Where it listens."""
        return (self.ip, self.port)

    def __str__(self) -> str:
        return f"{self.id}@{self.ip}:{self.port}"
