"""Debug probes: which are there, the chip behind one, and its flash.

All of it stands on pyOCD, which is optional (`pip install 'mesos-micro-agent[probes]'`) and imported only
when a probe is asked for. Calls block: run them in a thread from an event loop.
"""

from hal.probe.connection import Connection, connect
from hal.probe.find import Found, choose, present

__all__ = ["Connection", "Found", "choose", "connect", "present"]
