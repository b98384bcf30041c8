"""The genuine Apache Mesos 1.11 master, on this computer, as long as somebody holds it.

async with Master(port=5050) as master:
    ... master.address ...
"""

from emulation.master.installation import Installation, check_platform, install, is_installed
from emulation.master.master import Master

__all__ = ["Installation", "Master", "check_platform", "install", "is_installed"]
