"""Resources that can be taken apart and put together: the sums of src/common/resources.cpp.

Two resources are of one kind when they differ in their value only: scalars of a kind add up, ranges and
sets unite. Scalars count in thousandths.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.errors import ResourceError
from agent.proto import mesos_pb2 as mesos

Kind = bytes
"""A resource without its value, serialized."""


class Pool:
    """What an agent has in all. Takes and gives whole resources; never less than nothing."""

    def __init__(self, resources: Iterable[mesos.Resource]) -> None:
        self._samples: dict[Kind, mesos.Resource] = {}
        self._scalars: dict[Kind, int] = {}
        self._ranges: dict[Kind, list[tuple[int, int]]] = {}
        self._sets: dict[Kind, set[str]] = {}
        for resource in resources:
            self._add(resource)

    def resources(self) -> list[mesos.Resource]:
        """All that there is, one resource of each kind."""
        found = []
        for kind, sample in self._samples.items():
            resource = mesos.Resource()
            resource.CopyFrom(sample)
            if sample.type == mesos.Value.SCALAR:
                resource.scalar.value = self._scalars[kind] / 1000
            elif sample.type == mesos.Value.RANGES:
                for begin, end in self._ranges[kind]:
                    resource.ranges.range.add(begin=begin, end=end)
            else:
                resource.set.item.extend(sorted(self._sets[kind]))
            found.append(resource)
        return found

    def convert(self, taken: Iterable[mesos.Resource], made: Iterable[mesos.Resource]) -> None:
        """Take some and put others in their place; ResourceError, and nothing is done, where there is not
        enough of something."""
        trial = Pool(self.resources())
        for resource in taken:
            trial._take(resource)
        for resource in made:
            trial._add(resource)
        self.__dict__.update(trial.__dict__)

    def _add(self, resource: mesos.Resource) -> None:
        kind = _kind(resource)
        self._samples.setdefault(kind, mesos.Resource.FromString(kind))
        if resource.type == mesos.Value.SCALAR:
            self._scalars[kind] = self._scalars.get(kind, 0) + _thousandths(resource)
        elif resource.type == mesos.Value.RANGES:
            self._ranges[kind] = _united([*self._ranges.get(kind, ()), *_spans(resource)])
        else:
            self._sets.setdefault(kind, set()).update(resource.set.item)

    def _take(self, resource: mesos.Resource) -> None:
        kind = _kind(resource)
        if kind not in self._samples:
            raise ResourceError(f"The agent has no {show(resource)}.")
        if resource.type == mesos.Value.SCALAR:
            self._scalars[kind] -= _thousandths(resource)
            short, empty = self._scalars[kind] < 0, self._scalars[kind] == 0
        elif resource.type == mesos.Value.RANGES:
            have, want = self._ranges[kind], _united(_spans(resource))
            short = not all(any(b <= begin and end <= e for b, e in have) for begin, end in want)
            self._ranges[kind] = _without(have, want)
            empty = not self._ranges[kind]
        else:
            items = set(resource.set.item)
            short = not items <= self._sets[kind]
            self._sets[kind] -= items
            empty = not self._sets[kind]
        if short:
            raise ResourceError(f"The agent has not as much as {show(resource)}.")
        if empty:
            del self._samples[kind]
            for holder in (self._scalars, self._ranges, self._sets):
                holder.pop(kind, None)


def is_dynamic(resource: mesos.Resource) -> bool:
    """Reserved while the agent ran, rather than by its operator at the start."""
    dynamic = mesos.Resource.ReservationInfo.DYNAMIC
    return bool(resource.reservations) and resource.reservations[-1].type == dynamic


def without_reservation(resource: mesos.Resource, *, all_dynamic: bool = False) -> mesos.Resource:
    """The resource as it was before its last reservation, or before all that were made while it ran."""
    found = mesos.Resource()
    found.CopyFrom(resource)
    while found.reservations:
        if all_dynamic and not is_dynamic(found):
            break
        del found.reservations[-1]
        if not all_dynamic:
            break
    return found


def show(resource: mesos.Resource) -> str:
    """Such as `mem(sensing):0.016`: for a sentence."""
    role = resource.reservations[-1].role if resource.reservations else "*"
    if resource.type == mesos.Value.SCALAR:
        value = f"{resource.scalar.value:g}"
    elif resource.type == mesos.Value.RANGES:
        value = "[" + ",".join(f"{begin}-{end}" for begin, end in _spans(resource)) + "]"
    else:
        value = "{" + ",".join(resource.set.item) + "}"
    return f"{resource.name}({role}):{value}"


def _kind(resource: mesos.Resource) -> Kind:
    bare = mesos.Resource()
    bare.CopyFrom(resource)
    for field in ("scalar", "ranges", "set", "allocation_info"):
        bare.ClearField(field)
    return bare.SerializeToString(deterministic=True)


def _thousandths(resource: mesos.Resource) -> int:
    return round(resource.scalar.value * 1000)


def _spans(resource: mesos.Resource) -> list[tuple[int, int]]:
    return [(span.begin, span.end) for span in resource.ranges.range]


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, with overlapping and touching spans joined."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _without(have: Iterable[tuple[int, int]], want: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found = list(have)
    for begin, end in want:
        rest = []
        for low, high in found:
            if end < low or high < begin:
                rest.append((low, high))
                continue
            if low < begin:
                rest.append((low, begin - 1))
            if end < high:
                rest.append((end + 1, high))
        found = rest
    return found
