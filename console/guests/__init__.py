"""Guest modules as files: built, picked, begun from a template."""
