"""Train the method of a cell, encode query and database, and store the codes."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hashbench.core.cell import Cell
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.energy import Energy
from hashbench.core.job import Job
from hashbench.core.record import Artifact, Budget, DataFacts, TrainingSpeed
from hashbench.core.registry import Registry
from hashbench.core.sources import source_digests
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.methods.interface import FitReport, Method, TrainContext, TrainView
from hashbench.methods.keepable import KeepableMethod
from hashbench.store.codes import EncodedSplit, save_codes
from hashbench.store.model import KeptModel, save_model
from hashbench.store.store import Store
from hashbench.training.deep import DeepHashMethod
from hashbench.training.feature_cache import FeatureCache
from hashbench.training.phases import PhaseClock
from hashbench.training.utilisation import measure_speed
from hashbench.worker.building import build_method, require_keepable, restore_method
from hashbench.worker.cell_data import CellData
from hashbench.worker.energy import EnergyMeter, find_sensor
from hashbench.worker.events import Events

_COMPARED = 256  # queries: a whole batch of encoding, so that both encodings see equal batches
_KIBIBYTE = 1024


@dataclass(frozen=True)
class FitResult:
    """The fields of a successful `FitRecord` that come out of the work."""

    artifacts: Mapping[str, Artifact]
    data: DataFacts
    phases: Mapping[str, float]
    budget: Budget
    speed: TrainingSpeed | None
    spared: Mapping[str, float]
    energy: Energy | None
    history: list[dict[str, Any]]
    resumed_from: int | None
    weights_sha256: str | None


def fit_cell(
    job: Job, registry: Registry, store: Store, *, device: torch.device, events: Events
) -> FitResult:
    """Load the data of a cell, train its method, encode, and store codes and model.

    Raises:
        DataError: If the data are not what the protocol says.
        DivergedError: If the loss is no longer finite.
        StoreError: If the codes cannot be written.
    """
    cell, clock, meter = job.cell, PhaseClock(device), EnergyMeter(find_sensor(device))
    events.phase("load")
    with clock("load"):
        data = CellData.load(job, device)
        view = data.training_view()
    context = _context(job, store, data, events)
    events.phase("fit")
    with meter("training"):
        with clock("build"):
            cache = _feature_cache(cell, registry, store)
            method, weights_sha256 = build_method(cell, registry, context, memory=cache)
            to_keep = require_keepable(method, cell) if job.keep_model else None
        report = method.fit(view, context)
    clock.add(report.phases)
    cache.charge(clock, "features")
    events.phase("encode")
    with meter("encoding"):
        encoded = _encode(method, data, clock, cache)
    artifacts, warnings = {"codes": save_codes(store, cell.fit_id, encoded)}, data.loaded.warnings
    if to_keep:
        with clock("keep model"):
            artifacts["model"], more = _keep_model(to_keep, store, registry, data, encoded.query)
        warnings += more
    measured_whole = report.resumed_from is None and not cache.spared
    return FitResult(
        artifacts=artifacts,
        data=_data_facts(data, warnings),
        phases=clock.seconds,
        budget=_budget(report, device),
        speed=_speed(method, report, data, view),
        spared=cache.spared,
        energy=meter.energy if measured_whole else None,
        history=[dict(entry) for entry in report.history],
        resumed_from=report.resumed_from,
        weights_sha256=report.weights_sha256 or weights_sha256,
    )


def _context(job: Job, store: Store, data: CellData, events: Events) -> TrainContext:
    held = data.validation

    def validate(queries: Codes, database: Codes) -> Mapping[str, float]:
        values = evaluate(
            queries,
            database,
            data.labels[held],
            data.labels[data.train],
            [parse_metric(name) for name in job.validation_metrics],
            order_seed=0,
            threads=job.threads,
            device=data.device.type,
        )
        named = {f"validation/{name}": value.value for name, value in values.items()}
        events.validation(named)
        return named

    return TrainContext(
        cell=job.cell,
        device=data.device,
        weights=job.weights,
        checkpoints=store.work_folder(job.cell.fit_id),
        on_epoch=events.epoch,
        stopping=events.stopping,
        validation=data.validation_images(),
        validate=None if held is None else validate,
        validate_every=job.validate_every,
    )


def _feature_cache(cell: Cell, registry: Registry, store: Store) -> FeatureCache:
    sources = source_digests(replace(cell, loss=None, method=None), registry)
    backbone = asdict(cell.backbone) if cell.backbone else None
    return FeatureCache(store.features_folder, {"backbone": backbone, "sources": sources})


def _encode(method: Method, data: CellData, clock: PhaseClock, cache: FeatureCache) -> EncodedSplit:
    encoded: dict[Role, Codes | Embeddings] = {}
    for role in (Role.QUERY, Role.DATABASE):
        images = data.images(role)
        with clock(f"encode {role}"):
            encoded[role] = method.encode(images, role)
        cache.charge(clock, f"encode {role}")
    learned = method.database_codes()
    if learned is not None:
        encoded[Role.DATABASE] = with_learned_codes(
            encoded[Role.DATABASE],
            learned,
            database=data.loaded.split.database,
            train=data.train,
        )
    return data.split(encoded[Role.QUERY], encoded[Role.DATABASE])


def _keep_model(
    method: KeepableMethod,
    store: Store,
    registry: Registry,
    data: CellData,
    queries: Codes | Embeddings,
) -> tuple[Artifact, tuple[str, ...]]:
    """Store the method's state, and warn if the restored method encodes queries differently."""
    arrays = {
        name: tensor.detach().cpu().contiguous().numpy().copy()
        for name, tensor in method.encoder_state().items()
    }
    kept = KeptModel(arrays, data.loaded.data.classes, data.loaded.split.database)
    artifact = save_model(store, data.cell.fit_id, kept)
    restored = restore_method(data.cell, arrays, registry, device=data.device)
    again = _rows(restored.encode(data.images(Role.QUERY, first=_COMPARED), Role.QUERY))
    differing = np.count_nonzero(np.any(again != _rows(queries)[: len(again)], axis=1))
    if not differing:
        return artifact, ()
    return artifact, (f"the kept model gives {differing} of {len(again)} queries another code",)


def _rows(encoded: Codes | Embeddings) -> NDArray[Any]:
    return encoded.packed if isinstance(encoded, Codes) else encoded.values


def _speed(
    method: Method, report: FitReport, data: CellData, view: TrainView
) -> TrainingSpeed | None:
    if not isinstance(method, DeepHashMethod):
        return None
    flops = method.count_flops(view.images)
    return measure_speed(report, flops, precision=data.cell.precision, device=data.device)


def _data_facts(data: CellData, warnings: Iterable[str]) -> DataFacts:
    return DataFacts(
        checksums=dict(data.loaded.checksums),
        sizes={**data.loaded.sizes, "trained on": len(data.train)},
        warnings=list(warnings),
    )


def _budget(report: FitReport, device: torch.device) -> Budget:
    """Return the budget of a fit, with the peak memory of the card, or of this process on a CPU."""
    if device.type == "cuda":
        peak = int(torch.cuda.max_memory_allocated(device))
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE
    return Budget(
        epochs=report.epochs,
        images_seen=report.images_seen,
        parameters=report.parameters,
        peak_memory_bytes=peak,
    )


def with_learned_codes(
    encoded: Codes | Embeddings,
    learned: Codes,
    *,
    database: NDArray[np.int64],
    train: NDArray[np.int64],
) -> Codes:
    """Replace the encoded codes of database images that were trained on by their learned codes.

    Args:
        encoded: Codes of the database, in its order.
        learned: Codes of the training images, in training order.
        database: Dataset positions of the database.
        train: Dataset positions of the training images.

    Raises:
        ValueError: If the learned codes are not one for each training image, of the same length.
    """
    if not isinstance(encoded, Codes) or learned.bits != encoded.bits or len(learned) != len(train):
        raise ValueError(
            f"database_codes: expected one code a training image ({len(train)}), as long as the "
            f"encoded ones; got {len(learned)} of {learned.bits} bits"
        )
    packed = encoded.packed.copy()
    _, rows, learned_rows = np.intersect1d(database, train, assume_unique=True, return_indices=True)
    packed[rows] = learned.packed[learned_rows]
    return Codes(packed, encoded.bits)
