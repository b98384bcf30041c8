"""What the links of a live session go through: CoAP messages, counters, and the boards' own clocks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from console.live.seam import Post
from console.state.events import ClockRead, LinkRead, LinkSaid, Quality

if TYPE_CHECKING:
    from console.fleet.opening import Member, Setup
    from console.fleet.session import Session
    from hal.link import Statistics, Traced

log = logging.getLogger(__name__)


class LinkWatch:
    """Made with the session."""

    def __init__(self, session: Session, post: Post) -> None:
        self._session = session
        self._post = post

    def setup(self, target: str) -> Setup:
        """How to bring a target up so that its messages are heard."""
        from console.fleet.opening import Setup
        from emulation.faults import LinkFaults
        from hal.link import Conversation
        from hal.mcu import McuTarget

        talk = Conversation()

        def on_trace(traced: Traced) -> None:
            spoken = talk.heard(traced)
            member = self._session.members.get(target)
            key = ""
            if spoken.slot is not None and member is not None and isinstance(member.target, McuTarget):
                key = member.target.holder(spoken.slot)
            self._post(LinkSaid(target, key, spoken.text))

        return Setup(faults=LinkFaults(), on_trace=on_trace)  # a good link, until somebody spoils it

    async def read(self, member: Member) -> None:
        """Post what a target's link and its clock say. What cannot be read is left out."""
        from hal.mcu import McuTarget

        name = member.name.text
        if isinstance(member.target, McuTarget):
            self._post(LinkRead(name, quality_of(member.target.link.statistics)))
        if member.machine is None:
            return
        try:
            seconds = (await member.machine.counters()).virtual_time
        except Exception as error:  # an emulator that cannot tell, or that is going away
            log.info("clock of %s: %s", name, error)
            return
        if seconds is not None:
            self._post(ClockRead(name, seconds))


def quality_of(counted: Statistics) -> Quality:
    """A link's counters as a fact."""
    return Quality(
        round_trip=counted.round_trip,
        sent=counted.frames_sent,
        received=counted.frames_received,
        bytes_sent=counted.bytes_sent,
        bytes_received=counted.bytes_received,
        again=counted.retransmissions,
        damaged=counted.fcs_errors + counted.dropped + counted.malformed,
        lost=counted.lost,
        connections=counted.connections,
    )
