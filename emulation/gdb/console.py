"""GDB's own console: a typed line and its answer, and completion."""

from __future__ import annotations

import re

from emulation.gdb.core import Core
from emulation.gdb.errors import GdbError
from emulation.gdb.facts import Completion

_ASKS_FOR_MORE = re.compile(
    r"\s*(commands?|comm|define|document|while|if|while-stepping|stepping|actions|"
    r"(python|py|python-interactive|pi|guile|gu)\s*$|compile\s+(code|file)?\s*$)\b"
)
_ENDS = re.compile(r"\s*(q|qui|quit|exit|kill|k)\b")
_BYPASSES = re.compile(r"\s*(tar(get)?|disconnect|detach|run|r|start|attach|interpreter|new-ui)\b")


class Console:
    """Anything that GDB can and we have no method for."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self, line: str, *, timeout: float = 30.0) -> str:
        """Run a line; what it printed, also into the events. GdbRefused with GDB's words.

        A line that resumes the target returns at once. GdbError for lines that would ask for more lines, end
        GDB, or change the connection behind the session's back.
        """
        if _ASKS_FOR_MORE.match(line):
            raise GdbError("That command asks for more lines, which it cannot have here.")
        if _ENDS.match(line):
            raise GdbError("That would end the session or the machine.", remedy="Close the debugger instead.")
        if _BYPASSES.match(line):
            raise GdbError(
                "The session holds the connection.", remedy="Use attach and detach of the debugger."
            )
        return await self._core.console(line, timeout=timeout)

    async def complete(self, text: str, limit: int = 100) -> Completion:
        """What could follow; `text` where nothing is known."""
        if not text.strip():
            return Completion(text, ())
        reply = await self._core.command("-complete", text)
        matches = tuple(reply.fields.texts("matches")[:limit])
        return Completion(reply.fields.text("completion", text), matches)
