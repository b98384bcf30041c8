"""`mma offers`: what a master offers, to watch it, and why a module does not fit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import click

from console.commands.shared.ask_options import ask_options
from console.commands.shared.completion import complete_module
from console.commands.shared.master_option import master_option
from console.errors import Exit, UsageError

if TYPE_CHECKING:
    from console.cluster.mesos import Offer
    from console.fit.lens import Lens
    from console.fit.why import Why

_QUIET = 2.5
"""Seconds without a further offer after which the list counts as whole: the allocator runs once a second."""


@click.command()
@master_option
@click.option("-w", "--watch", is_flag=True, help="Go on until Ctrl-C: every offer as it comes.")
@click.option(
    "--why", "module", metavar="MODULE", shell_complete=complete_module, help="Whether this module fits each."
)
@click.option("-a", "--args", "arguments", multiple=True, metavar="ARGS", help="Its arguments.")
@ask_options
@click.option("-f", "--frameworks", is_flag=True, help="The frameworks, with what they run and hold.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an offer.")
def command(
    master: str,
    watch: bool,
    module: str | None,
    arguments: tuple[str, ...],
    frameworks: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Show what the master offers to a framework, agent by agent, and what others hold. Each offer is given
    back at once.

    With --why it tells, to the byte, whether a module fits each offer, why not, and what would help; the exit
    code is 0 when it fits one that is made to us. What other frameworks hold does not count.
    """
    from console.commands.shared.run_async import run_async

    if frameworks:
        if watch or module:
            raise UsageError("--frameworks goes with neither --watch nor --why.")
        run_async(_frameworks(master, as_json))
        return 0
    lens = _lens(module, arguments, asked) if module is not None else None
    fits = False
    with contextlib.suppress(KeyboardInterrupt) if watch else contextlib.nullcontext():
        fits = run_async(_show(master, watch, as_json, lens))
    return 0 if lens is None or fits else int(Exit.NOT_MET)


def _lens(module: str, arguments: tuple[str, ...], asked: dict[str, Any]) -> Lens:
    from console.commands.run import split_arguments
    from console.commands.shared.ask_options import make_ask
    from console.fit.lens import Lens
    from console.guests import modules

    ask = make_ask(**asked)
    path = modules.find(module)
    data = modules.load(path)
    modules.check(data)
    words = tuple(word for text in arguments for word in split_arguments(text))
    return Lens(path, data, ask, words)


async def _show(master: str, watch: bool, as_json: bool, lens: Lens | None) -> bool:
    """Tell every offer; whether the lens's module fits one of them."""
    from console.cluster.framework import Framework
    from console.cluster.mesos import OfferState
    from console.cluster.tasks import active_targets, held_offers
    from console.state.events import OfferChanged

    await active_targets(master)  # a wrong address is told at once; a framework waits for its master
    fits = False
    seen: dict[str, Offer] = {}

    async def take(offer: Offer) -> None:
        nonlocal fits
        # What is given back comes again after 5 s; the hold is no matter then.
        await framework.decline(offer.id, 5.0)
        seen[offer.target] = offer
        if lens is None or watch:
            fits |= await _tell(master, offer, as_json, lens, [offer])

    async with Framework(master, name="mma offers") as framework:
        async with framework.listen() as queue:
            await framework.ready()
            for known in list(framework.offers.values()):
                await take(known)
            while True:
                try:
                    async with asyncio.timeout(None if watch else _QUIET):
                        event = await queue.get()
                except TimeoutError:
                    break
                offer = event.offer if isinstance(event, OfferChanged) else None
                if offer and offer.state is OfferState.OPEN and offer.id in framework.offers:
                    await take(offer)
        held = [] if watch else await held_offers(master, framework.id)
    if lens is None:
        for offer in held:
            await _tell(master, offer, as_json, None, [])
    else:  # all of them together: one may help where another does not do
        if not as_json:
            for one in lens.ungranted:
                click.echo(click.style(f"{lens.name} {one.text}. {one.remedy}", fg="yellow"), err=True)
        for offer in (*seen.values(), *held):
            fit = await _tell(master, offer, as_json, lens, list(seen.values()))
            fits |= fit and offer.state is not OfferState.HELD
        if not fits and not as_json:
            click.echo(f"mma: {_none(lens.name, len(seen), len(held))}", err=True)
    return fits


def _none(name: str, ours: int, held: int) -> str:
    """Why the exit code is not 0."""
    from console.look.figures import counted

    others = f" {counted(held, 'more is', 'more are')} with other frameworks." if held else ""
    if ours:
        return f"{name} fits none of {counted(ours, 'offer')} made to us.{others}"
    return f"No offer is made to us that {name} could fit.{others}"


async def _tell(master: str, offer: Offer, as_json: bool, lens: Lens | None, others: list[Offer]) -> bool:
    """One offer; whether the module fits it."""
    from console.cluster.mesos import OfferState
    from console.commands.shared.output import describe_resources, resources_json

    found = await _why(master, offer, lens, others) if lens is not None else None
    if as_json:
        told: dict[str, Any] = {
            "event": "offer",
            "id": offer.id,
            "agent": offer.agent_id,
            "target": offer.target,
            "resources": resources_json(offer.resources),
            "attributes": dict(offer.attributes),
            "time": offer.received,
        }
        told["held"] = offer.state is OfferState.HELD
        if offer.note:
            told["note"] = offer.note
        if found is not None:
            cautions = [one.text for one in lens.ungranted] if lens is not None else []
            told["why"] = {**why_json(found), "cautions": cautions}
        click.echo(json.dumps(told))
        return found is not None and found.fits
    clock = time.strftime("%H:%M:%S", time.localtime(offer.received))
    note = f"  ({offer.note})" if offer.note else ""
    words = f"{describe_resources(offer)}{note}"
    click.echo(f"{click.style(clock, dim=True)}  {click.style(offer.target, bold=True)}  {words}")
    if found is not None and lens is not None:
        for text in why_lines(found, lens.name, held=offer.state is OfferState.HELD):
            click.echo(f"          {text}")
    return found is not None and found.fits


async def _why(master: str, offer: Offer, lens: Lens, others: list[Offer]) -> Why:
    from console.cluster.tasks import agents
    from console.fit.lens import kind_of
    from console.fit.sizing import size_by
    from console.fit.why import why

    done = await lens.completed(
        [offer], lambda attributes, budget: size_by(attributes, lens.module, lens.arguments, budget)
    )
    kind = kind_of(offer.attributes)
    known = (await agents(master)).get(offer.agent_id)
    alike = [one for one in others if kind_of(one.attributes) == kind]
    wish = done.wishes[kind]
    if known is None:
        return why(wish, offer, others=alike)
    return why(wish, offer, whole=known.whole, holders=known.holders, others=alike)


def why_json(found: Why) -> dict[str, Any]:
    """`fits`, `bytes` in all, its `parts`, `short` or `left` bytes, what it `lacks` and what `would` help."""
    parts = found.wish.parts
    sizes = None
    if parts is not None:
        names = ("code", "stack", "memory", "log", "result")
        sizes = {name: getattr(parts, name) for name in names}
    return {
        "module": found.wish.name,
        "fits": found.fits,
        "bytes": found.wish.mem,
        "parts": sizes,
        "short": found.short,
        "left": found.left,
        "lacks": list(found.lacks),
        "would": list(found.would),
    }


def why_lines(found: Why, name: str, *, held: bool = False) -> list[str]:
    """The same for a person; `held` by another framework, it can only be told what would be."""
    if found.fits and held:
        return [f"◔ {name} would fit, were it not held: {found.wish.mem:,} bytes"]
    if found.fits:
        words = f"{name} fits: {found.wish.mem:,} bytes, {found.left:,} left"
        return [click.style(f"✓ {words}", fg="green")]
    lines = [click.style(f"✗ {name}: {lack}", fg="red") for lack in found.lacks]
    return lines + [f"  would help: {text}" for text in found.would]


async def _frameworks(master: str, as_json: bool) -> None:
    from console.cluster.mesos import mem_bytes
    from console.cluster.tasks import frameworks
    from console.commands.shared.output import resources_json
    from console.look.figures import counted, size_text

    for one in await frameworks(master):
        if as_json:
            offers = [
                {"id": each.id, "agent": each.agent_id, "resources": resources_json(each.resources)}
                for each in one.offers
            ]
            told: dict[str, Any] = {
                "event": "framework",
                "id": one.id,
                "name": one.name,
                "roles": list(one.roles),
            }
            told |= {"active": one.active, "tasks": one.tasks, "used": resources_json(one.used)}
            click.echo(json.dumps(told | {"offers": offers}))
            continue
        memory = size_text(mem_bytes(one.used.scalars.get("mem", 0.0)))
        cpus = one.used.scalars.get("cpus", 0.0)
        offered = counted(len(one.offers), "offer")
        held = f"{counted(one.tasks, 'task')}, cpus {cpus:g}, {memory} bytes; {offered}"
        state = "" if one.active else ", away"
        click.echo(f"{click.style(one.name, bold=True)}  {held}{state}  {click.style(one.id, dim=True)}")
