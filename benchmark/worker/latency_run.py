"""Measure search engines on the codes of a record, and on larger databases resampled from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.environment import capture
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.job import LatencySetting
from hashbench.core.record import (
    FitRecord,
    LatencyEntry,
    LatencyRecord,
    SkippedEngine,
    Status,
    timestamp,
)
from hashbench.core.registry import Registry
from hashbench.search.isolation import SkippedError, run_trial
from hashbench.search.latency import LatencyResult
from hashbench.search.recall import ExactAnswers
from hashbench.search.resample import Resampling, resample
from hashbench.search.scan import distance_histogram
from hashbench.search.trial import TRIAL, Trial
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.model import has_model
from hashbench.store.store import Store
from hashbench.worker.building import resolve_device
from hashbench.worker.encoder import Encoder
from hashbench.worker.end_to_end import time_whole_queries, write_queries
from hashbench.worker.measure import (
    build_engine,
    engine_sources,
    latency_entry,
    query_plans,
    settings_by_index,
)


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """The measurements that `hashbench latency` makes, and their limits.

    Attributes:
        sizes: Sizes of the resampled databases, measured beside the record's own.
        max_build: Seconds that building one index may take.
        max_memory: Bytes that the process with one index may take.
        seed: Seed of the resampling.
        redraw: Probability that a bit of a resampled code may change.
        plugins: Plugin files, resolved.
    """

    settings: tuple[LatencySetting, ...]
    sizes: tuple[int, ...] = ()
    max_build: float = 120.0
    max_memory: int = 8 * 2**30
    seed: int = 0
    redraw: float = 1.0
    resampling: Resampling = Resampling.FLIP
    data_root: Path | None = None
    plugins: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of a plan.

    Attributes:
        skipped: Engines that were not measured, and why.
        histograms: By database size, the pairs of a query and a code at each distance.
    """

    entries: list[LatencyEntry] = field(default_factory=list)
    skipped: list[SkippedEngine] = field(default_factory=list)
    histograms: dict[int, NDArray[np.int64]] = field(default_factory=dict)


def measure_record(
    store: Store,
    fit: FitRecord,
    plan: LatencyPlan,
    registry: Registry,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[LatencyRecord, Measured]:
    """Measure a plan on the codes of a fit, and write the record.

    Returns:
        The record, and the measurements in it.

    Raises:
        DataError: If the record has embeddings, which engines do not search.
        ConfigError: If a size is not above that of the record's own database.
        StoreError: If the record cannot be written.
    """
    encoded, started = load_codes(store, fit), timestamp()
    run = _LatencyRun(fit, plan, registry, say, encoded, *_codes_of(fit, encoded, plan))
    sources = engine_sources(plan.settings, registry)
    environment = capture(device="cpu", threads=plan.settings[0].threads)
    for size in (None, *plan.sizes):
        run.measure_size(size)
    measured = run.measured
    if has_model(fit):
        measured.entries.extend(run.measure_whole_queries(store))
    arrays = {str(size): counts for size, counts in measured.histograms.items()}
    about = {"seed": str(plan.seed), "redraw": str(plan.redraw), "resampling": plan.resampling}
    artifact = store.write_arrays(fit.fit_id, "distances", arrays, metadata=about)
    record = LatencyRecord(
        fit_id=fit.fit_id,
        fit_record=fit.record_id,
        status=Status.OK,
        environment=environment,
        sources=sources,
        started=started,
        finished=timestamp(),
        artifacts={"distances": artifact},
        entries=measured.entries,
        skipped=measured.skipped,
    )
    return store.write_record(record), measured


def _codes_of(fit: FitRecord, encoded: EncodedSplit, plan: LatencyPlan) -> tuple[Codes, Codes]:
    """Return queries and database, checked against the plan."""
    query, database = encoded.query, encoded.database
    if not isinstance(query, Codes) or not isinstance(database, Codes):
        raise DataError(f"record {fit.record_id}: {fit.cell} has embeddings; engines search codes")
    small = [f"{size:,}" for size in plan.sizes if size <= len(database)]
    if small:
        raise ConfigError(
            f"--size {', '.join(small)}: record {fit.record_id} has {len(database):,} "
            f"codes already; give more"
        )
    return query, database


@dataclass(frozen=True, slots=True, eq=False)
class _LatencyRun:
    """The measurements of one record, collected in `measured`."""

    fit: FitRecord
    plan: LatencyPlan
    registry: Registry
    say: Callable[[str], None]
    encoded: EncodedSplit
    query: Codes
    own: Codes
    measured: Measured = field(default_factory=Measured)

    def measure_size(self, size: int | None) -> None:
        """Measure every engine on the record's database, or on one resampled to a size."""
        database = self.own if size is None else self._resampled(size)
        self.measured.histograms[len(database)] = distance_histogram(self.query, database)
        exact = ExactAnswers(self.query, database)
        exact.prepare(max(setting.k for setting in self.plan.settings))
        resampled_from = None if size is None else len(self.own)
        with TemporaryDirectory(prefix="hashbench-latency-") as name:
            folder = Path(name)
            np.save(folder / "query.npy", self.query.packed)
            np.save(folder / "database.npy", database.packed)
            np.save(folder / "exact.npy", exact.distances)
            for group in settings_by_index(self.plan.settings):
                first = group[0]
                self.say(f"{first.engine} on {len(database):,} codes")
                try:
                    for setting, result in self._measure_group(group, len(database), folder):
                        entry = latency_entry(setting, result, resampled_from=resampled_from)
                        self.measured.entries.append(entry)
                except SkippedError as why:
                    self.say(f"{first.engine} skipped: {why}")
                    skipped = SkippedEngine(
                        engine=first.engine,
                        params=dict(first.params),
                        database=len(database),
                        why=str(why),
                    )
                    self.measured.skipped.append(skipped)

    def _resampled(self, size: int) -> Codes:
        self.say(f"resampling {len(self.own):,} codes to {size:,}")
        return resample(
            self.own,
            self.encoded.database_labels,
            size,
            seed=self.plan.seed,
            redraw=self.plan.redraw,
            way=self.plan.resampling,
        )

    def _measure_group(
        self, group: Sequence[LatencySetting], items: int, folder: Path
    ) -> Iterator[tuple[LatencySetting, LatencyResult]]:
        """Measure the settings that share an index, in a process of their own."""
        engine, first = build_engine(group[0], self.registry), group[0]
        refused = engine.refusals(engine.params, bits=self.own.bits, items=items)
        if refused:
            raise SkippedError("; ".join(refused))
        trial = Trial(
            engine=first.engine,
            params=dict(first.params),
            threads=first.threads,
            bits=self.own.bits,
            query=folder / "query.npy",
            database=folder / "database.npy",
            exact=folder / "exact.npy",
            workloads=tuple(query_plans(group)),
            plugins=self.plan.plugins,
        )
        file = folder / "trial.json"
        file.write_bytes(TRIAL.dump_json(trial))
        plan = self.plan
        results = run_trial(file, max_build=plan.max_build, max_memory=plan.max_memory)
        for setting, fields in zip(group, results, strict=False):
            yield setting, LatencyResult(**fields)

    def measure_whole_queries(self, store: Store) -> Iterator[LatencyEntry]:
        """Measure queries from the image file to the answer of an exact scan."""
        first = self.plan.settings[0]
        setting = LatencySetting("exact", first.k, 1, 1, {}, first.samples, first.seconds)
        engine = build_engine(setting, self.registry)
        with TemporaryDirectory(prefix="hashbench-queries-") as folder:
            try:
                files = write_queries(self.fit, Path(folder), root=self.plan.data_root)
            except DataError as error:
                self.say(f"queries from image files skipped: {error}")
                return
            self.say(f"{len(files)} queries from image files")
            engine.build(self.own)
            load = capture(device="cpu", threads=1).load_average
            times = time_whole_queries(
                Encoder(store, self.fit, self.registry, device=resolve_device("cpu")),
                engine,
                files,
                k=setting.k,
                samples=setting.samples,
                seconds=setting.seconds,
            )
        yield LatencyEntry(
            setting=setting,
            threads_used=self.fit.environment.threads,
            bits=self.own.bits,
            database=len(self.own),
            build_seconds=0.0,
            index_bytes=engine.bytes,
            load_average=load,
            **times,
        )
