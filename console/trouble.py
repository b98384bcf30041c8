"""Any error as the sentences a person reads: what is wrong, and what to do."""

from __future__ import annotations

import logging

from console.errors import exit_code

log = logging.getLogger(__name__)


def words(error: BaseException) -> tuple[str, str]:
    """(what is wrong, the remedy or nothing). A bug of ours says so, and goes to the log with its trace."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if exit_code(error) is None:
        log.error("unforeseen", exc_info=error)
        return f"This is a bug in mma: {type(error).__name__}: {error}.", "Please report it."
    remedy = getattr(error, "remedy", "")
    return (getattr(error, "message", "") or str(error)), remedy if isinstance(remedy, str) else ""
