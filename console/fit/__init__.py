"""Whether a task fits a target or an offer, to the byte, and what would."""
