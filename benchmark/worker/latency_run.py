"""Engines measured on a record's codes, and on larger databases resampled from them."""

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
from hashbench.core.registry import Kind, Registry
from hashbench.core.sources import package_sha256
from hashbench.search.distances import distance_histogram
from hashbench.search.isolation import SkippedError, run_trial
from hashbench.search.latency import Ask, LatencyResult
from hashbench.search.recall import ExactAnswers
from hashbench.search.resample import Resampling, resample
from hashbench.search.trial import TRIAL, Trial
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.model import has_model
from hashbench.store.store import Store
from hashbench.worker.building import resolve_device
from hashbench.worker.encoder import Encoder
from hashbench.worker.end_to_end import time_whole_queries, write_queries
from hashbench.worker.measure import build_engine, latency_entry, settings_by_index


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """What is measured, and how much it may take.

    Attributes:
        settings: Engines and how they are asked.
        sizes: Databases to resample, beside the record's own.
        max_build: Seconds that building one index may take.
        max_memory: Bytes that the process with one index may take.
        seed: Of the resampling.
        redraw: Probability that a bit of a resampled code may change.
        resampling: How it is changed.
        data_root: Where datasets are looked for.
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
    """What came of a plan.

    Attributes:
        entries: The measurements.
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
    """Measure, and keep the record.

    Args:
        store: Where the fit is and the record goes.
        fit: The fit.
        plan: What to measure.
        registry: Where engines are looked up.
        say: Hears of progress, a line at a time.

    Returns:
        The record, and what is in it.

    Raises:
        DataError: If the record has embeddings, which engines do not search.
        ConfigError: If a size is not above that of the record's own database.
        StoreError: If the record cannot be written.
    """
    encoded, started = load_codes(store, fit), timestamp()
    if not isinstance(encoded.query, Codes) or not isinstance(encoded.database, Codes):
        raise DataError(f"record {fit.record_id}: {fit.cell} has embeddings; engines search codes")
    small = [f"{size:,}" for size in plan.sizes if size <= len(encoded.database)]
    if small:
        raise ConfigError(
            f"--size {', '.join(small)}: record {fit.record_id} has {len(encoded.database):,} "
            f"codes already; give more"
        )
    names = sorted({setting.engine for setting in plan.settings})
    sources = {f"engines/{n}": registry.get(Kind.ENGINE, n).source_sha256() for n in names}
    sources["search"] = package_sha256("hashbench.search")
    environment = capture(device="cpu", threads=plan.settings[0].threads)
    measured = Measured()
    for size in (None, *plan.sizes):
        _measure_size(encoded, plan, registry, measured, size=size, say=say)
    if has_model(fit):
        measured.entries.extend(_whole_queries(store, fit, plan, registry, say=say))
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


def _measure_size(
    encoded: EncodedSplit,
    plan: LatencyPlan,
    registry: Registry,
    measured: Measured,
    *,
    size: int | None,
    say: Callable[[str], None],
) -> None:
    """Measure every engine on the record's database, or on one resampled to a size."""
    query, database = encoded.query, encoded.database
    assert isinstance(query, Codes) and isinstance(database, Codes)  # noqa: S101 - seen before
    own = len(database)
    if size is not None:
        say(f"resampling {own:,} codes to {size:,}")
        database = resample(
            database,
            encoded.database_labels,
            size,
            seed=plan.seed,
            redraw=plan.redraw,
            way=plan.resampling,
        )
    measured.histograms[len(database)] = distance_histogram(query, database)
    exact = ExactAnswers(query, database)
    exact.prepare(max(setting.k for setting in plan.settings))
    with TemporaryDirectory(prefix="hashbench-latency-") as name:
        folder = Path(name)
        np.save(folder / "query.npy", query.packed)
        np.save(folder / "database.npy", database.packed)
        np.save(folder / "exact.npy", exact.distances)
        for group in settings_by_index(plan.settings):
            say(f"{group[0].engine} on {len(database):,} codes")
            resampled_from = None if size is None else own
            try:
                for entry in _measure_group(
                    group, database, plan, registry, folder=folder, resampled_from=resampled_from
                ):
                    measured.entries.append(entry)
            except SkippedError as why:
                say(f"{group[0].engine} skipped: {why}")
                measured.skipped.append(_skipped(group[0], len(database), str(why)))


def _measure_group(
    group: Sequence[LatencySetting],
    database: Codes,
    plan: LatencyPlan,
    registry: Registry,
    *,
    folder: Path,
    resampled_from: int | None,
) -> Iterator[LatencyEntry]:
    engine = build_engine(group[0], registry)
    refused = engine.refusals(engine.params, bits=database.bits, items=len(database))
    if refused:
        raise SkippedError("; ".join(refused))
    trial = Trial(
        engine=group[0].engine,
        params=dict(group[0].params),
        threads=group[0].threads,
        bits=database.bits,
        query=folder / "query.npy",
        database=folder / "database.npy",
        exact=folder / "exact.npy",
        asked=tuple(Ask(each.k, each.batch, each.samples, each.seconds) for each in group),
        plugins=plan.plugins,
    )
    file = folder / "trial.json"
    file.write_bytes(TRIAL.dump_json(trial))
    results = run_trial(file, max_build=plan.max_build, max_memory=plan.max_memory)
    for setting, fields in zip(group, results, strict=False):
        yield latency_entry(setting, LatencyResult(**fields), resampled_from=resampled_from)


def _skipped(setting: LatencySetting, size: int, why: str) -> SkippedEngine:
    return SkippedEngine(engine=setting.engine, params=dict(setting.params), database=size, why=why)


def _whole_queries(
    store: Store,
    fit: FitRecord,
    plan: LatencyPlan,
    registry: Registry,
    *,
    say: Callable[[str], None],
) -> Iterator[LatencyEntry]:
    """Queries from the image file on, by the exact scan over the record's own codes."""
    encoded = load_codes(store, fit)
    assert isinstance(encoded.database, Codes)  # noqa: S101 - seen before
    first = plan.settings[0]
    setting = LatencySetting("exact", first.k, 1, 1, {}, first.samples, first.seconds)
    engine = build_engine(setting, registry)
    device = resolve_device("cpu")
    with TemporaryDirectory(prefix="hashbench-queries-") as folder:
        try:
            files = write_queries(fit, Path(folder), root=plan.data_root)
        except DataError as error:
            say(f"queries from the image file skipped: {error}")
            return
        say(f"{len(files)} queries from the image file on")
        engine.build(encoded.database)
        load = capture(device="cpu", threads=1).load_average
        times = time_whole_queries(
            Encoder(store, fit, registry, device=device),
            engine,
            files,
            k=setting.k,
            samples=setting.samples,
            seconds=setting.seconds,
        )
    yield LatencyEntry(
        setting=setting,
        threads_used=fit.environment.threads,
        bits=encoded.database.bits,
        database=len(encoded.database),
        build_seconds=0.0,
        index_bytes=engine.bytes,
        load_average=load,
        **times,
    )
