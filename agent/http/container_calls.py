"""The calls of the operator API about containers: wait, kill, attach, launch, remove.

A container here is an executor on the target: there is nothing to nest in it, and no process of ours to give
input to. What that rules out is refused with Mesos's status for what a containerizer does not support.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from aiohttp import web

from agent.http.answers import accepted, ok, refuse
from agent.http.ask import Action, Ask
from agent.http.calls import container_name
from agent.http.reads import Answer, response_to
from agent.http.view import ExecutorView, view
from agent.proto import agent_pb2 as api
from agent.proto import mesos_pb2 as mesos

_POLL = 1.0
"""Seconds after which a waiter looks whether its caller is still there."""
_SIGNALS = {9: 0.0, 15: 5.0, 2: 5.0}
"""What signals mean to a guest, which takes none: how many seconds it has to end by itself."""
NO_PROCESSES = (
    "This agent runs WebAssembly modules on a device: there are no processes to launch. Launch a task with a "
    "module through a framework."
)


def find(ask: Ask, container_id: mesos.ContainerID) -> ExecutorView | None:
    """The executor in a container of the asked agent or, without an id in the path, of any behind the port
    (the `mesos` command leaves it out)."""
    if container_id.HasField("parent"):
        return None
    for agent in [ask.agent] if ask.named else list(ask.agents.values()):
        found = view(agent).container(container_id.value)
        if found is not None:
            ask.agent = agent
            return found
    return None


def _container_of(call: api.Call) -> mesos.ContainerID:
    field = getattr(call, api.Call.Type.Name(call.type).lower())
    container_id: mesos.ContainerID = field.container_id
    return container_id


def _not_found(container_id: mesos.ContainerID) -> web.Response:
    return refuse(404, f"Container {container_name(container_id)} cannot be found")


async def wait(ask: Ask, call: api.Call) -> Answer:
    """WAIT_CONTAINER, WAIT_NESTED_CONTAINER: when all its tasks have ended. A native agent forgets a root
    container that is over; here its end is told as long as it is remembered."""
    container_id = _container_of(call)
    found = find(ask, container_id)
    if found is None:
        return _not_found(container_id)
    if not ask.approves(Action.WAIT_CONTAINER, found.framework, found.info):
        return refuse(403)
    changed = asyncio.Event()
    end_watch = ask.agent.sandboxes.watch(lambda name: changed.set() if name == container_id.value else None)
    try:
        while found is not None and found.living:
            changed.clear()
            try:
                async with asyncio.timeout(_POLL):
                    await changed.wait()
            except TimeoutError:
                transport = ask.request.transport
                if transport is None or transport.is_closing():
                    raise ConnectionResetError from None  # nobody waits any more
            found = view(ask.agent).container(container_id.value)
    finally:
        end_watch()
    if found is None:
        return _not_found(container_id)
    response = response_to(call)
    _fill_end(response.wait_container, found)
    return response


def _fill_end(into: api.Response.WaitContainer, executor: ExecutorView) -> None:
    """How it ended: as the first of its tasks that did not finish, or else as the last."""
    tasks = [task for task in (*executor.completed, *executor.tasks) if task.statuses]
    if not tasks:
        return
    task = next((one for one in tasks if one.state != mesos.TASK_FINISHED), tasks[-1])
    status = task.statuses[-1]
    if status.state == mesos.TASK_FINISHED:
        into.exit_status = 0
    else:  # as wait(2) has it: a signal, or a status in the second byte
        into.exit_status = 9 if status.state == mesos.TASK_KILLED else 1 << 8
    into.state, into.message = status.state, status.message
    if status.HasField("reason"):
        into.reason = status.reason
    if status.HasField("limitation"):
        into.limitation.CopyFrom(status.limitation)


async def kill(ask: Ask, call: api.Call) -> Answer:
    """KILL_CONTAINER, KILL_NESTED_CONTAINER."""
    container_id = _container_of(call)
    found = find(ask, container_id)
    if found is None or not found.living:
        name = container_name(container_id)
        return refuse(404, f"Container '{name}' cannot be found (or is already killed)")
    if not ask.approves(Action.KILL_CONTAINER, found.framework, found.info):
        return refuse(403)
    signal = call.kill_container.signal if call.kill_container.HasField("signal") else 9
    if signal not in _SIGNALS:
        return refuse(400, f"A WebAssembly guest takes no signal {signal}: send 9, or 15 to give it time.")
    ask.agent.tasks.kills.container(container_id.value, _SIGNALS[signal])
    return ok()


async def launch(ask: Ask, call: api.Call) -> Answer:
    """LAUNCH_CONTAINER, LAUNCH_NESTED_CONTAINER, LAUNCH_NESTED_CONTAINER_SESSION."""
    container_id = _container_of(call)
    actions = {
        api.Call.LAUNCH_NESTED_CONTAINER: Action.LAUNCH_NESTED_CONTAINER,
        api.Call.LAUNCH_NESTED_CONTAINER_SESSION: Action.LAUNCH_NESTED_CONTAINER_SESSION,
    }
    if not ask.approves(actions.get(call.type, Action.LAUNCH_CONTAINER)):
        return refuse(403)
    if find(ask, container_id) is not None:
        return accepted()  # it is in use
    if container_id.HasField("parent"):
        parent = find(ask, container_id.parent)
        if parent is None or not parent.living:
            return refuse(400, f"Parent container {container_name(container_id.parent)} does not exist")
    return refuse(400, NO_PROCESSES)


async def remove(ask: Ask, call: api.Call) -> Answer:
    """REMOVE_CONTAINER, REMOVE_NESTED_CONTAINER: the sandbox of an executor that is over. (A native 1.11
    agent aborts when it is asked to remove a root container that it does not know.)"""
    container_id = _container_of(call)
    if container_id.HasField("parent"):
        parent = find(ask, container_id.parent)
        return refuse(500, "Unknown root container") if parent is None else ok()
    found = find(ask, container_id)
    if found is None:
        return refuse(500, "Unknown container")
    if not ask.approves(Action.REMOVE_CONTAINER, found.framework, found.info):
        return refuse(403)
    if found.living:
        return refuse(500, "The container has not terminated yet")
    await asyncio.to_thread(shutil.rmtree, Path(found.directory), True)
    return ok()


async def attach_input(ask: Ask, call: api.Call) -> Answer:
    """ATTACH_CONTAINER_INPUT: guests have no standard input; the words are those for a container without."""
    attach = call.attach_container_input
    if attach.type != api.Call.AttachContainerInput.CONTAINER_ID:
        return refuse(400, "Expecting 'attach_container_input.type' to be CONTAINER_ID")
    found = find(ask, attach.container_id)
    if found is None or not found.living:
        return _not_found(attach.container_id)
    if not ask.approves(Action.ATTACH_CONTAINER_INPUT, found.framework, found.info):
        return refuse(403)
    return refuse(500, "I/O switchboard server was disabled for this container")
