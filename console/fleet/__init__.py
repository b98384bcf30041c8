"""A session's targets, gateway and master: opened, hosted, disturbed; and whether this computer can."""
