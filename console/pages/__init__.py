"""The details of a target, an offer, a task and the help, as lines for a width. Pure functions."""
