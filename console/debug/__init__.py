"""The debugger without a screen: attach to a target, step, look; executors by their own names."""
