"""What `mma doctor` says of probes and ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.fleet import udev

pytestmark = pytest.mark.skipif(not __import__("sys").platform.startswith("linux"), reason="udev is Linux's")


def test_missing_rules_are_told_and_printed(tmp_path: Path) -> None:
    found = udev.probe_access(tmp_path, user_id=1000)
    assert "0d28:0204 (microbit)" in found.missing
    assert udev.RULES in found.remedy
    assert 'ATTR{idVendor}=="0d28", ATTR{idProduct}=="0204", MODE="0660", GROUP="plugdev"' in found.remedy
    assert 'KERNEL=="hidraw*", ATTRS{idVendor}=="0483", ATTRS{idProduct}=="3748"' in found.remedy


def test_the_rules_that_are_printed_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "etc/udev/rules.d"
    folder.mkdir(parents=True)
    (folder / "60-mma-probes.rules").write_text(udev.rules(list(udev.probe_ids())))
    found = udev.probe_access(tmp_path, user_id=1000)
    assert found.missing == ""
    assert "all" in found.detail


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ('SUBSYSTEM=="usb", ATTR{idVendor}=="0d28", MODE:="666"', False),
        ('ATTRS{idVendor}=="0D28", ATTRS{idProduct}=="02*", MODE="660"', False),
        ('# ATTRS{idVendor}=="0d28"', True),
        ('ATTRS{idVendor}=="0d28", ATTRS{idProduct}=="0205"', True),
    ],
)
def test_rules_of_others_count(tmp_path: Path, line: str, missing: bool) -> None:
    folder = tmp_path / "usr/lib/udev/rules.d"
    folder.mkdir(parents=True)
    (folder / "50-other.rules").write_text(line + "\n")
    assert ("0d28:0204" in udev.probe_access(tmp_path, user_id=1000).missing) is missing


def test_groups(tmp_path: Path) -> None:
    found = udev.serial_access(groups={"users"}, user_id=1000, root=tmp_path)
    assert found.missing == "you are not in the group dialout"
    assert "usermod -aG dialout" in found.remedy
    assert udev.serial_access(groups={"dialout"}, user_id=1000, root=tmp_path).missing == ""
    assert udev.serial_access(user_id=0, root=tmp_path).missing == ""
    assert udev.probe_access(tmp_path, user_id=0).missing == ""
