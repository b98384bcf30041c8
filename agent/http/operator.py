"""/api/v1: the operator API (Http::api of src/slave/http.cpp). A call comes as JSON, protobuf or a stream of
records, and is answered likewise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from agent.http import container_calls, reads
from agent.http.answers import not_allowed, ok, refuse
from agent.http.ask import Action, Ask
from agent.http.attach import attach_output
from agent.http.calls import Type, error_of
from agent.http.containers import get_containers
from agent.http.media import MediaError, MediaTypes, decode, encode, negotiate, read_body, read_record
from agent.http.reads import Answer
from agent.proto import agent_pb2 as api

_Handler = Callable[[Ask, api.Call], Awaitable[Answer]]
_STREAMED = frozenset({Type.ATTACH_CONTAINER_OUTPUT, Type.LAUNCH_NESTED_CONTAINER_SESSION})


async def api_endpoint(ask: Ask) -> web.StreamResponse:
    """/api/v1"""
    request = ask.request
    if ask.agent.recovering:
        return refuse(503, "Agent has not finished recovery")
    if request.method != "POST":
        return not_allowed(request.method, "POST")
    try:
        types = negotiate(request)
        call = await _read_call(request, types)
        _check_streams(call, types)
    except MediaError as error:
        return error.answer()
    if call.type == Type.ATTACH_CONTAINER_OUTPUT:
        return await attach_output(ask, call, types)
    handler = CALLS.get(call.type)
    if handler is None:
        return refuse(501)
    answer = await handler(ask, call)
    if isinstance(answer, web.StreamResponse):
        return answer
    return ok(encode(answer, types.accept), types.accept.value)


async def _read_call(request: web.BaseRequest, types: MediaTypes) -> api.Call:
    """The request's call; of a stream its first record, which is all that any call here needs."""
    if types.content.streams:
        body = await read_record(request.content)
        if body is None:
            raise MediaError(400, "Received EOF while reading request body")
    else:
        body = await read_body(request)
    call = api.Call()
    decode(body, types.incoming, call)
    if not call.IsInitialized():
        # A native agent says so too, with the names that its protobuf library has for it.
        missing = call.FindInitializationErrors()  # type: ignore[attr-defined]
        raise MediaError(400, f"Failed to parse body into a protobuf object: {', '.join(missing)} missing")
    wrong = error_of(call)
    if wrong is not None:
        raise MediaError(400, f"Failed to validate agent::Call: {wrong}")
    return call


def _check_streams(call: api.Call, types: MediaTypes) -> None:
    name = Type.Name(call.type)
    if types.content.streams != (call.type == Type.ATTACH_CONTAINER_INPUT):
        if types.content.streams:
            text = f"Streaming 'Content-Type' {types.content.value} is not supported for {name} call"
        else:
            text = f"Expecting 'Content-Type' to be application/recordio for {name} call"
        raise MediaError(415, text)
    if types.accept.streams and call.type not in _STREAMED:
        raise MediaError(406, f"Streaming response is not supported for {name} call")


async def _prune_images(ask: Ask, call: api.Call) -> Answer:
    """There are no images: all unused ones are gone."""
    return ok() if ask.approves(Action.PRUNE_IMAGES) else refuse(403)


async def _provider_config(ask: Ask, call: api.Call) -> Answer:
    """As a native agent that has no folder for the configurations of resource providers."""
    if not ask.approves(Action.MODIFY_RESOURCE_PROVIDER_CONFIG):
        return refuse(403)
    return refuse(500, "Missing required flag --resource_provider_config_dir")


async def _provider_gone(ask: Ask, call: api.Call) -> Answer:
    """Any that might have been here are gone."""
    return ok() if ask.approves(Action.MARK_RESOURCE_PROVIDER_GONE) else refuse(403)


CALLS: Mapping[api.Call.Type, _Handler] = {
    Type.GET_HEALTH: reads.get_health,
    Type.GET_FLAGS: reads.get_flags,
    Type.GET_VERSION: reads.get_version,
    Type.GET_METRICS: reads.get_metrics,
    Type.GET_LOGGING_LEVEL: reads.get_logging_level,
    Type.SET_LOGGING_LEVEL: reads.set_logging_level,
    Type.LIST_FILES: reads.list_files,
    Type.READ_FILE: reads.read_file,
    Type.GET_STATE: reads.get_state,
    Type.GET_CONTAINERS: get_containers,
    Type.GET_FRAMEWORKS: reads.get_frameworks,
    Type.GET_EXECUTORS: reads.get_executors,
    Type.GET_OPERATIONS: reads.get_operations,
    Type.GET_TASKS: reads.get_tasks,
    Type.GET_AGENT: reads.get_agent,
    Type.GET_RESOURCE_PROVIDERS: reads.get_resource_providers,
    Type.LAUNCH_NESTED_CONTAINER: container_calls.launch,
    Type.WAIT_NESTED_CONTAINER: container_calls.wait,
    Type.KILL_NESTED_CONTAINER: container_calls.kill,
    Type.REMOVE_NESTED_CONTAINER: container_calls.remove,
    Type.LAUNCH_NESTED_CONTAINER_SESSION: container_calls.launch,
    Type.ATTACH_CONTAINER_INPUT: container_calls.attach_input,
    Type.LAUNCH_CONTAINER: container_calls.launch,
    Type.WAIT_CONTAINER: container_calls.wait,
    Type.KILL_CONTAINER: container_calls.kill,
    Type.REMOVE_CONTAINER: container_calls.remove,
    Type.ADD_RESOURCE_PROVIDER_CONFIG: _provider_config,
    Type.UPDATE_RESOURCE_PROVIDER_CONFIG: _provider_config,
    Type.REMOVE_RESOURCE_PROVIDER_CONFIG: _provider_config,
    Type.MARK_RESOURCE_PROVIDER_GONE: _provider_gone,
    Type.PRUNE_IMAGES: _prune_images,
}
