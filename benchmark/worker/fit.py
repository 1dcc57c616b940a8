"""Train a method, encode query and database, and give the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hashbench.core.cell import Cell, Precision
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.job import Job
from hashbench.core.record import Artifact, Budget, DataFacts, TrainingSpeed
from hashbench.core.registry import Registry
from hashbench.core.sources import source_digests
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.datasets.protocols.subset import hold_out
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.methods.building_blocks.keepable import KeepableMethod
from hashbench.methods.interface import FitReport, Method, TrainContext, TrainView
from hashbench.store.codes import EncodedSplit, save_codes
from hashbench.store.model import KeptModel, save_model
from hashbench.store.store import Store
from hashbench.training.deep import DeepHashMethod
from hashbench.training.feature_cache import FeatureCache
from hashbench.training.images import DeviceImages, stream
from hashbench.training.memory import peak_memory
from hashbench.training.phases import PhaseClock
from hashbench.training.utilisation import measure_speed
from hashbench.worker.building import build_method
from hashbench.worker.energy import EnergyMeter
from hashbench.worker.energy_sensors import find_sensor
from hashbench.worker.events import Events
from hashbench.worker.kept import (
    CHECKED,
    count_differing,
    keepable,
    kept_state,
    restore_method,
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Positions in the dataset of what is trained on and what is held out of it."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64] | None


def fit_cell(
    job: Job, registry: Registry, store: Store, *, device: torch.device, events: Events
) -> dict[str, Any]:
    """Do the expensive part of a cell: load, fit, encode, keep the codes.

    Returns:
        The fields of a successful `FitRecord` that the work decides.

    Raises:
        DataError: If the data are not what the protocol says.
        DivergedError: If the loss is no longer finite.
        StoreError: If the codes cannot be written.
    """
    cell, clock = job.cell, PhaseClock(device)
    events.phase("load")
    with clock("load"):
        loaded, parts, view = _load(job, device)
    context = _context(job, store, loaded, parts, device=device, events=events)
    events.phase("fit")
    meter = EnergyMeter(find_sensor(device))
    with meter("training"):
        with clock("build"):
            memory = _memory(cell, registry, store)
            method, weights_sha256 = build_method(cell, registry, context, memory=memory)
            to_keep = keepable(method, cell) if job.keep_model else None
        report = method.fit(view, context)
    clock.add(report.phases)
    memory.charge(clock, "features")
    events.phase("encode")
    with meter("encoding"):
        encoded = _encode(job, method, loaded, parts, device=device, clock=clock, memory=memory)
    whole = report.resumed_from is None and not memory.spared
    artifacts, warnings = {"codes": save_codes(store, cell.fit_id, encoded)}, list(loaded.warnings)
    if to_keep:
        with clock("keep model"):
            artifacts["model"], told = _keep(
                job, to_keep, registry, store, loaded=loaded, encoded=encoded, device=device
            )
        warnings += told
    return {
        "artifacts": artifacts,
        "data": DataFacts(
            checksums=dict(loaded.checksums),
            sizes={**loaded.sizes, "trained on": len(parts.train)},
            warnings=warnings,
        ),
        "phases": clock.seconds,
        "budget": Budget(
            epochs=report.epochs,
            images_seen=report.images_seen,
            parameters=report.parameters,
            peak_memory_bytes=peak_memory(device),
        ),
        "speed": _speed(method, report, view, cell.precision, device),
        "spared": memory.spared,
        "energy": meter.energy if whole else None,
        "history": [dict(entry) for entry in report.history],
        "resumed_from": report.resumed_from,
        "weights_sha256": report.weights_sha256 or weights_sha256,
    }


def _memory(cell: Cell, registry: Registry, store: Store) -> FeatureCache:
    sources = source_digests(replace(cell, loss=None, method=None), registry)
    backbone = asdict(cell.backbone) if cell.backbone else None
    return FeatureCache(store.features_folder, {"backbone": backbone, "sources": sources})


def _speed(
    method: Method, report: FitReport, view: TrainView, precision: Precision, device: torch.device
) -> TrainingSpeed | None:
    if not isinstance(method, DeepHashMethod):
        return None
    flops = method.count_flops(view.images)
    return measure_speed(report, flops, precision=precision, device=device)


def _load(job: Job, device: torch.device) -> tuple[LoadedData, _Parts, TrainView]:
    data = job.cell.data
    loaded = load_data(data.name, data.protocol, subset=data.subset, root=job.data_root)
    parts = _held_out(job, loaded)
    view = TrainView(
        _images(job, loaded, parts.train, device=device, training=True),
        torch.from_numpy(loaded.data.labels[parts.train]).float().to(device),
        bool((loaded.data.labels.sum(axis=1) > 1).any()),
    )
    return loaded, parts, view


def _held_out(job: Job, loaded: LoadedData) -> _Parts:
    validation = job.cell.train.validation if job.cell.train else None
    if validation is None:
        return _Parts(loaded.split.train, None)
    labels = loaded.data.labels[loaded.split.train]
    kept, held = hold_out(labels, validation.fraction, seed=validation.seed)
    return _Parts(loaded.split.train[kept], loaded.split.train[held])


def _images(
    job: Job,
    loaded: LoadedData,
    positions: NDArray[np.int64],
    *,
    device: torch.device,
    training: bool = False,
) -> DeviceImages:
    train = job.cell.train
    return stream(
        loaded.data,
        positions,
        choice=job.cell.data,
        protocol=loaded.protocol,
        augmentation=train.augmentation if training and train else "none",
        device=device,
        channels_last=job.cell.channels_last,
    )


def _context(
    job: Job,
    store: Store,
    loaded: LoadedData,
    parts: _Parts,
    *,
    device: torch.device,
    events: Events,
) -> TrainContext:
    held = parts.validation
    labels = loaded.data.labels

    def validate(queries: Codes, database: Codes) -> Mapping[str, float]:
        metrics = [parse_metric(name) for name in job.validation_metrics]
        values = evaluate(
            queries,
            database,
            labels[held],
            labels[parts.train],
            metrics,
            order_seed=0,
            threads=job.threads,
            device=device.type,
        )
        named = {f"validation/{name}": value.value for name, value in values.items()}
        events.validation(named)
        return named

    return TrainContext(
        cell=job.cell,
        device=device,
        weights=job.weights,
        checkpoints=store.work_folder(job.cell.fit_id),
        on_epoch=events.epoch,
        stopping=events.stopping,
        validation=None if held is None else _images(job, loaded, held, device=device),
        validate=None if held is None else validate,
        validate_every=job.validate_every,
    )


def _encode(
    job: Job,
    method: Method,
    loaded: LoadedData,
    parts: _Parts,
    *,
    device: torch.device,
    clock: PhaseClock,
    memory: FeatureCache,
) -> EncodedSplit:
    split, labels = loaded.split, loaded.data.labels
    encoded: dict[Role, Codes | Embeddings] = {}
    for role, positions in ((Role.QUERY, split.query), (Role.DATABASE, split.database)):
        images = _images(job, loaded, positions, device=device)
        with clock(f"encode {role}"):
            encoded[role] = method.encode(images, role)
        memory.charge(clock, f"encode {role}")
    learned = method.database_codes()
    if learned is not None:
        encoded[Role.DATABASE] = with_learned_codes(
            encoded[Role.DATABASE], learned, database=split.database, train=parts.train
        )
    return EncodedSplit(
        encoded[Role.QUERY], encoded[Role.DATABASE], labels[split.query], labels[split.database]
    )


def _keep(
    job: Job,
    method: KeepableMethod,
    registry: Registry,
    store: Store,
    *,
    loaded: LoadedData,
    encoded: EncodedSplit,
    device: torch.device,
) -> tuple[Artifact, list[str]]:
    """Store what encoding needs, and see whether, taken up again, it encodes as before."""
    kept = KeptModel(kept_state(method), loaded.data.classes, loaded.split.database)
    artifact = save_model(store, job.cell.fit_id, kept)
    restored = restore_method(job.cell, kept.state, registry, device=device)
    images = _images(job, loaded, loaded.split.query[:CHECKED], device=device)
    differing, checked = count_differing(restored, images, encoded.query)
    if not differing:
        return artifact, []
    return artifact, [f"the kept model gives {differing} of {checked} queries another code"]


def with_learned_codes(
    encoded: Codes | Embeddings,
    learned: Codes,
    *,
    database: NDArray[np.int64],
    train: NDArray[np.int64],
) -> Codes:
    """Put a method's learned codes in the place of those database images it was trained on.

    Args:
        encoded: Codes of the database, in its order.
        learned: Codes of the training images, in training order.
        database: Dataset positions of the database.
        train: Dataset positions of the training images.

    Returns:
        The database's codes; images that were not trained on keep the encoded ones.

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
