"""OrthoHash and OrthoArc against their formula, and what the released code gets wrong."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, exp, log, pi, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.interface import HashBatch
from hashbench.methods.losses.orthohash import OrthoHash

Array = NDArray[np.float64]


def orthohash(
    u: Array,
    y: Array,
    *,
    centres: Array,
    margin: float = 0.2,
    scale: float = sqrt(6),
    arc: bool = False,
) -> float:
    losses = []
    for u_i, y_i in zip(u, y, strict=True):
        if y_i.sum() == 0:
            continue
        logits = []
        for o_c, y_ic in zip(centres, y_i, strict=True):
            cosine = float(u_i @ o_c) / sqrt(float(u_i @ u_i) * float(o_c @ o_c))
            if arc:
                angle = np.arccos(min(max(cosine, -0.99999), 0.99999))
                logits.append(scale * cos(angle + margin * y_ic))
            else:
                logits.append(scale * (cosine - margin * y_ic))
        normaliser = log(sum(exp(logit) for logit in logits))
        shares = y_i / y_i.sum()
        losses.append(-sum(q * (o - normaliser) for q, o in zip(shares, logits, strict=True)))
    return float(np.mean(losses))


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"variant": "arc"}, {"arc": True}),
        ({"margin": 0.45}, {"margin": 0.45}),
        ({"margin": 0.45, "variant": "arc"}, {"margin": 0.45, "arc": True}),
        ({"scale": 11.0, "centres": "bernoulli"}, {"scale": 11.0}),
        (OrthoHash.Params.presets["paper"], {}),
        (OrthoHash.Params.presets["authors"], {"scale": 8.0}),
    ],
)
def test_value_and_gradient_follow_the_formula(
    *,
    params: dict[str, Any],
    options: dict[str, Any],
    outputs: Array,
    labels: Array,
    set_up: Callable[..., OrthoHash],
    run: Callable[..., Any],
    differences: Callable[..., Array],
) -> None:
    loss = set_up(OrthoHash, labels, bits=6, **params)
    options = {**options, "centres": loss.centres.double().numpy()}
    result = run(loss, outputs, labels)
    assert result.total == pytest.approx(orthohash(outputs, labels, **options), rel=1e-10)
    expected = differences(lambda u: orthohash(u, labels, **options), outputs)
    np.testing.assert_allclose(result.gradient, expected, atol=1e-7)


@pytest.mark.parametrize("bits", [16, 64])
def test_the_scale_is_the_square_root_of_the_code_length_by_default(
    bits: int, set_up: Callable[..., OrthoHash], run: Callable[..., Any]
) -> None:
    labels = np.eye(2)
    loss = set_up(OrthoHash, labels, bits=bits, margin=0.0)
    loss.centres = torch.ones(2, bits)
    loss.centres[1, : bits // 2] = -1  # orthogonal to the first
    total = run(loss, loss.centres.numpy(), labels).total
    assert total == pytest.approx(log(1 + exp(-sqrt(bits))))


@pytest.mark.parametrize("variant", ["cos", "arc"])
def test_every_positive_class_of_an_image_bears_the_margin(
    variant: str, set_up: Callable[..., OrthoHash], run: Callable[..., Any]
) -> None:
    labels = np.array([[1.0, 1.0, 0.0, 0.0]])
    loss = set_up(OrthoHash, labels, bits=4, variant=variant, margin=0.3, scale=2.0)
    loss.centres = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1.0]])
    outputs = np.array([[1.0, 0.0, 1.0, 0.0]])  # halfway between the two centres of its classes
    positive = {"cos": sqrt(0.5) - 0.3, "arc": cos(pi / 4 + 0.3)}[variant]
    # Both positive classes have the same logit, the two others 0.
    expected = log(2 * exp(2 * positive) + 2) - 2 * positive
    assert run(loss, outputs, labels).total == pytest.approx(expected)


def test_labels_beyond_the_first_are_trained_too(
    set_up: Callable[..., OrthoHash], run: Callable[..., Any]
) -> None:
    both, first = np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    loss = set_up(OrthoHash, both, bits=8)
    second = loss.centres[1:2].double().numpy()
    outputs = loss.centres[2:3].double().numpy() + 0.1 * np.arange(8)
    towards = {
        name: run(loss, outputs, y).gradient @ second.T
        for name, y in {"both": both, "first": first}.items()
    }
    assert towards["both"].item() < 0 < towards["first"].item()


@pytest.mark.parametrize("variant", ["cos", "arc"])
def test_an_image_without_a_label_is_skipped(
    variant: str,
    outputs: Array,
    multi_labels: Array,
    set_up: Callable[..., OrthoHash],
    run: Callable[..., Any],
) -> None:
    loss = set_up(OrthoHash, multi_labels, bits=6, variant=variant)
    kept = multi_labels.sum(1) > 0
    whole = run(loss, outputs, multi_labels)
    without = run(loss, outputs[kept], multi_labels[kept])
    assert whole.total == pytest.approx(without.total)
    assert not whole.gradient[~kept].any()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("away", [0.0, 1e-6, 1e-4, 4e-3, 5e-3, 1e-2])
def test_the_angle_has_a_finite_gradient_at_its_ends(
    sign: int, away: float, set_up: Callable[..., OrthoHash]
) -> None:
    labels = np.eye(3)
    loss = set_up(OrthoHash, labels, bits=16, variant="arc")
    u = sign * loss.centres.clone()
    u[:, 0] += away  # at and around the cosines +-0.99999, in float32 as in training
    u.requires_grad_()
    y = torch.eye(3)
    loss(HashBatch(u, u, y, torch.arange(3), 0.0)).total.backward()
    assert u.grad is not None
    assert bool(torch.isfinite(u.grad).all())
    assert float(u.grad.abs().max()) < 1


def test_at_its_centre_an_image_feels_the_angle_less_than_the_cosine(
    set_up: Callable[..., OrthoHash], run: Callable[..., Any]
) -> None:
    """cos(0.2) = 0.980, so that the angle takes 0.02 off where the cosine loses all of 0.2."""
    labels = np.eye(3)
    losses = {v: set_up(OrthoHash, labels, bits=16, variant=v) for v in ("cos", "arc")}
    at = losses["cos"].centres.double().numpy()
    totals = {v: run(loss, at, labels).total for v, loss in losses.items()}
    expected = orthohash(
        at, labels, centres=at, scale=4.0, margin=1 - cos(np.arccos(0.99999) + 0.2)
    )
    assert totals["arc"] == pytest.approx(expected, abs=1e-4)
    assert totals["arc"] < totals["cos"]


def test_the_size_of_the_outputs_does_not_matter(
    outputs: Array, labels: Array, set_up: Callable[..., OrthoHash], run: Callable[..., Any]
) -> None:
    loss = set_up(OrthoHash, labels, bits=6)
    one, other = (run(loss, size * outputs, labels).total for size in (1.0, 250.0))
    assert one == pytest.approx(other)


def test_the_head_has_to_end_in_batch_normalisation() -> None:
    assert OrthoHash.needs.last_layer == "bn"
