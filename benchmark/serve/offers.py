"""What a store offers for search: the fits whose model and codes lie in it, as it is now."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from hashbench.core.errors import DamagedStoreError, StoreError
from hashbench.core.record import EvaluationRecord, FitRecord, Status
from hashbench.serve.refusal import Refusal
from hashbench.store import codes, model
from hashbench.store.store import Store

_FIT_ID = re.compile(r"[0-9a-f]{16}")
_WORD = re.compile(r"[0-9a-f]{1,16}")
_SHOWN = 5
# A folder that changed so short a time before it was read may change again at the same time stamp.
_UNSETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A fit that can be searched.

    Attributes:
        fit: The newest good fit of its cell whose model and codes are there.
        metrics: Values of its evaluations by name, the newest of each.
    """

    fit: FitRecord
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Folder:
    """What a cell's folder held when it was read; ``problem`` is why it could not be."""

    changed_ns: int
    read_ns: int
    offer: Offer | None = None
    problem: str = ""

    def holds_for(self, changed_ns: int) -> bool:
        settled = self.read_ns - changed_ns > _UNSETTLED_NS
        return settled and changed_ns == self.changed_ns


class Offers:
    """The offers of a store; a folder is read again when it has changed.

    Args:
        store: The store.

    Attributes:
        store: The same.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._folders: dict[str, _Folder] = {}
        self._lock = threading.Lock()

    def all(self) -> list[Offer]:
        """Every offer, by fit id.

        Raises:
            StoreError: If the store's folder cannot be read.
        """
        return [folder.offer for _, folder in sorted(self._now().items()) if folder.offer]

    def problems(self) -> list[str]:
        """One line for each folder with a damaged record, which is not offered."""
        return [folder.problem for _, folder in sorted(self._now().items()) if folder.problem]

    def find(self, word: str) -> Offer:
        """The offer of a fit id or a fit's record id, or of the start of one.

        Raises:
            Refusal: 404 if there is none, 409 if it may be several.
            StoreError: If the store's folder cannot be read.
        """
        if not _WORD.fullmatch(word):
            raise Refusal(HTTPStatus.NOT_FOUND, f"method {word[:40]!r}: ids are hexadecimal")
        found = [
            offer
            for offer in self.all()
            if offer.fit.fit_id.startswith(word) or offer.fit.record_id.startswith(word)
        ]
        if not found:
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                f"method {word}: the store has no such fit with its model and codes; /v1/methods "
                f"lists those it has, execute: {{keep_model: true}} makes a run keep models",
            )
        if len(found) > 1:
            names = ", ".join(f"{offer.fit.fit_id} ({offer.fit.cell})" for offer in found[:_SHOWN])
            raise Refusal(HTTPStatus.CONFLICT, f"method {word}: may be {names}; write more of it")
        return found[0]

    def forget(self) -> None:
        """Read every folder again the next time."""
        with self._lock:
            self._folders = {}

    def _now(self) -> dict[str, _Folder]:
        with self._lock:
            try:
                with os.scandir(self.store.root) as entries:
                    changed = {
                        entry.name: entry.stat().st_mtime_ns
                        for entry in entries
                        if _FIT_ID.fullmatch(entry.name) and entry.is_dir()
                    }
            except OSError as error:
                raise StoreError(
                    f"store: cannot read {self.store.root}: {error.strerror or error}"
                ) from None
            self._folders = {
                fit_id: self._kept(fit_id, changed_ns) or self._read(fit_id, changed_ns)
                for fit_id, changed_ns in changed.items()
            }
            return self._folders

    def _kept(self, fit_id: str, changed_ns: int) -> _Folder | None:
        known = self._folders.get(fit_id)
        return known if known and known.holds_for(changed_ns) else None

    def _read(self, fit_id: str, changed_ns: int) -> _Folder:
        now = time.time_ns()
        try:
            return _Folder(changed_ns, now, self._offer(fit_id))
        except DamagedStoreError as error:
            return _Folder(changed_ns, now, problem=str(error))

    def _offer(self, fit_id: str) -> Offer | None:
        records = list(self.store.records(fit_id))
        fits = [r for r in records if isinstance(r, FitRecord) and self._is_whole(r)]
        if not fits:
            return None
        fit = fits[-1]
        metrics = {
            name: entry.value
            for record in records
            if isinstance(record, EvaluationRecord)
            and (record.fit_record, record.status) == (fit.record_id, Status.OK)
            for name, entry in record.metrics.items()
        }
        return Offer(fit, metrics)

    def _is_whole(self, fit: FitRecord) -> bool:
        """Whether a fit went well and what a search needs of it lies there."""
        artifacts = [fit.artifacts.get(name) for name in (model.NAME, codes.NAME)]
        return fit.status is Status.OK and all(
            artifact and (self.store.root / fit.fit_id / artifact.file).is_file()
            for artifact in artifacts
        )
