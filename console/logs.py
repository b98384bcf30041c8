"""Where log records go: to stderr when asked for by -v, else to a small file that a bug report can name.

A log line in the middle of a progress report, or a traceback, is not for the person at the terminal.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
from datetime import UTC, datetime
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_BYTES = 1 << 20


def log_file() -> Path:
    """The file that warnings and errors go to."""
    import platformdirs

    return Path(platformdirs.user_log_dir("mesos-micro-agent")) / "mma.log"


def set_up(verbose: int) -> None:
    """`verbose` as often as -v was given."""
    if verbose:
        logging.basicConfig(level=logging.INFO if verbose == 1 else logging.DEBUG, format=_FORMAT)
        return
    handler: logging.Handler
    try:
        file = log_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(file, maxBytes=_BYTES, backupCount=1, delay=True)
    except OSError:  # a home that can't be written must not keep anybody from work
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.raiseExceptions = False


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time (RFC 3339, UTC), level, logger, message; exception where there is one;
    subject where a step or a line of a target is told."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        found = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        subject = getattr(record, "subject", None)
        if subject is not None:
            found["subject"] = subject
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found, ensure_ascii=False)


def set_up_service(level: str, *, as_json: bool) -> None:
    """For a program that runs for months: all records from `level` on go to stderr, for a journal."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(_FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("agent.zookeeper.kazoo").setLevel("WARNING")


def keep_traceback(error: BaseException) -> None:
    """Put an unexpected error into the log."""
    logging.getLogger("mma").error("unexpected", exc_info=error)
