"""What can be done with the selected target of the fleet."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

FLEET: tuple[Action, ...] = (
    Action(
        "target.logs", ("o",), "Logs", "What the selected target says.", Group.LOGS, Scope.FLEET, show=True
    ),
    Action(
        "target.kill_all",
        ("x", "delete"),
        "Kill all",
        "Kill every task of ours on the selected target; its name is asked for.",
        Group.TASKS,
        Scope.FLEET,
        destructive=True,
        changes=True,
    ),
    Action(
        "target.fault",
        ("f",),
        "Fault",
        "Spoil the link, cut the power, stick a pin, wear the flash: asks for it in words.",
        Group.TASKS,
        Scope.FLEET,
        changes=True,
    ),
    Action(
        "target.debug",
        ("d",),
        "Debug",
        "Attach the debugger to the selected board.",
        Group.DEBUG,
        Scope.FLEET,
        show=True,
        changes=True,
    ),
    Action(
        "target.memory",
        ("m",),
        "Memory",
        "Flash and RAM of the selected board.",
        Group.MEMORY,
        Scope.FLEET,
        show=True,
    ),
)
