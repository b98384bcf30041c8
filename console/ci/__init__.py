"""Headless runs of scenarios on emulated or real boards: `mma ci`, `mma replay` and the pytest plugin."""
