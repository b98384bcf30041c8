"""The target `host`: executors on the gateway's own CPU, sandboxed by wasmtime."""

from __future__ import annotations

from hal.host.target import HostTarget

__all__ = ["HostTarget"]
