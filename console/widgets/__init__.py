"""The widgets of mma-console, one a file; each draws some of the `State` and touches no network."""
