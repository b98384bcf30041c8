"""A module to look at offers with: what it takes on each kind of target that is offered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from console.cluster.mesos import Offer, Resources, TaskState, mem_bytes, mem_scalar
from console.fit.budgets import Ask
from console.fit.grants import Ungranted, ungranted
from console.fit.why import LEAST_LOG, Holder, Why, Wish, why
from console.state.model import State
from hal.budget import Parts
from hal.errors import HalError
from hal.target import Budget

Size = Callable[[Mapping[str, str], Budget], Awaitable[Parts]]
"""What the module takes on a target with these attributes."""

Kind = tuple[str, str]


def kind_of(attributes: Mapping[str, str]) -> Kind:
    """What the sizes depend on: board and isolation; alike boards need one compilation."""
    return attributes.get("board", ""), attributes.get("isolation", "")


@dataclass(frozen=True, slots=True)
class Lens:
    """One module with what is asked for it. Kinds that are not in `wishes` were not looked at yet."""

    path: Path
    module: bytes
    ask: Ask
    arguments: tuple[str, ...] = ()
    wishes: Mapping[Kind, Wish] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the module, as a person calls it."""
        return self.path.stem

    @property
    def ungranted(self) -> tuple[Ungranted, ...]:
        """What it would call in vain on any offer."""
        return ungranted(self.module, self.ask)

    def missing(self, offers: Iterable[Offer]) -> dict[Kind, Mapping[str, str]]:
        """Kinds that were not looked at, with attributes of one of each."""
        found = {kind_of(one.attributes): one.attributes for one in offers}
        return {kind: attributes for kind, attributes in found.items() if kind not in self.wishes}

    async def completed(self, offers: Iterable[Offer], size: Size) -> Lens:
        """With the sizes on all kinds of these offers. ModuleError when it is at fault everywhere."""
        found = {
            kind: await _wish(self, attributes, size) for kind, attributes in self.missing(offers).items()
        }
        return replace(self, wishes={**self.wishes, **found})

    def why(self, offer: Offer, state: State) -> Why | None:
        """Whether it fits an offer, and why not; None while its size there is unknown."""
        wish = self.wishes.get(kind_of(offer.attributes))
        if wish is None:
            return None
        target = state.targets.get(offer.target)
        described = target.description if target is not None else None
        whole = Resources.of_target(described) if described is not None else None
        alike = [one for one in state.open_offers if kind_of(one.attributes) == kind_of(offer.attributes)]
        return why(wish, offer, whole=whole, holders=holders(state, offer.target), others=alike)


def holders(state: State, target: str) -> list[Holder]:
    """The living tasks of a target, ours and others', with what they hold."""
    found = [
        Holder(task.id, task.spec.resources)
        for task in state.tasks_on(target)
        if task.state is not TaskState.WAITING
    ]
    names = {one.name for one in found}
    for one in state.executors_on(target):
        if one.task_id not in names:
            found.append(Holder(one.task_id, Resources({"mem": one.held_bytes / (1 << 20)})))
    return found


async def _wish(lens: Lens, attributes: Mapping[str, str], size: Size) -> Wish:
    ask = lens.ask
    try:
        parts = await size(attributes, ask.budget())
    except HalError as error:
        return Wish(lens.name, ask, trouble=str(error))
    least = parts.total
    try:
        bare = await size(attributes, Budget(cpus=ask.cpus, log=LEAST_LOG))
        least = min(least, bare.total)
    except HalError:  # then what was asked for is the least that is known
        pass
    taken = mem_bytes(mem_scalar(ask.mem or parts.total))  # what the master takes it for
    return Wish(lens.name, ask, taken, parts, least=least)
