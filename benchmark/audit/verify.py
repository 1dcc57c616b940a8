"""Check a store's records against each other, its codes and the installed protocols."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashbench.audit.findings import Audit, Subject
from hashbench.audit.left_out import NAME as LEFT_OUT
from hashbench.audit.left_out import read_left_out
from hashbench.audit.measurements import check_evaluation, entry_differences, histogram_differences
from hashbench.audit.protocols import data_differences, find_protocol, protocol_differences
from hashbench.audit.store_files import FIT_ID, StoreFiles, sort_files
from hashbench.core.codes import Codes
from hashbench.core.errors import DamagedStoreError, HashbenchError
from hashbench.core.record import (
    Artifact,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    Record,
    ReproductionRecord,
    Status,
)
from hashbench.judge.reproduce.reproduction_record import reproduction_differences
from hashbench.store.codes import NAME as CODES
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.store import (
    FORMAT,
    MARKER,
    Store,
    describe_irregular,
    read_sealed,
    record_name,
)


def verify_store(
    root: Path,
    *,
    deep: bool = False,
    data_root: Path | None = None,
    absent: Collection[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Audit a store; nothing is written.

    Args:
        root: The store's folder.
        deep: Whether to load datasets again, and to draw resampled databases again.
        data_root: The folder of datasets.
        absent: Artifacts that may be missing, by name (``codes``) or file (``FIT_ID/FILE``), beside
            those that the store's ``left-out.txt`` names.
        say: Called with the fit id of each cell before it is checked.

    Raises:
        StoreError: If there is no store.
    """
    has_cells = any(FIT_ID.fullmatch(fit_id) for fit_id in Store(root).fit_ids())
    if not has_cells and not (root / MARKER).is_file():
        Store.open(root)  # raises the error that fits
    audit, files = Audit(), sort_files(root)
    _check_marker(root, audit)
    cells = _read_records(root, files.records, audit)
    stated = _read_left_out(root, audit)
    settings = _Settings(Store(root), deep, data_root, frozenset(absent), stated)
    for fit_id in sorted(cells):
        say(fit_id)
        _CellAudit(settings, cells[fit_id], audit).check()
    _note_left_overs(root, files, cells, audit)
    audit.problems.sort()
    audit.notes.sort()
    return audit


@dataclass(frozen=True, slots=True)
class _Settings:
    store: Store
    deep: bool
    data_root: Path | None
    absent: frozenset[str]
    stated: frozenset[str]


def _check_marker(root: Path, audit: Audit) -> None:
    marker, content = root / MARKER, json.dumps(FORMAT)
    kind = describe_irregular(marker)
    if kind:
        what = f"is {kind}, not a regular file; replace it by a file with the content {content}"
    elif not os.path.lexists(marker):
        what = f"is missing; write a file with the content {content}"
    elif marker.read_bytes().strip() != content.encode():
        what = f"its content should be {content}"
    else:
        return
    audit.add_problem(Subject.RECORDS, MARKER, what)


def _read_records(root: Path, paths: Iterable[Path], audit: Audit) -> dict[str, list[Record]]:
    cells: dict[str, list[Record]] = defaultdict(list)
    for path in paths:
        audit.checked[Subject.RECORDS] += 1
        try:
            cells[path.parent.name].append(read_sealed(path))
        except DamagedStoreError as error:
            what = str(error).removeprefix(f"store: {path} ")
            audit.add_problem(Subject.RECORDS, str(path.relative_to(root)), what)
    return cells


def _read_left_out(root: Path, audit: Audit) -> frozenset[str]:
    try:
        return read_left_out(root)
    except DamagedStoreError as error:
        what = str(error).removeprefix(f"store: {root / LEFT_OUT} ")
        audit.add_problem(Subject.RECORDS, LEFT_OUT, what)
        return frozenset()


def _note_left_overs(
    root: Path, files: StoreFiles, cells: dict[str, list[Record]], audit: Audit
) -> None:
    named = {
        root / record.fit_id / artifact.file
        for records in cells.values()
        for record in records
        for artifact in record.artifacts.values()
    }
    kinds = (
        (files.temporary, "left behind by a process that was killed; may be deleted"),
        ([p for p in files.arrays if p not in named], "not named by any readable record"),
        (files.strange, "no part of a store; no command reads it"),
    )
    for paths, what in kinds:
        for path in paths:
            audit.add_note(str(path.relative_to(root)), what)
    folders = {path.relative_to(root).parts[:2] for path in files.work}
    for parts in folders:
        audit.add_note("/".join(parts), "checkpoints and log of a cell that has not finished")


@dataclass(slots=True)
class _CellAudit:
    """All records of one cell."""

    settings: _Settings
    records: list[Record]
    audit: Audit
    _fits: dict[str, FitRecord] = field(default_factory=dict)
    _codes: dict[str, EncodedSplit | None] = field(default_factory=dict)
    _whole: dict[tuple[str, str], bool] = field(default_factory=dict)

    def check(self) -> None:
        """Check the fits first, then the records made from them."""
        self._fits = {r.record_id: r for r in self.records if isinstance(r, FitRecord)}
        for record in self.records:
            for name in record.artifacts:
                self._is_whole(record, name)
        for fit in self._fits.values():
            self._check_fit(fit)
        for record in self.records:
            if not isinstance(record, FitRecord):
                self._check_later(record)

    def _wrong(self, subject: Subject, record: Record, what: str) -> None:
        self.audit.add_problem(subject, f"{record.fit_id}/{record_name(record)}", what)

    def _is_whole(self, record: Record, name: str) -> bool:
        """Whether an artifact exists and agrees with its record; each is checked once."""
        artifact = record.artifacts[name]
        key = (artifact.file, artifact.sha256)
        if key not in self._whole:
            self._whole[key] = self._check_artifact(record, artifact, name)
        return self._whole[key]

    def _check_artifact(self, record: Record, artifact: Artifact, name: str) -> bool:
        file = f"{record.fit_id}/{artifact.file}"
        path = self.settings.store.root / file
        stated = file in self.settings.stated
        if not path.is_file() and (stated or self.settings.absent & {file, name}):
            where = f" ({LEFT_OUT} says so)" if stated else ""
            self.audit.add_note(file, f"left out{where}; values computed from it are not checked")
            return False
        self.audit.checked[Subject.ARTIFACTS] += 1
        if not path.is_file():
            self.audit.add_problem(
                Subject.ARTIFACTS, file, f"is missing; {record_name(record)} names it"
            )
            return False
        try:
            self.settings.store.read_arrays(record.fit_id, artifact)
        except DamagedStoreError as error:
            what = str(error).removeprefix("store: ").replace(f"{path} ", "").replace(f"{path}", "")
            self.audit.add_problem(Subject.ARTIFACTS, file, what)
            return False
        if path.stat().st_size != artifact.bytes:
            self._wrong(
                Subject.ARTIFACTS,
                record,
                f"the size of {artifact.file} is not {artifact.bytes} bytes",
            )
        return True

    def _check_fit(self, fit: FitRecord) -> None:
        self.audit.checked[Subject.CELLS] += 1
        if fit.cell.fit_id != fit.fit_id:
            self._wrong(Subject.CELLS, fit, f"the id of its cell is {fit.cell.fit_id}")
        self._codes[fit.record_id] = self._load_codes(fit) if fit.status is Status.OK else None
        self._check_protocol(fit)
        if self.settings.deep and fit.data is not None:
            self._guarded(Subject.DATA, fit, self._check_data)

    def _load_codes(self, fit: FitRecord) -> EncodedSplit | None:
        artifact = fit.artifacts.get(CODES)
        if artifact is None or fit.data is None:
            self._wrong(Subject.CODES, fit, "was successful, but names no codes or no data")
            return None
        if not self._is_whole(fit, CODES):
            return None
        self.audit.checked[Subject.CODES] += 1
        try:
            encoded = load_codes(self.settings.store, fit)
        except (HashbenchError, KeyError, ValueError) as error:
            self._wrong(Subject.CODES, fit, f"{artifact.file}: {error}")
            return None
        for role, side in (("query", encoded.query), ("database", encoded.database)):
            if len(side) != fit.data.sizes.get(role):
                self._wrong(
                    Subject.CODES,
                    fit,
                    f"{len(side)} {role} codes of {fit.data.sizes.get(role)} images",
                )
        return encoded

    def _check_protocol(self, fit: FitRecord) -> None:
        spec = find_protocol(fit.cell.data.protocol)
        if spec is None:
            self.audit.add_note(
                f"{fit.fit_id}/{record_name(fit)}",
                f"protocol {fit.cell.data.protocol} is not installed, so it is not checked",
            )
            return
        self.audit.checked[Subject.PROTOCOLS] += 1
        for what in protocol_differences(fit.cell.data, fit.data, spec):
            self._wrong(Subject.PROTOCOLS, fit, what)

    def _check_data(self, fit: Any) -> None:
        self.audit.checked[Subject.DATA] += 1
        encoded = self._codes[fit.record_id]
        root = self.settings.data_root
        for what in data_differences(fit.cell.data, fit.data, encoded, root=root):
            self._wrong(Subject.DATA, fit, what)

    def _check_later(self, record: Record) -> None:
        assert not isinstance(record, FitRecord)  # noqa: S101 - its caller checked
        fit = self._fits.get(record.fit_record)
        if fit is None:
            self._wrong(Subject.RECORDS, record, f"its fit {record.fit_record} is missing")
        elif record.status is not Status.OK:
            return
        elif isinstance(record, EvaluationRecord):
            self._guarded(Subject.METRICS, record, lambda _: self._check_evaluation(record, fit))
        elif isinstance(record, LatencyRecord):
            self._guarded(Subject.LATENCY, record, lambda _: self._check_latency(record, fit))
        else:
            self._check_reproduction(record, fit)

    def _guarded(self, subject: Subject, record: Record, check: Callable[[Any], None]) -> None:
        """Run a check; an error while computing is a problem like any other."""
        try:
            check(record)
        except (HashbenchError, KeyError, ValueError) as error:
            self._wrong(subject, record, str(error))

    def _arrays(self, record: Record, name: str) -> dict[str, Any] | None:
        artifact = record.artifacts.get(name)
        if artifact is None or not self._is_whole(record, name):
            return None
        return self.settings.store.read_arrays(record.fit_id, artifact)

    def _check_evaluation(self, record: EvaluationRecord, fit: FitRecord) -> None:
        encoded = self._codes[fit.record_id]
        if encoded is None:
            return
        if record.metrics and "per_query" not in record.artifacts:
            self._wrong(Subject.ARRAYS, record, "names no per-query values")
        check_evaluation(
            record,
            fit,
            encoded,
            arrays=self._arrays(record, "per_query"),
            file=f"{record.fit_id}/{record_name(record)}",
            audit=self.audit,
        )

    def _check_latency(self, record: LatencyRecord, fit: FitRecord) -> None:
        encoded = self._codes[fit.record_id]
        self.audit.checked[Subject.LATENCY] += len(record.entries)
        for entry in record.entries:
            for what in entry_differences(entry, encoded):
                self._wrong(Subject.LATENCY, record, f"{entry.setting.engine}: {what}")
        counts = self._arrays(record, "distances")
        if counts is None or encoded is None or not isinstance(encoded.query, Codes):
            return
        self.audit.checked[Subject.HISTOGRAMS] += len(counts)
        about = self.settings.store.read_metadata(record.fit_id, record.artifacts["distances"])
        found = histogram_differences(counts, about, encoded, resampled=self.settings.deep)
        for what in found:
            self._wrong(Subject.HISTOGRAMS, record, what)

    def _check_reproduction(self, record: ReproductionRecord, fit: FitRecord) -> None:
        self.audit.checked[Subject.REPRODUCTIONS] += 1
        evaluations = [each for each in self.records if isinstance(each, EvaluationRecord)]
        for what in reproduction_differences(record, fit, evaluations):
            self._wrong(Subject.REPRODUCTIONS, record, what)
