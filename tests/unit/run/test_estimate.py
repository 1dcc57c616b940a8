"""What a cell will cost is judged by the most alike cells that the store has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hashbench.core.cell import (
    BackboneMode,
    Cell,
    Component,
    Head,
    Schedule,
    TrainSettings,
    Weights,
)
from hashbench.core.job import Job
from hashbench.core.record import Artifact, Budget, EvaluationRecord, FitRecord
from hashbench.run.estimate import Estimator
from hashbench.store.store import Store


@pytest.fixture
def deep(cell: Cell) -> Cell:
    """Return a deep cell of three epochs."""
    train = TrainSettings(
        recipe="ours",
        modified=(),
        optimiser="adam",
        lr=1e-3,
        backbone_lr=1e-4,
        weight_decay=0.0,
        momentum=0.0,
        nesterov=False,
        schedule=Schedule("constant"),
        epochs=3,
        batch_size=32,
        augmentation="none",
    )
    trunk, loss = Component("trunk", 1), Component("pairwise", 1)
    return replace(cell, method=None, backbone=trunk, head=Head(), loss=loss, train=train)


@pytest.fixture
def stored(store: Store, fit_record: FitRecord) -> Callable[..., FitRecord]:
    """Return what stores a fit that trained for some seconds and left some bytes."""

    def put(cell: Cell, seconds: float, size: int = 10) -> FitRecord:
        about = {
            "cell": cell,
            "fit_id": cell.fit_id,
            "phases": {"train": seconds - 1.0, "load": 1.0},
            "finished": fit_record.started,
            "artifacts": {"codes": Artifact(file="codes-0", sha256="e" * 64, bytes=size)},
        }
        return store.write_record(fit_record.model_copy(update=about))

    return put


def job(cell: Cell, fit: bool = True, metrics: tuple[str, ...] = ()) -> Job:
    return Job(cell, Path(), fit=fit, metrics=metrics)


def test_without_a_like_cell_nothing_is_known_and_that_is_said(store: Store, deep: Cell) -> None:
    found = Estimator(store, device="cpu")(job(deep))
    assert (found.seconds, found.stored_bytes) == (None, None)
    assert found.source == "unknown, no record of a like cell in the store"


def test_the_largest_memory_of_like_cells_is_what_a_cell_is_thought_to_need(
    store: Store, deep: Cell, fit_record: FitRecord
) -> None:
    for seed, peak in ((5, 700), (6, 900), (7, 800)):
        cell = replace(deep, seed=seed)
        budget = Budget(epochs=3, images_seen=1, parameters=1, peak_memory_bytes=peak)
        about = {"cell": cell, "fit_id": cell.fit_id, "budget": budget}
        store.write_record(fit_record.model_copy(update=about))

    assert Estimator(store, device="cpu")(job(deep)).peak_memory_bytes == 900


def test_other_seeds_count_before_other_code_lengths_and_their_median_is_taken(
    store: Store, deep: Cell, stored: Callable[..., FitRecord]
) -> None:
    for seed, seconds in ((5, 10.0), (6, 20.0), (7, 90.0)):
        stored(replace(deep, seed=seed), seconds, size=int(seconds))
    stored(replace(deep, bits=64), 1000.0)

    found = Estimator(store, device="cpu")(job(deep))

    assert (found.seconds, found.stored_bytes) == (20.0, 20)
    assert found.source == "from 3 records of like cells (other seeds, cpu)"
    other = Estimator(store, device="cpu")(job(replace(deep, bits=128)))
    assert other.seconds == 55.0  # of 10, 20, 90 and 1000
    assert "4 records of like cells (other code lengths" in other.source


def test_time_grows_with_the_epochs(
    store: Store, deep: Cell, stored: Callable[..., FitRecord]
) -> None:
    stored(deep, 6.0)
    assert deep.train is not None
    longer = replace(deep, train=replace(deep.train, epochs=30))
    found = Estimator(store, device="cpu")(job(longer))
    assert found.seconds == pytest.approx(60.0)
    assert "other epochs or settings" in found.source


def test_another_loss_on_the_backbone_is_better_than_nothing_another_backbone_is_not(
    store: Store, deep: Cell, stored: Callable[..., FitRecord]
) -> None:
    stored(deep, 6.0)
    estimate = Estimator(store, device="cpu")
    other_loss = estimate(job(replace(deep, loss=Component("triplet", 1))))
    other_trunk = estimate(job(replace(deep, backbone=Component("stem", 1))))
    assert (other_loss.seconds, other_trunk.seconds) == (6.0, None)
    assert "other losses on the backbone" in other_loss.source


def test_another_kind_of_device_says_nothing(
    store: Store, deep: Cell, stored: Callable[..., FitRecord]
) -> None:
    stored(deep, 6.0)
    assert Estimator(store, device="cuda")(job(deep)).seconds is None


def test_what_is_fitted_already_costs_only_its_measuring(
    store: Store,
    deep: Cell,
    stored: Callable[..., FitRecord],
    evaluation_record: EvaluationRecord,
) -> None:
    fit = stored(deep, 6.0)
    of_it = {"fit_id": fit.fit_id, "fit_record": fit.record_id}  # it took a minute
    store.write_record(evaluation_record.model_copy(update=of_it))
    estimate = Estimator(store, device="cpu")
    assert estimate(job(deep, fit=False, metrics=("map@all",))).seconds == 60.0
    assert estimate(job(deep, metrics=("map@all",))).seconds == 66.0


def test_damaged_records_of_other_cells_stop_no_estimate(
    store: Store, deep: Cell, stored: Callable[..., FitRecord]
) -> None:
    broken = stored(replace(deep, seed=8), 6.0)
    (store.root / broken.fit_id / f"fit-{broken.record_id}.json").write_text("{")
    stored(replace(deep, seed=9), 7.0)
    assert Estimator(store, device="cpu")(job(deep)).seconds == 7.0


@pytest.fixture
def frozen(deep: Cell) -> Cell:
    assert deep.train is not None
    return replace(deep, train=replace(deep.train, backbone=BackboneMode.FROZEN))


FEATURES = {"features": 200.0, "encode query": 50.0, "encode database": 750.0}


@pytest.fixture
def with_features(store: Store, fit_record: FitRecord) -> Callable[..., FitRecord]:
    """Return what stores a fit of five seconds' training on features of 1,000 seconds."""

    def put(cell: Cell, spared: dict[str, float]) -> FitRecord:
        about = {
            "cell": cell,
            "fit_id": cell.fit_id,
            "phases": {**FEATURES, "train": 5.0},
            "spared": spared,
            "finished": fit_record.started,
            "artifacts": {},
        }
        return store.write_record(fit_record.model_copy(update=about))

    return put


@pytest.mark.parametrize("spared", [FEATURES, {}], ids=["taken from another", "computed"])
def test_features_that_are_there_are_not_paid_again(
    store: Store,
    frozen: Cell,
    with_features: Callable[..., FitRecord],
    spared: dict[str, float],
) -> None:
    trained = replace(frozen, weights=Weights("file", "a" * 64))
    with_features(trained, spared)
    for other in (replace(trained, seed=7), replace(trained, loss=Component("triplet", 1))):
        assert Estimator(store, device="cpu")(job(other)).seconds == pytest.approx(5.0)


@pytest.mark.parametrize("spared", [FEATURES, {}], ids=["taken from another", "computed"])
def test_features_of_another_backbone_are_still_to_compute(
    store: Store,
    frozen: Cell,
    with_features: Callable[..., FitRecord],
    spared: dict[str, float],
) -> None:
    assert frozen.backbone
    with_features(frozen, spared)
    for other in (
        replace(frozen, backbone=replace(frozen.backbone, params={"depth": 2})),
        replace(frozen, weights=Weights("file", "a" * 64)),
        replace(frozen, seed=7),  # without weights a seed makes a network of its own
    ):
        assert Estimator(store, device="cpu")(job(other)).seconds == pytest.approx(1_005.0)


def test_a_backbone_that_learns_passes_the_images_for_every_cell(
    store: Store, deep: Cell, frozen: Cell, with_features: Callable[..., FitRecord]
) -> None:
    with_features(frozen, FEATURES)
    assert Estimator(store, device="cpu")(job(deep)).seconds == pytest.approx(1_005.0)


def test_features_that_only_a_first_look_at_the_images_needs_are_not_paid_again(
    store: Store, deep: Cell, fit_record: FitRecord
) -> None:
    trained = replace(deep, weights=Weights("file", "a" * 64))
    about = {
        "cell": trained,
        "fit_id": trained.fit_id,
        "phases": {"features": 1_000.0, "train": 5.0},
        "spared": {"features": 999.0},
        "finished": fit_record.started,
        "artifacts": {},
    }
    store.write_record(fit_record.model_copy(update=about))
    other = replace(trained, seed=7)
    assert Estimator(store, device="cpu")(job(other)).seconds == pytest.approx(6.0)


def test_pixels_are_prepared_for_every_cell(
    store: Store, cell: Cell, with_features: Callable[..., FitRecord]
) -> None:
    assert cell.backbone is None
    with_features(cell, {})
    assert Estimator(store, device="cpu")(job(replace(cell, seed=7))).seconds == pytest.approx(1005)
