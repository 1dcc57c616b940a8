"""Training labels need not cover all columns: an unseen-classes protocol leaves some empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.conformance.tiny import TinyBackbone
from hashbench.conformance.training import Trial
from hashbench.core.info import LabelKind, Supervision
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind, registry
from hashbench.methods.interface import HashLoss

Array = NDArray[np.float64]

LOSSES = {name: registry().load(Kind.LOSS, name) for name in registry().names(Kind.LOSS)}
SUPERVISED = [name for name in LOSSES if LOSSES[name].info.supervision is Supervision.LABELS]
# These see a label only in what two images share, so a class without images is nothing to them.
PAIRWISE = ["adsh", "dbdh", "dch", "dfadh", "dhn", "dpsh", "dsh", "dtsh", "hashnet", "idhn"]
CLASSES, SEEN, IMAGES = 6, (1, 3, 4), 48


def seen_only(kind: LabelKind) -> Tensor:
    """Labels of 48 images in three of six columns; multi-label, every third has two."""
    numbers = torch.tensor(SEEN)[torch.arange(IMAGES) % len(SEEN)]
    labels = torch.eye(CLASSES)[numbers]
    if kind is LabelKind.MULTI:
        labels[::3, SEEN[-1]] = 1
    return labels


def floats(state: Any) -> list[Tensor]:
    """All floating-point tensors of a nested state."""
    if isinstance(state, Tensor):
        return [state] if state.is_floating_point() else []
    if isinstance(state, Mapping):
        return [tensor for value in state.values() for tensor in floats(value)]
    if isinstance(state, Sequence) and not isinstance(state, str):
        return [tensor for value in state for tensor in floats(value)]
    return []


@pytest.mark.parametrize("kind", list(LabelKind))
@pytest.mark.parametrize("name", SUPERVISED)
def test_a_whole_training_stays_finite_and_tells_the_seen_classes_apart(
    name: str, kind: LabelKind, tmp_path: Path
) -> None:
    cls = LOSSES[name]
    assert kind in cls.info.labels
    labels = seen_only(kind)
    trial = Trial(TinyBackbone, cls, labels, BaseParams(), cls.Params(), epochs=3)

    trained = trial.train(tmp_path)

    assert floats(trained.state)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in floats(trained.state))
    assert all(np.isfinite(entry["total"]) for entry in trained.state["history"])
    assert len(np.unique(trained.codes.packed, axis=0)) > 1


@pytest.mark.parametrize("name", PAIRWISE)
def test_a_column_without_images_changes_no_loss_of_pairs(
    name: str,
    outputs: Array,
    multi_labels: Array,
    set_up: Callable[..., HashLoss],
    run: Callable[..., Any],
) -> None:
    empty = np.zeros((len(multi_labels), 2))
    wide = np.hstack([empty[:, :1], multi_labels, empty[:, 1:]])

    narrow, padded = (
        run(set_up(LOSSES[name], labels, bits=outputs.shape[1]), outputs, labels)
        for labels in (multi_labels, wide)
    )

    assert padded.total == pytest.approx(narrow.total, rel=1e-6)
    np.testing.assert_allclose(padded.gradient, narrow.gradient, rtol=1e-5, atol=1e-8)
