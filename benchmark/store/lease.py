"""Leases: which process works on a cell of a store, on any machine that shares the store's disk.

A cell's leases are numbered files in one folder, and the one with the highest number is valid. A
process takes the cell by creating the next number, which the file system allows only one process to
do. The holder increments a counter in its file. Clocks of different machines are never compared:
another process takes over if, by its own clock, the counter did not change for the period that the
holder wrote down. A holder that slept too long finds a higher number and stops.

A record is staged beside the leases under its lease's number, and only then renamed into the store.
A process that takes the cell over removes files staged under lower numbers before it reads the
store. A holder that slept just before the rename then has nothing left to rename.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hashbench.core.errors import LeaseLostError, StoreError
from hashbench.core.files import write_atomically

PERIOD = 20.0
"""Default seconds without a sign of life after which another run takes a cell over."""

_RELEASED = "released"
_STAGED = ".staged"
_DIGITS = 20  # the counter is overwritten in place, so that a full disk does not end a lease


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of a cell's newest lease, as another process reads it.

    Attributes:
        number: Its number; 0 if the cell was never taken.
        host, pid: Its holder.
        period: Seconds without a sign of life that end it.
        beat: The counter, or ``released``.
        at: Time of reading, on the reader's monotonic clock.
    """

    number: int = 0
    host: str = "?"
    pid: int = 0
    period: float = PERIOD
    beat: str = _RELEASED
    at: float = field(default=0.0, compare=False)

    @property
    def free(self) -> bool:
        """Whether the cell was never taken, or was released."""
        return self.beat == _RELEASED

    @property
    def holder_gone(self) -> bool:
        """Whether the holder was a process of this machine that no longer exists."""
        if self.host != socket.gethostname() or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def look(folder: Path) -> Seen:
    """Read the newest lease of a cell; one that cannot be read counts as held.

    Raises:
        StoreError: If the folder cannot be listed.
    """
    at = time.monotonic()  # before reading, so that a sleep here does not count as silence
    number = _highest(folder)
    if number == 0:
        return Seen(at=at)
    try:
        text = _file(folder, number).read_text(errors="replace")
    except FileNotFoundError:
        return Seen(number, beat="just replaced", at=at)
    except OSError as error:
        return Seen(number, beat=f"unreadable: {error.strerror}", at=at)
    about, _, beat = text.partition("\n")
    try:
        facts = json.loads(about)
        host, pid, period = str(facts["host"]), int(facts["pid"]), float(facts["period"])
    except (ValueError, KeyError, TypeError):
        return Seen(number, beat=f"damaged: {text}", at=at)
    return Seen(number, host, pid, period, beat.strip(), at)


@dataclass(slots=True, eq=False)
class Lease:
    """A lease that this process holds.

    Attributes:
        folder: Folder of the cell's leases.
        number: Number of this lease.
        period: Seconds without a sign of life that end it.
    """

    folder: Path
    number: int
    period: float
    _count: int = field(default=0, init=False)

    @property
    def held(self) -> bool:
        """Whether no other process took the cell over.

        Raises:
            StoreError: If the folder cannot be listed.
        """
        return _highest(self.folder) <= self.number

    def beat(self) -> bool:
        """Increment the counter, and return whether the lease is still valid.

        Raises:
            StoreError: If the counter cannot be written.
        """
        self._count += 1
        with suppress(FileNotFoundError):  # a process that took over removes the file
            self._write(f"{self._count}")
        return self.held

    def release(self) -> None:
        """Release the cell.

        Raises:
            StoreError: If the lease cannot be written.
        """
        with suppress(FileNotFoundError):
            self._write(_RELEASED)

    def publish(self, path: Path, data: bytes) -> None:
        """Write a file of the store, unless the cell was taken over in the meantime.

        Raises:
            LeaseLostError: If the cell was taken over; the file is not written then.
            StoreError: If it cannot be written.
        """
        staged = self.folder / f"{self.number:08d}{_STAGED}"
        try:
            write_atomically(path, data, staged=staged, check=self._check)
        except StoreError:
            self._check()  # the staged file may be missing because another process removed it
            raise

    def _check(self) -> None:
        if not self.held:
            raise LeaseLostError(f"{self.folder.name}: another run took the cell over")

    def _write(self, beat: str) -> None:
        file = _file(self.folder, self.number)
        try:
            # Opened anew each time, since closing makes a change visible on a network disk.
            with file.open("r+b") as opened:
                opened.seek(len(_about(self.period)))
                opened.write(beat.ljust(_DIGITS).encode())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"cannot write {file}: {error.strerror or error}") from error


def take(folder: Path, *, above: int, period: float = PERIOD) -> Lease | None:
    """Take a cell whose newest lease is released or silent.

    Args:
        folder: Folder of the cell's leases.
        above: Number of the newest lease.
        period: Seconds without a sign of life that end the new lease.

    Returns:
        The lease, or None if another process was faster.

    Raises:
        StoreError: If the store cannot be written.
    """
    file = _file(folder, above + 1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as opened:
            opened.write(_about(period) + b"0".ljust(_DIGITS))
    except FileExistsError:
        return None
    except OSError as error:
        with suppress(OSError):
            file.unlink()
        raise StoreError(
            f"cannot write {file}: {error.strerror or error}; make room or name another --store"
        ) from error
    lease = Lease(folder, above + 1, period)
    if not lease.held:  # leases were taken and released since it was read
        file.unlink()
        return None
    _clear_below(lease)
    return lease


def _clear_below(lease: Lease) -> None:
    """Remove past leases, and files that their holders staged."""
    for staged in lease.folder.glob(f"*{_STAGED}"):
        if int(staged.stem) < lease.number:
            try:
                staged.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"cannot remove {staged}: {error.strerror or error}") from error
    for number in _numbers(lease.folder):
        if number < lease.number:
            with suppress(OSError):
                _file(lease.folder, number).unlink()


class Watch:
    """Detects silent leases of other processes, by this machine's clock alone."""

    def __init__(self) -> None:
        self._since: dict[Path, tuple[Seen, float]] = {}

    def silent(self, folder: Path, seen: Seen) -> bool:
        """Whether a lease did not change for longer than its period since it was first read."""
        before, since = self._since.get(folder, (None, 0.0))
        if before != seen:
            self._since[folder] = (seen, seen.at)
            return False
        return seen.at - since > seen.period


def _about(period: float) -> bytes:
    about = {"host": socket.gethostname(), "period": period, "pid": os.getpid()}
    return json.dumps(about).encode() + b"\n"


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}"


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are all that is wanted
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"cannot read {folder}: {error.strerror or error}") from error
    return [int(name) for name in names if name.isdigit()]


def _highest(folder: Path) -> int:
    return max(_numbers(folder), default=0)
