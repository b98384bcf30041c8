"""Edit, build, run: what a save leads to."""
