"""/api/v1/executor: the executor API (Http::executor). Executors here are guests on a device, whose part of
it the agent speaks itself; who calls is told so, in the order of a native agent's checks."""

from __future__ import annotations

from aiohttp import hdrs, web

from agent.http.answers import accepted, not_allowed, refuse
from agent.http.ask import Ask
from agent.http.media import Media, MediaError, accepts, decode, read_body
from agent.http.view import view
from agent.proto import agent_pb2 as api

_FIELDS = {
    api.ExecutorCall.SUBSCRIBE: "subscribe",
    api.ExecutorCall.UPDATE: "update",
    api.ExecutorCall.MESSAGE: "message",
}
_PREFIX = "Failed to convert JSON into Call protobuf: "


async def executor_endpoint(ask: Ask) -> web.StreamResponse:
    """/api/v1/executor"""
    request = ask.request
    if ask.agent.recovering:
        return refuse(503, "Agent has not finished recovery")
    if request.method != "POST":
        return not_allowed(request.method, "POST")
    told = request.headers.get(hdrs.CONTENT_TYPE)
    if told is None:
        return refuse(400, "Expecting 'Content-Type' to be present")
    if told not in (Media.JSON.value, Media.PROTOBUF.value):
        return refuse(415, "Expecting 'Content-Type' of application/json or application/x-protobuf")
    call = api.ExecutorCall()
    try:
        decode(await read_body(request), Media(told), call)
    except MediaError as error:
        if error.status != 400:
            return error.answer()
        if told == Media.PROTOBUF.value:
            return refuse(400, "Failed to parse body into Call protobuf")
        text = error.text if error.text.startswith("Failed to parse") else _PREFIX + error.text
        return refuse(400, text)
    if not call.IsInitialized():
        return refuse(400, "Failed to parse body into Call protobuf")
    wrong = _error_of(call)
    if wrong is not None:
        return refuse(400, f"Failed to validate Executor::Call: {wrong}")
    return _answer(ask, call)


def _error_of(call: api.ExecutorCall) -> str | None:
    if not call.HasField("type"):
        return "Expecting 'type' to be present"
    field = _FIELDS.get(call.type)
    if field is not None and not call.HasField(field):
        return f"Expecting '{field}' to be present"
    return None


def _answer(ask: Ask, call: api.ExecutorCall) -> web.Response:
    if call.type == api.ExecutorCall.SUBSCRIBE:
        accept = ask.request.headers.get(hdrs.ACCEPT)
        if not (accepts(accept, Media.JSON) or accepts(accept, Media.PROTOBUF)):
            return refuse(406, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")
    elif call.type == api.ExecutorCall.HEARTBEAT:
        return accepted()
    for framework in view(ask.agent).frameworks:
        if framework.info.id.value == call.framework_id.value:
            if all(executor.id != call.executor_id.value for executor in framework.executors):
                return refuse(400, "Executor cannot be found")
            return refuse(403, "Executor is not subscribed: it is a WebAssembly guest on a device")
    return refuse(400, "Framework cannot be found")
