"""A master that failed over and all its agents, simulated: when is the last one registered again?

The master is one queue that handles registrations one by one (its actor), each in the same time. An
agent tries first at a random instant within its back-off factor, then again after a random part of twice
that, doubled each time up to a minute, until it is answered (agent.registration; the native agent's
Slave::doReliableRegistration).
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

MOST_BACKOFF = 60.0
"""Seconds; REGISTER_RETRY_INTERVAL_MAX of Mesos."""


@dataclass(frozen=True, slots=True)
class Storm:
    """How it went."""

    seconds: float
    """Until the last agent had its answer."""
    attempts: float
    """Registrations that the master handles, for each agent, with those that wait when the last one has its
    answer; 1 is none in vain."""


def simulate(agents: int, cost: float, factor: float, seed: int = 1) -> Storm:
    """`cost` is what one registration takes the master, `factor` the agents' back-off, both in seconds."""
    dice = random.Random(seed)
    waiting = [(dice.uniform(0, factor), agent) for agent in range(agents)]
    heapq.heapify(waiting)
    backoff = [2 * factor] * agents
    answered = [0.0] * agents
    free, handled = 0.0, 0
    while waiting:
        sent, agent = heapq.heappop(waiting)
        if answered[agent] and answered[agent] <= sent:
            continue  # it knows by now
        free = max(free, sent) + cost
        handled += 1
        answered[agent] = answered[agent] or free
        heapq.heappush(waiting, (sent + dice.uniform(0, backoff[agent]), agent))
        backoff[agent] = min(2 * backoff[agent], MOST_BACKOFF)
    return Storm(max(answered), handled / agents)
