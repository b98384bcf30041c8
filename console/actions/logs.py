"""Reading logs."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

LOGS: tuple[Action, ...] = (
    Action("log.source", ("s",), "Source", "Choose whose lines to read.", Group.LOGS, Scope.LOGS, show=True),
    Action(
        "log.follow", ("f",), "Follow", "Keep the newest line in sight.", Group.LOGS, Scope.LOGS, show=True
    ),
    Action("log.wrap", ("w",), "Wrap", "Break long lines, or cut them.", Group.LOGS, Scope.LOGS, show=True),
    Action(
        "log.mesos", ("m",), "Mesos", "Mesos's messages between the lines, or not.", Group.LOGS, Scope.LOGS
    ),
    Action(
        "log.coap",
        ("c",),
        "CoAP",
        "Decoded messages of the link between the lines, or not.",
        Group.LOGS,
        Scope.LOGS,
        show=True,
    ),
    Action(
        "log.find",
        ("F",),
        "Find",
        "Go to a line that has a text; the matches after and before it follow.",
        Group.LOGS,
        Scope.LOGS,
        show=True,
    ),
    Action(
        "log.clock",
        ("v",),
        "Clock",
        "This computer's time, the emulated board's own, or both.",
        Group.LOGS,
        Scope.LOGS,
    ),
    Action("log.save", ("W",), "Save", "Write the lines shown to a file.", Group.LOGS, Scope.LOGS),
)
