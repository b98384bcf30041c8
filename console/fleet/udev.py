"""Whether this user may open serial ports and debug probes: groups, and udev rules on Linux.

udev(7): rules are read from several folders; a rule with TAG+="uaccess" gives the device to who sits at the
computer, GROUP to a group, as systemd's and Debian's own rules do.
"""

from __future__ import annotations

import grp
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hal.boards import board_names, load_board

RULES = "/etc/udev/rules.d/60-mma-probes.rules"
_FOLDERS = (
    "etc/udev/rules.d",
    "run/udev/rules.d",
    "usr/local/lib/udev/rules.d",
    "usr/lib/udev/rules.d",
    "lib/udev/rules.d",
)


@dataclass(frozen=True, slots=True)
class Access:
    """`missing` is what keeps the user out, empty where nothing does; `remedy` what to do."""

    detail: str
    missing: str = ""
    remedy: str = ""


def probe_ids() -> dict[str, str]:
    """VID:PID of the probes of all boards, and whose they are."""
    found: dict[str, str] = {}
    for name in board_names():
        board = load_board(name)
        for ids in (*board.usb, *(board.probe.usb if board.probe else ())):
            found.setdefault(ids, name)
    return found


def rules(ids: Iterator[str] | list[str]) -> str:
    """What udev needs so that a user may open these probes, one rule a line."""
    lines = []
    for one in ids:
        vendor, product = one.split(":")
        give = 'MODE="0660", GROUP="plugdev", TAG+="uaccess"'
        lines.append(
            f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", {give}'
        )
        # CMSIS-DAP probes of version 1 are spoken to as HID devices.
        lines.append(
            f'KERNEL=="hidraw*", ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}", {give}'
        )
    return "\n".join(lines)


def probe_access(root: Path = Path("/"), *, user_id: int | None = None) -> Access:
    """The rules for probes. `root` is where the file system begins."""
    if not sys.platform.startswith("linux"):
        return Access("no rules are needed on this system")
    if (os.geteuid() if user_id is None else user_id) == 0:
        return Access("root may open every probe")
    text = "\n".join(_rule_texts(root))
    absent = [ids for ids in probe_ids() if not _covered(ids, text)]
    if not absent:
        return Access(f"rules for all {len(probe_ids())} kinds of probes")
    names = ", ".join(f"{ids} ({probe_ids()[ids]})" for ids in absent)
    remedy = (
        f"Write these lines to {RULES}, then `sudo udevadm control --reload && sudo udevadm trigger`, "
        f"and plug the probe in again:\n{rules(absent)}"
    )
    return Access("", f"no udev rule for {names}", remedy)


def serial_access(
    *, groups: set[str] | None = None, user_id: int | None = None, root: Path = Path("/")
) -> Access:
    """Whether the user may open serial ports."""
    if (os.geteuid() if user_id is None else user_id) == 0:
        return Access("root may open every port")
    device = next((path for path in sorted((root / "dev").glob("tty[AU][CS][MB]*"))), None)
    owner = "dialout"
    if device is not None:
        try:
            owner = grp.getgrgid(device.stat().st_gid).gr_name
        except KeyError:
            owner = str(device.stat().st_gid)
        if os.access(device, os.R_OK | os.W_OK):
            return Access(f"{device} may be opened")
    mine = _groups() if groups is None else groups
    if owner in mine:
        return Access(f"you are in the group {owner}")
    return Access(
        "", f"you are not in the group {owner}", f"sudo usermod -aG {owner} $USER, then log in anew."
    )


def _groups() -> set[str]:
    found = set()
    for number in os.getgroups():
        try:
            found.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return found


def _rule_texts(root: Path) -> Iterator[str]:
    for folder in _FOLDERS:
        for path in sorted((root / folder).glob("*.rules")):
            try:
                yield path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue


def _covered(ids: str, text: str) -> bool:
    """A rule names the vendor, and either the product or none."""
    vendor, product = ids.split(":")
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not re.search(rf'idVendor\}}=="{vendor}"', line, re.IGNORECASE):
            continue
        named = re.search(r'idProduct\}=="([^"]*)"', line)
        if named is None or re.fullmatch(_pattern(named[1]), product, re.IGNORECASE):
            return True
    return False


def _pattern(glob: str) -> str:
    """udev's patterns (*, ?, [], |) as a regular expression."""
    return glob.replace("*", ".*").replace("?", ".")
