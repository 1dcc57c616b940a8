"""The store's list of cells submitted to Slurm, so that any login node knows of them.

``.slurm/open/<fit id>.json`` says in which job array a cell is and at what place. It goes to
``.slurm/ended`` once the cell's records are in the store; the node does that, or whoever finds the
job lost. ``.slurm/arrays/<name>.json`` holds the id that Slurm gave the array. The name is made
here and is the job's name, so that an array is found even if this process died before Slurm had
answered.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from hashbench.core.cell import Cell
from hashbench.core.errors import DamagedStoreError, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.record import timestamp
from hashbench.store.store import Store

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Array:
    """A job array.

    Attributes:
        name: Its job name, which no other has.
        size: How many cells are in it; one alone is no array but a plain job.
        cluster: The name of the cluster it was submitted to.
        job_id: Its id in Slurm; empty until Slurm has answered.
        submitted: When.
    """

    name: str
    size: int
    cluster: str
    job_id: str = ""
    submitted: str = field(default_factory=timestamp)

    @classmethod
    def new(cls, size: int, cluster: str) -> Array:
        """Make one with a name of its own."""
        return cls(f"hashbench-{secrets.token_hex(5)}", size, cluster)


@dataclass(frozen=True, slots=True)
class Place:
    """A cell's place in an array, as its file has it.

    Attributes:
        array: The array's name.
        index: The place.
        label: What the cell is, for people.
        records: The file names of its records that count, once it has ended: through a network's
            caches they may be seen later than this.
    """

    array: str
    index: int
    label: str
    records: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Submitted:
    """A cell that was submitted to Slurm."""

    fit_id: str
    place: Place
    array: Array

    @property
    def job_id(self) -> str:
        """The id of its job; empty if Slurm has not answered."""
        whole = self.array.job_id
        return f"{whole}_{self.place.index}" if whole and self.array.size > 1 else whole

    def __str__(self) -> str:
        return f"Slurm job {self.job_id or self.array.name} on cluster {self.array.cluster}"


_ARRAY, _PLACE = TypeAdapter(Array), TypeAdapter(Place)


class Ledger:
    """The list of one store."""

    def __init__(self, store: Store) -> None:
        root = store.root.resolve() / ".slurm"
        self._open, self._ended, self._arrays = root / "open", root / "ended", root / "arrays"
        self._events = root / "events"
        self._answered: dict[str, Array] = {}
        self.jobs = root / "jobs"
        """The folder of the jobs' files: their pickled cells and their output."""

    def open_cells(self) -> set[str]:
        """Return the ids of the cells that were submitted and have not ended.

        Raises:
            StoreError: If the list cannot be read.
        """
        try:
            names = os.listdir(self._open)  # noqa: PTH208 - thousands, and names are all we want
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise StoreError(f"cannot read {self._open}: {error.strerror or error}") from error
        return {name.removesuffix(".json") for name in names if not name.startswith(".")}

    def find(self, fit_id: str) -> Submitted | None:
        """Return the entry of a cell that has not ended; None if it was not submitted.

        Raises:
            DamagedStoreError: If its files are not what was written.
        """
        place = _read(self._open / f"{fit_id}.json", _PLACE)
        return None if place is None else self._entry(fit_id, place)

    def last(self, fit_id: str) -> Submitted | None:
        """Return the newest entry of a cell, ended or not.

        Raises:
            DamagedStoreError: If its files are not what was written.
        """
        place = _read(self._ended / f"{fit_id}.json", _PLACE)
        return self.find(fit_id) or (None if place is None else self._entry(fit_id, place))

    def open(self, array: Array, cells: Sequence[Cell]) -> list[Submitted]:
        """Add cells, before sbatch is called on their array.

        Raises:
            StoreError: If it cannot be written.
        """
        self.note(array)
        self.events(array, "").parent.mkdir(parents=True, exist_ok=True)
        submitted = []
        for index, cell in enumerate(cells):
            place = Place(array.name, index, str(cell))
            write_atomically(self._open / f"{cell.fit_id}.json", _PLACE.dump_json(place))
            submitted.append(Submitted(cell.fit_id, place, array))
        return submitted

    def note(self, array: Array) -> None:
        """Write the file of an array, with its id once Slurm has answered.

        Raises:
            StoreError: If it cannot be written.
        """
        write_atomically(self._arrays / f"{array.name}.json", _ARRAY.dump_json(array))

    def close(self, fit_id: str, records: Collection[str] = ()) -> None:
        """Move a cell to those that have ended, with the file names of its records.

        Raises:
            StoreError: If it cannot be written.
        """
        found = self.find(fit_id)
        if found is None:  # another process did it
            return
        place = replace(found.place, records=tuple(sorted(records)))
        write_atomically(self._ended / f"{fit_id}.json", _PLACE.dump_json(place))
        self.forget(fit_id)

    def forget(self, fit_id: str) -> None:
        """Take a cell off the list, as if it had not been submitted.

        Raises:
            StoreError: If that cannot be written.
        """
        file = self._open / f"{fit_id}.json"
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot write {file}: {error.strerror or error}") from error

    def tidy(self) -> None:
        """Remove files that are not needed once no cell is open."""
        if self.open_cells():
            return
        shutil.rmtree(self._events, ignore_errors=True)
        for file in self.jobs.glob("*.pkl"):
            file.unlink(missing_ok=True)

    def events(self, array: Array, fit_id: str) -> Path:
        """Return the file to which the node writes the events of a cell's worker."""
        return self._events / array.name / f"{fit_id}.jsonl"

    def output(self, submitted: Submitted) -> Path:
        """Return the file of a cell's job output."""
        return self.jobs / f"{submitted.job_id}_0_log.out"

    def _entry(self, fit_id: str, place: Place) -> Submitted:
        array = self._answered.get(place.array)
        if array is None:
            array = _read(self._arrays / f"{place.array}.json", _ARRAY)
        if array is not None and array.job_id:
            self._answered[place.array] = array
        # A store that was copied without this file: nobody knows of such a job any more.
        return Submitted(fit_id, place, array or Array(place.array, place.index + 1, "unknown"))


def _read(file: Path, kind: TypeAdapter[_Kind]) -> _Kind | None:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    try:
        return kind.validate_json(data)
    except ValidationError:
        raise DamagedStoreError(
            f"store: {file} is damaged; cancel the cell's job and remove the file"
        ) from None
