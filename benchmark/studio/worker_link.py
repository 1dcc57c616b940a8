"""The page's link to the store's search worker: found, started where there is none, asked again.

The worker is the same as ``hashbench serve STORE`` starts, whoever started it. What it knows is in
the store, so that a new one in the place of a dead one answers as that did.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from hashbench.core.errors import StoreError
from hashbench.serve.client import Client, NoAnswerError
from hashbench.serve.discovery import Announcement, find_server, is_claimed
from hashbench.studio.context import StudioContext
from hashbench.studio.jobs import jobs

_IDLE_SECONDS: Final = 1800
_START_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.05
_END_SECONDS: Final = 10.0
_LOG_TAIL: Final = 4096

Answer = TypeVar("Answer")


class WorkerLink:
    """Asks the search worker of a store; safe for several threads.

    Example:
        link = WorkerLink(context)
        found = link.ask(lambda client: client.get("methods"))

    Args:
        context: Whose store is searched.
    """

    def __init__(self, context: StudioContext) -> None:
        self._context = context
        self._starting = threading.Lock()
        self._started: subprocess.Popen[bytes] | None = None

    def ask(self, question: Callable[[Client], Answer]) -> Answer:
        """Ask, once more where the worker died of it or before.

        Args:
            question: What to ask of a client.

        Raises:
            AnswerError: If the worker refuses, or is alive and does not answer.
            StoreError: If there is none and none can be started.
        """
        client, asked = self._client()
        try:
            return question(client)
        except NoAnswerError:
            if find_server(self._context.store) == asked:
                raise
        return question(self._client()[0])

    @property
    def command(self) -> tuple[str, ...]:
        """The command line that starts the worker."""
        context = self._context
        return (
            *("hashbench", "serve", str(context.store), "--token"),
            *("--idle", str(_IDLE_SECONDS), "--device", context.device),
            *(word for root in context.data_roots for word in ("--data-root", str(root))),
            *(word for file in context.plugins for word in ("--plugin", str(file))),
        )

    def close(self) -> None:
        """End the worker if this link started it; whoever needs one starts another."""
        process, self._started = self._started, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)

    def _client(self) -> tuple[Client, Announcement]:
        found = find_server(self._context.store)
        if found is None:
            with self._starting:
                found = find_server(self._context.store) or self._start()
        return Client(found.port, found.token()), found

    def _start(self) -> Announcement:
        log = self._context.store / ".work" / "serve.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(f"search: cannot write {log}: {error.strerror or error}") from None
        try:
            process = self._launch(descriptor)
        finally:
            os.close(descriptor)
        if self._started is None:
            atexit.register(self.close)
        self._started = process
        return self._wait(process, log)

    def _launch(self, log: int) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - our own command, no shell
                [sys.executable, "-c", jobs.MAIN, *self.command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # it prints the token
                stderr=log,
                start_new_session=True,
                env=jobs.environment(),
            )
        except OSError as error:
            raise StoreError(f"search: the worker cannot be started: {error}") from None

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> Announcement:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if found := find_server(self._context.store):  # it, or one that was faster
                return found
            if process.poll() is not None and not is_claimed(self._context.store):
                raise StoreError(f"search: the worker did not start: {_last_line(log)}")
            time.sleep(_LOOK_SECONDS)
        process.kill()
        process.wait()
        raise StoreError(f"search: the worker did not start within {_START_SECONDS:g} s; see {log}")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace").split("\n")
    except OSError:
        lines = []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1].removeprefix("error: ") if said else "it said nothing"
