"""Whether an agent that comes back may go on as the one that it was (--reconfiguration_policy).

As src/slave/compatibility.cpp, but for what changes all the time at a gateway: a port that nobody chose, and
two attributes that say nothing about what may run there, the version of a device's firmware and the name by
which it is reached.
"""

from __future__ import annotations

from agent.errors import ResourceError
from agent.pool import Pool, show
from agent.proto import mesos_pb2 as mesos
from agent.values import show_domain

FREE_ATTRIBUTES = frozenset({"firmware", "target"})


def incompatibility(
    before: mesos.SlaveInfo, now: mesos.SlaveInfo, policy: str, *, any_port: bool
) -> str | None:
    """What stands against it, as part of a sentence; None when nothing does.

    `equal` lets nothing change; `additive` lets there be more: larger resources, further attributes.
    """
    if not any_port and before.port != now.port:
        return f"its port was {before.port} and is {now.port}"
    if before.domain != now.domain and (policy == "equal" or before.HasField("domain")):
        return f"its domain was {show_domain(before.domain)} and is {show_domain(now.domain)}"
    return _resources(before, now, policy) or _attributes(before, now, policy)


def _resources(before: mesos.SlaveInfo, now: mesos.SlaveInfo, policy: str) -> str | None:
    rest = Pool(now.resources)
    for resource in before.resources:
        try:
            rest.convert([resource], [])
        except ResourceError:
            same = [show(item) for item in now.resources if item.name == resource.name]
            return f"it had {show(resource)} and has {', '.join(same) or 'none of it'}"
    left = rest.resources()
    if policy == "equal" and left:
        return f"it has more than before: {', '.join(show(item) for item in left)}"
    return None


def _attributes(before: mesos.SlaveInfo, now: mesos.SlaveInfo, policy: str) -> str | None:
    old, new = ({item.name: item for item in info.attributes} for info in (before, now))
    for name, attribute in old.items():
        if name not in FREE_ATTRIBUTES and new.get(name) != attribute:
            return f"its attribute {name} was {_text(attribute)} and is {_text(new.get(name))}"
    added = sorted(new.keys() - old.keys() - FREE_ATTRIBUTES)
    if policy == "equal" and added:
        return f"it has further attributes: {', '.join(added)}"
    return None


def _text(attribute: mesos.Attribute | None) -> str:
    if attribute is None:
        return "not there"
    if attribute.type == mesos.Value.TEXT:
        return repr(attribute.text.value)
    if attribute.type == mesos.Value.SCALAR:
        return f"{attribute.scalar.value:g}"
    return ", ".join(f"{span.begin}-{span.end}" for span in attribute.ranges.range)
