"""The files of a job's folder, which the page and the job's supervisor share."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from hashbench.studio.jobs.process_identity import ProcessIdentity

COMMAND: Final = "command.json"
PID: Final = "pid"
BEGAN: Final = "began"
LOG: Final = "log"
EXIT: Final = "exit"

# Room that is taken before the work begins, so that an end can be told on a full disk.
EXIT_BYTES: Final = 4096
_LONGEST_SAID: Final = 2000


@dataclass(frozen=True, slots=True)
class Command:
    """What a job does.

    Attributes:
        kind: ``import``, ``run``, ``export``, ``reproduce`` ...
        title: For people.
        argv: The command line as a shell would have it.
        program: What is executed.
        created: When it was asked for, UTC, ISO 8601.
        queue: Whether it waits for the earlier ones that wait as well.
    """

    kind: str
    title: str
    argv: tuple[str, ...]
    program: tuple[str, ...]
    created: str
    queue: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended.

    Attributes:
        code: The exit code; below 0 the signal that ended it.
        ended: When, UTC, ISO 8601.
        said: Its last words that were no events.
        stopped: Whether it had been asked to end.
        log_failed: Why its output could not be kept, if it could not.
    """

    code: int
    ended: str
    said: str = ""
    stopped: bool = False
    log_failed: str = ""

    def as_bytes(self) -> bytes:
        """This, padded to the room that was taken for it."""
        said = self.said[-_LONGEST_SAID:]
        while True:
            facts = {**asdict(self), "said": said, "log_failed": self.log_failed[:200]}
            data = json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace")
            if len(data) < EXIT_BYTES:
                return data.ljust(EXIT_BYTES - 1) + b"\n"
            said = said[len(said) // 2 + 1 :]


@dataclass(frozen=True, slots=True)
class JobFiles:
    """A job's folder.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def command(self) -> Command | None:
        """What it does; None while it is not written, or if it is damaged."""
        facts = self._json(COMMAND)
        try:
            argv, program = tuple(facts.pop("argv")), tuple(facts.pop("program"))
            return Command(argv=argv, program=program, **facts)
        except (KeyError, TypeError):
            return None

    def identity(self) -> ProcessIdentity | None:
        """Its supervisor; None before there is one."""
        try:
            return ProcessIdentity(**self._json(PID))
        except TypeError:
            return None

    def end(self) -> End | None:
        """How it ended; None before it has."""
        try:
            return End(**self._json(EXIT))
        except TypeError:
            return None

    def began(self) -> str | None:
        """When its work began; None while it waits for its turn."""
        try:
            return (self.folder / BEGAN).read_text(encoding="ascii").strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    def _json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
