"""`mma console --serve`: the console in a browser, by textual-serve.

Whoever can open it can launch, kill and flash. So it listens on loopback unless told otherwise, and gives
itself only to a browser that came by the address that was printed: its token becomes a cookie, without which
neither a page nor the web socket is answered. SameSite=Strict keeps the pages of others from using it.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence

import click
from aiohttp import web
from textual_serve.server import Server

from console.errors import UsageError

_COOKIE = "mma-console"
_NO = "Open the address that mma-console printed: it has a token."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ConsoleServer(Server):
    """textual-serve's, for those who have the token."""

    def __init__(self, command: str, host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        super().__init__(command, host, port, title="mma-console", public_url=f"http://{shown}:{port}")
        self.token = secrets.token_urlsafe(16)

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"{self.public_url}/?token={self.token}"

    def initialize_logging(self) -> None:
        """Ours is set up already."""

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is."""
        click.echo(f"mma-console is at {self.address}", err=True)
        click.echo("Each window that opens it is a session of its own. Ctrl-C ends all.", err=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._only_with_token)
        return app

    @web.middleware
    async def _only_with_token(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.query.get("token", "")
        if request.path == "/" and hmac.compare_digest(given.encode(), self.token.encode()):
            response = await handler(request)
            response.set_cookie(_COOKIE, self.token, httponly=True, samesite="Strict", path="/")
            return response
        if not hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), self.token.encode()):
            raise web.HTTPForbidden(text=_NO)
        return await handler(request)


def serve(arguments: Sequence[str], host: str, port: int) -> None:
    """Until Ctrl-C. `arguments` are those of `mma console` for each session. UsageError where it cannot
    listen."""
    _check(host, port)
    if not is_loopback(host):
        click.echo(
            f"mma: warning: {host} can be reached from other computers, and nothing is encrypted: "
            "whoever sees the address with its token can launch, kill and flash. "
            "Rather leave --host away and use `ssh -L`.",
            err=True,
        )
    logging.getLogger("textual-serve").setLevel(logging.ERROR)
    command = shlex.join([sys.executable, "-m", "console.cli", "console", *arguments])
    ConsoleServer(command, host, port).serve()


def is_loopback(host: str) -> bool:
    """Only this computer reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check(host: str, port: int) -> None:
    """Whether one can listen there, for a sentence instead of a traceback."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on: {error.strerror}.",
            remedy="Choose another --port or --host.",
        ) from error
