"""An agent proves to its master who it is: CRAM-MD5 (RFC 2195) by SASL messages.

As src/authentication/cram_md5/authenticatee.cpp: a process of its own, the authenticatee, talks with a
session process of the master.

    authenticatee -> master    AuthenticateMessage {pid of the agent}
    session -> authenticatee   AuthenticationMechanismsMessage {CRAM-MD5}
    authenticatee -> session   AuthenticationStartMessage
    session -> authenticatee   AuthenticationStepMessage {challenge}
    authenticatee -> session   AuthenticationStepMessage {principal, HMAC-MD5 of the challenge}
    session -> authenticatee   AuthenticationCompleted-, -Failed- or -ErrorMessage

A master forgets it when the agent's link breaks; until then it drops the registrations of an agent that
did not authenticate, without a word. The secret itself never goes over the wire, and what follows is
neither encrypted nor signed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import random
from collections.abc import Callable
from typing import Protocol

from google.protobuf.message import DecodeError, Message

from agent.config import AgentConfig
from agent.errors import UnsafeMessageError
from agent.guard import Sealed, seal
from agent.proto import messages_pb2 as internal
from agent.secrets import Credential
from agent.wire import framing
from agent.wire.upid import Peer, Upid

log = logging.getLogger(__name__)

MECHANISM = "CRAM-MD5"
REFUSED_RETRY = 60.0
"""Seconds at least until a credential that was refused is tried again: the master may learn it."""

_TYPES: dict[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        internal.AuthenticationMechanismsMessage,
        internal.AuthenticationStepMessage,
        internal.AuthenticationCompletedMessage,
        internal.AuthenticationFailedMessage,
        internal.AuthenticationErrorMessage,
    )
}


class Place(Protocol):
    """The agent's seat behind a port."""

    @property
    def upid(self) -> Upid:
        """The agent."""
        ...

    @property
    def crowd(self) -> int:
        """How many agents share its gateway."""
        ...

    def join(self, actor: Authentication) -> None:
        """Let a process of the agent's listen beside it."""
        ...

    def leave(self, actor: Authentication) -> None:
        """No longer."""
        ...

    def send_as(self, sender: str, to: Upid, message: Sealed) -> None:
        """Send from such a process."""
        ...


def answer_to(challenge: bytes, credential: Credential) -> bytes:
    """What CRAM-MD5 answers: the principal and the keyed digest, in hexadecimal (RFC 2195, section 2)."""
    digest = hmac.new(credential.secret.encode(), challenge, hashlib.md5).hexdigest()
    return f"{credential.principal} {digest}".encode()


class Authentication:
    """The authenticatee of one agent. begin() as often as wanted; `done` or `refused` is called from the
    event loop. A silent master is asked again, with a longer patience each time."""

    def __init__(
        self, place: Place, config: AgentConfig, done: Callable[[], None], refused: Callable[[str], None]
    ) -> None:
        assert config.credential is not None
        self._place = place
        self._config = config
        self._credential = config.credential
        self._done = done
        self._refused = refused
        self._attempt = 0
        self._patience = config.authentication_timeout_min
        self._master: Upid | None = None
        self._session: Upid | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.valid = False
        """The master has authenticated us, and its link to us has not broken since."""

    @property
    def id(self) -> str:
        """The process: another one for each attempt, so that old answers reach nobody."""
        number = self._place.upid.id.partition("(")[2].rstrip(")")
        return f"crammd5-authenticatee-{number}({self._attempt})"

    def begin(self, master: Upid) -> None:
        """Authenticate with `master`, from the start."""
        self.reset()
        self._patience = self._config.authentication_timeout_min
        self._master = master
        self._try()

    def reset(self) -> None:
        """Nothing is proven any more, and no attempt is under way. Idempotent."""
        self.valid = False
        self._stop()

    # -- an actor behind the port --------------------------------------------------------------------------

    def receive(self, message: framing.Message) -> None:
        """One message of the master's session."""
        kind = _TYPES.get(message.name)
        if kind is None or self._master is None or message.sender.peer != self._master.peer:
            log.warning("%s from %s is ignored: it is not of the master", message.name, message.sender)
            return
        if self._session is not None and message.sender != self._session:
            return  # of an earlier attempt
        try:
            content = kind.FromString(message.body)
        except DecodeError:
            log.warning("%s from %s cannot be read", message.name, message.sender)
            return
        self._take(message.sender, content)

    def link_lost(self, peer: Peer) -> None:
        """The agent itself hears of it and begins anew."""

    def peer_left(self, peer: Peer) -> None:
        """Likewise."""

    # -- inside --------------------------------------------------------------------------------------------

    def _take(self, sender: Upid, content: Message) -> None:
        principal = self._credential.principal
        match content:
            case internal.AuthenticationMechanismsMessage():
                self._session = sender
                if MECHANISM in content.mechanisms:
                    self._send(sender, internal.AuthenticationStartMessage(mechanism=MECHANISM))
                else:
                    offered = ", ".join(content.mechanisms) or "nothing"
                    self._fail(f"The master offers {offered} to authenticate by, and no {MECHANISM}.")
            case internal.AuthenticationStepMessage() if self._session is not None:
                data = answer_to(content.data, self._credential)
                self._send(sender, internal.AuthenticationStepMessage(data=data))
            case internal.AuthenticationCompletedMessage():
                self._stop()
                self.valid = True
                log.info("%s is authenticated as %s", self._place.upid, principal)
                self._done()
            case internal.AuthenticationFailedMessage():
                self._fail(
                    f"The master refused the credential of {principal!r}. "
                    "Compare the file of --credential with the master's credentials."
                )
            case internal.AuthenticationErrorMessage():
                self._fail(
                    f"The master cannot authenticate {principal!r}: {content.error or 'no reason given'}."
                )

    def _try(self) -> None:
        assert self._master is not None
        self._stop()
        self._attempt += 1
        self._place.join(self)
        self._send(self._master, internal.AuthenticateMessage(pid=str(self._place.upid)))
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._silent)

    def _silent(self) -> None:
        log.info("%s: no answer to the authentication within %.1f s", self._place.upid, self._patience)
        low, high = self._config.authentication_timeout_min, self._config.authentication_timeout_max
        self._patience = random.uniform(low, min(2 * self._patience, high))
        self._try()

    def _fail(self, reason: str) -> None:
        self._stop()
        delay = random.uniform(REFUSED_RETRY, 2 * REFUSED_RETRY)
        self._timer = asyncio.get_running_loop().call_later(delay, self._try)
        self._refused(reason)

    def _stop(self) -> None:
        self._place.leave(self)
        self._session = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, to: Upid, message: Message) -> None:
        try:
            self._place.send_as(self.id, to, seal(message))
        except UnsafeMessageError as error:
            log.error("%s", error)
