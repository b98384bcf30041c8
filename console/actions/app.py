"""The console itself: filter, palette, help, colours, quitting."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

APP: tuple[Action, ...] = (
    Action(
        "view.filter",
        ("/",),
        "Filter",
        "Only the lines with these words; !word leaves lines out.",
        Group.CONSOLE,
        Scope.VIEW,
        show=True,
    ),
    Action(
        "app.palette",
        (":", "ctrl+p"),
        "Commands",
        "Every action by its name.",
        Group.CONSOLE,
        Scope.APP,
        show=True,
    ),
    Action(
        "view.commands",
        ("!",),
        "Command log",
        "The build, gdb, HTTP and program lines that were run, to copy.",
        Group.CONSOLE,
        Scope.VIEW,
    ),
    Action(
        "app.jump",
        ("ctrl+o",),
        "Jump",
        "A letter on everything that can have the focus.",
        Group.CONSOLE,
        Scope.APP,
    ),
    Action("app.help", ("?", "f1"), "Help", "This page.", Group.CONSOLE, Scope.APP, show=True),
    Action(
        "app.theme",
        ("t",),
        "Theme",
        "The next colours: dark, light, high contrast.",
        Group.CONSOLE,
        Scope.APP,
    ),
    Action("app.picture", ("f6",), "Picture", "Save the screen as an SVG file.", Group.CONSOLE, Scope.APP),
    Action(
        "app.leave",
        ("q", "ctrl+q"),
        "Quit",
        "Leave; asks when tasks run.",
        Group.CONSOLE,
        Scope.APP,
        show=True,
    ),
)
