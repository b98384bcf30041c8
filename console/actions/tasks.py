"""What can be done with tasks."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

TASKS: tuple[Action, ...] = (
    Action(
        "task.launch",
        ("n",),
        "Launch",
        "Choose a module, a target and budgets; says before whether it fits.",
        Group.TASKS,
        Scope.VIEW,
        show=True,
        changes=True,
    ),
    Action(
        "task.kill",
        ("x", "delete"),
        "Kill",
        "Kill the selected task, after a question.",
        Group.TASKS,
        Scope.TASKS,
        show=True,
        destructive=True,
        changes=True,
    ),
    Action(
        "task.restart",
        ("R",),
        "Restart",
        "Launch it again as it was; if it lives it is killed first, after a question.",
        Group.TASKS,
        Scope.TASKS,
        destructive=True,
        changes=True,
    ),
    Action(
        "task.clone",
        ("c",),
        "Clone",
        "Launch the same on another target; says before whether it fits.",
        Group.TASKS,
        Scope.TASKS,
        show=True,
        changes=True,
    ),
    Action(
        "task.logs", ("o",), "Logs", "What the selected task logged.", Group.TASKS, Scope.TASKS, show=True
    ),
    Action("task.living", ("a",), "All / living", "Show ended tasks too, or not.", Group.TASKS, Scope.TASKS),
)
