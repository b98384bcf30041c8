"""/help: what there is to ask (libprocess help.cpp, as JSON or as a page)."""

from __future__ import annotations

import html
from collections.abc import Mapping

from aiohttp import web

from agent.http.answers import ok
from agent.http.ask import Ask, Route


def text_of(path: str, route: Route) -> str:
    """USAGE and a line about it, in the markdown that native texts are in."""
    lines = ["### USAGE ###", f">        {path}", "", "### TL;DR; ###", route.about or "See docs/http.md."]
    if route.parameters:
        lines += ["", "### DESCRIPTION ###", "Query parameters:", ""]
        lines += [f">        {name}=VALUE" for name in route.parameters]
    needed = route.realm.value
    lines += ["", "### AUTHENTICATION ###", f"Realm {needed}, where it is on." if needed else "Not needed."]
    return "\n".join((*lines, ""))


def help_json(
    agents: Mapping[str, object], of_agent: Mapping[str, Route], of_port: Mapping[str, Route]
) -> object:
    """Processes with their endpoints."""
    found: dict[str, list[dict[str, str]]] = {}
    for path, route in of_port.items():
        if path not in of_agent:
            process, _, name = path.partition("/")
            found.setdefault(process, []).append({"name": f"/{name}", "text": text_of(f"/{path}", route)})
    for process in agents:
        found[process] = [
            {"name": f"/{path}", "text": text_of(f"/{process}/{path}", route)}
            for path, route in of_agent.items()
        ]
    return {"processes": [{"id": process, "endpoints": found[process]} for process in sorted(found)]}


def help_page(paths: Mapping[str, Route]) -> web.Response:
    """All endpoints in one page; no scripts."""
    rows = "".join(
        f"<h3>/{html.escape(path)}</h3><pre>{html.escape(text_of('/' + path, route))}</pre>"
        for path, route in sorted(paths.items())
    )
    page = f"<!DOCTYPE html><html><head><title>Help</title></head><body>{rows}</body></html>"
    return ok(page.encode(), "text/html")


def wants_json(ask: Ask) -> bool:
    """Whether ?format=json asks so."""
    return ask.request.query.get("format") == "json"
