"""Where a store's search worker is, for those who want to ask it: ``STORE/.work/serve.json``.

A worker holds a lock on that very file for as long as it lives, and the kernel gives it back
however the worker ends: an announcement that nobody locks is stale. That a store has one worker is
the matter of another lock, on the file beside it, which is there before anything is announced.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from hashbench.core.errors import ConfigError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX, write_atomically

LOOPBACK = "127.0.0.1"
_FOLDER = ".work"
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Announcement:
    """A running worker.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        pid: Its process.
        started: When, UTC, ISO 8601.
        machine: The name of the host, since a store may lie on a disk that several share.
        token_file: The file with the token that every request needs; None if none is needed.
        version: Of this format.
    """

    port: int
    pid: int
    started: str
    machine: str
    token_file: str | None = None
    version: int = 1

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://{LOOPBACK}:{self.port}"

    def token(self) -> str | None:
        """The token to send, if one is needed.

        Raises:
            StoreError: If its file cannot be read.
        """
        if self.token_file is None:
            return None
        try:
            return Path(self.token_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(
                f"cannot read {self.token_file}: {error}; it is the owner's only"
            ) from None


def announcement_file(root: Path) -> Path:
    """Where a store's worker is announced."""
    return root / _FOLDER / "serve.json"


def find_server(root: Path) -> Announcement | None:
    """The living worker of a store on this machine; None if there is none.

    A stale announcement, of a worker that was killed, is no worker; the next one replaces it.

    Args:
        root: The store's folder.
    """
    try:
        with announcement_file(root).open("rb") as file:
            found = Announcement(**json.loads(file.read()))
            alive = _is_locked(file)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return found if alive and found.machine == socket.gethostname() else None


def is_claimed(root: Path) -> bool:
    """Whether a process is a store's worker, or about to be announced as one.

    Args:
        root: The store's folder.
    """
    try:
        with _lock_file(root).open("rb") as file:
            return _is_locked(file)
    except OSError:
        return False


def check_not_served(root: Path) -> None:
    """See whether `claim` would be refused, before anything that takes long.

    Raises:
        ConfigError: If another process serves the store.
    """
    if found := find_server(root):
        raise _served(root, found)


class Claim:
    """A store's only worker, as long as the block of `claim` runs.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: BinaryIO | None = None

    def announce(self, *, port: int, started: str, token: str | None) -> Announcement:
        """Say where the worker is, once.

        Args:
            port: Where it listens.
            started: When, UTC, ISO 8601.
            token: What every request must bring, if anything; written for the owner's eyes only.

        Raises:
            StoreError: If that cannot be written.
        """
        secret, path = _token_file(self._root), announcement_file(self._root)
        if token is not None:
            _write_secret(secret, token)
        file = str(secret.resolve()) if token is not None else None
        made = Announcement(port, os.getpid(), started, socket.gethostname(), file)
        write_atomically(path, json.dumps(asdict(made), indent=1).encode() + b"\n")
        try:
            self._held = path.open("r+b")
            fcntl.flock(self._held, fcntl.LOCK_EX)  # from here on it is found
        except OSError as error:
            raise StoreError(f"cannot lock {path}: {error.strerror or error}") from None
        return made

    def end(self) -> None:
        """Take back what was announced."""
        with suppress(OSError):
            announcement_file(self._root).unlink(missing_ok=True)
            _token_file(self._root).unlink(missing_ok=True)
        if self._held is not None:
            self._held.close()


@contextmanager
def claim(root: Path) -> Iterator[Claim]:
    """Be the only worker of a store while the block runs; what is announced goes at its end.

    Raises:
        ConfigError: If another process serves the store.
        StoreError: If its folder cannot be written.
    """
    path = _lock_file(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None
    if descriptor is None:
        raise _served(root, find_server(root))
    held = Claim(root)
    try:
        yield held
    finally:
        held.end()
        with suppress(OSError):
            path.unlink(missing_ok=True)  # while it is still held
            path.parent.rmdir()  # where nothing else lies in it
        os.close(descriptor)


def new_token() -> str:
    """A random token for one worker's life."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _served(root: Path, found: Announcement | None) -> ConfigError:
    where = f" by process {found.pid} at {found.url}" if found else ""
    return ConfigError(f"serve: {root} is served already{where}; use that one, or end it")


def _token_file(root: Path) -> Path:
    return root / _FOLDER / "serve.token"


def _lock_file(root: Path) -> Path:
    return root / _FOLDER / "serve.lock"


def _locked(path: Path) -> int | None:
    """Open and lock a file; None if somebody else holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        # Its last holder may have removed it just now; then a newer file is the lock.
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def _is_locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _write_secret(path: Path, text: str) -> None:
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None
