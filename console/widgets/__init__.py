"""The widgets of mma-console, one a file; each draws a part of `console.model` and touches no network."""
