"""The subcommands of `mma`, one a file; each has a click command named `command`."""
