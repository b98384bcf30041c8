"""`mma offers`: what a master offers, and to watch it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

import click

from console.master_option import master_option

if TYPE_CHECKING:
    from console.mesos import Offer

_QUIET = 2.5
"""Seconds without a further offer after which the list counts as whole: the allocator runs once a second."""


@click.command()
@master_option
@click.option("-w", "--watch", is_flag=True, help="Go on until Ctrl-C: every offer as it comes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an offer.")
def command(master: str, watch: bool, as_json: bool) -> None:
    """Show what the master offers to a framework, agent by agent. Each offer is given back at once."""
    from console.run_async import run_async

    with contextlib.suppress(KeyboardInterrupt) if watch else contextlib.nullcontext():
        run_async(_show(master, watch, as_json))


async def _show(master: str, watch: bool, as_json: bool) -> None:
    from console.events import OfferChanged
    from console.framework import Framework
    from console.mesos import OfferState

    # What is given back comes again after 5 s; the hold is no matter then.
    async with Framework(master, name="mma offers") as framework:
        async with framework.listen() as queue:
            await framework.ready()
            for known in list(framework.offers.values()):
                await _tell(known, as_json)
                await framework.decline(known.id, 5.0)
            while True:
                try:
                    async with asyncio.timeout(None if watch else _QUIET):
                        event = await queue.get()
                except TimeoutError:
                    return
                offer = event.offer if isinstance(event, OfferChanged) else None
                if offer and offer.state is OfferState.OPEN and offer.id in framework.offers:
                    await _tell(offer, as_json)
                    await framework.decline(offer.id, 5.0)


async def _tell(offer: Offer, as_json: bool) -> None:
    from console.output import describe_resources, resources_json

    if as_json:
        found = {"event": "offer", "id": offer.id, "agent": offer.agent_id, "target": offer.target}
        click.echo(
            json.dumps(
                {
                    **found,
                    "resources": resources_json(offer.resources),
                    "attributes": dict(offer.attributes),
                    "time": offer.received,
                }
            )
        )
        return
    clock = time.strftime("%H:%M:%S", time.localtime(offer.received))
    click.echo(
        f"{click.style(clock, dim=True)}  {click.style(offer.target, bold=True)}  {describe_resources(offer)}"
    )
