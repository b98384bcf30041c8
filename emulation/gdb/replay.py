"""Recorded runs: what QEMU needs so that GDB can step backwards.

QEMU's record/replay (docs/system/replay.rst, docs/devel/replay.rst) writes the input of a run to a file and
can run it again to the instruction; from a snapshot at its begin GDB goes backwards by going forwards again.
Seen to work with QEMU 7.2 and netduinoplus2: step, next, stepi and continue backwards.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_CLUSTER = 1 << 16
_DISK = 64 << 20
_SNAPSHOT = "begin"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run in a folder of its own. `shift`: an instruction takes 2**shift ns of virtual time."""

    folder: Path
    shift: int = 4

    def record(self) -> list[str]:
        """QEMU's arguments for a run to be recorded; an earlier one in this folder is replaced.

        It must end by QMP's `quit` or SIGTERM: the log is completed then.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._disk.write_bytes(empty_qcow2(_DISK))
        return self._arguments("record")

    def replay(self) -> list[str]:
        """QEMU's arguments to run it again; to them come -S, -gdb, and the same machine and image."""
        return self._arguments("replay")

    @property
    def exists(self) -> bool:
        """There is something to replay."""
        return self._log.exists() and self._disk.exists()

    @property
    def _log(self) -> Path:
        return self.folder / "inputs"

    @property
    def _disk(self) -> Path:
        return self.folder / "snapshots.qcow2"

    def _arguments(self, mode: str) -> list[str]:
        log, disk = (str(path).replace(",", ",,") for path in (self._log, self._disk))
        words = f"shift={self.shift},rr={mode},rrfile={log},rrsnapshot={_SNAPSHOT}"
        return ["-icount", words, "-drive", f"file={disk},format=qcow2,if=none,id=rr"]


def empty_qcow2(size: int) -> bytes:
    """An empty disk image, so that qemu-img is not needed: QEMU keeps its snapshots in one.

    QCOW2 version 2 (QEMU docs/interop/qcow2.txt): header, refcount table, refcount block, L1 table, each in
    a cluster; the last one's entries are 0, as nothing is allocated.
    """
    entries = -(-size // (_CLUSTER * _CLUSTER // 8))
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, size, 0, entries, 3 * _CLUSTER, _CLUSTER, 1, 0, 0
    )
    table = struct.pack(">Q", 2 * _CLUSTER)
    counts = struct.pack(">4H", 1, 1, 1, 1)
    return b"".join(part.ljust(_CLUSTER, b"\0") for part in (header, table, counts, b""))
