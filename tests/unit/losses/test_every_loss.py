"""What holds for every loss: extremes, labels, owned state, seeds, presets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.core.info import LabelKind, Supervision
from hashbench.core.params import resolve_params
from hashbench.core.registry import Kind, registry
from hashbench.methods.interface import HashBatch, HashLoss

Array = NDArray[np.float64]

LOSSES = {name: registry().load(Kind.LOSS, name) for name in registry().names(Kind.LOSS)}
OWNED = {
    "dhd": {"proxies"},
    "dshsd": {"classifier.weight"},
    "ce": {"classifier.weight", "classifier.bias"},
    "greedyhash": {"classifier.weight"},
    "hsc": {"classifier.weight", "classifier.bias"},
    "hsc_margin": {"classifier.weight", "classifier.bias"},
    "hyp2": {"proxies"},
    "ud2h": {"centres"},
}
BINARY = {
    "adsh": {"codes"},
    "csq": {"centres", "tie"},
    "dfh": {"centres"},
    "dpn": {"centres", "tie"},
    "dsdh": {"codes"},
    "orthohash": {"centres"},
    "ud2h": {"codes"},
}
# The buffer of whom pairs are made with: it is empty at first, whatever the seed.
PARTNERS = {"partners.latest", "partners.seen"}
BUFFERS = {
    **BINARY,
    "adsh": {"codes", "dissimilar", "embeddings", "sampled", "visited"},
    "dbdh": PARTNERS,
    "dfh": {"centres"} | PARTNERS,
    "dpsh": PARTNERS,
    "dsdh": {"codes", "newest.latest", "newest.seen"},
    "ud2h": {
        *("codes", "neighbours", "clusters", "dissimilar", "frequencies", "targets"),
        *("sampled", "visited", "embeddings"),
    },
}
# So that its centres take part from the first step on.
PARAMS: dict[str, dict[str, Any]] = {"ud2h": {"warm_up": 0}}
# Their state starts from the network; a sample of all images holds the same ones for any seed.
UNDRAWN = {"adsh", "dsdh"}
UNSUPERVISED = {"bihalf", "cibhash", "greedyhash_unsupervised", "ssdh", "ud2h"}
RECONSTRUCTIONS = {"dfadh", "hsc", "hsc_margin", "ud2h"}
BITS, CLASSES = 8, 6

OUTPUTS = {
    "large": lambda n: 1e4 * np.sign(np.random.default_rng(0).normal(size=(n, BITS))),
    "large and equal": lambda n: np.full((n, BITS), -1e4),
    "zero": lambda n: np.zeros((n, BITS)),
    "one zero row": lambda n: np.vstack([np.zeros((1, BITS)), np.ones((n - 1, BITS))]),
    "equal": lambda n: np.full((n, BITS), 0.3),
    "exactly binary": lambda n: np.ones((n, BITS)),
    "tiny": lambda n: np.full((n, BITS), 1e-30),
}
LABELS = {
    "all similar": np.eye(CLASSES)[[0] * CLASSES],
    "none similar": np.eye(CLASSES),
    "all labels": np.ones((CLASSES, CLASSES)),
    "no labels": np.zeros((CLASSES, CLASSES)),
    "one image": np.eye(CLASSES)[:1],
    "one image without a label": np.zeros((1, CLASSES)),
}


@pytest.fixture(params=sorted(LOSSES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def second_view(loss_class: type[HashLoss], outputs: torch.Tensor) -> torch.Tensor | None:
    """For a loss that compares two views: the same values, other bits, and with gradient."""
    return outputs.roll(1, 1) if loss_class.needs.views > 1 else None


@pytest.fixture
def make_batch(make_batch: Callable[..., HashBatch], name: str) -> Callable[..., HashBatch]:
    def with_views(outputs: torch.Tensor, labels: Array, **batch: Any) -> HashBatch:
        second = second_view(LOSSES[name], outputs)
        return make_batch(outputs, labels, second=second, **batch)

    return with_views


@pytest.fixture
def run(run: Callable[..., Any]) -> Callable[..., Any]:
    def with_views(loss: HashLoss, outputs: Array, labels: Array, **batch: Any) -> Any:
        second = second_view(type(loss), torch.tensor(outputs))
        return run(loss, outputs, labels, second=second, **batch)

    return with_views


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("labels", LABELS)
def test_loss_and_gradient_are_finite_at_extremes(
    name: str,
    outputs: str,
    labels: str,
    set_up: Callable[..., HashLoss],
    make_batch: Callable[..., HashBatch],
) -> None:
    y = LABELS[labels]
    loss = set_up(LOSSES[name], y, bits=BITS, **PARAMS.get(name, {}))
    u = torch.tensor(OUTPUTS[outputs](len(y)), dtype=torch.float32, requires_grad=True)
    terms = loss(make_batch(u, y, progress=0.99))
    terms.total.backward()
    assert u.grad is not None
    for value in (*terms.terms.values(), terms.total, u.grad, *(p.grad for p in loss.parameters())):
        assert value is not None
        assert bool(torch.isfinite(value).all())


def test_no_gradient_explodes_at_a_row_of_zeros(
    name: str, set_up: Callable[..., HashLoss], make_batch: Callable[..., HashBatch]
) -> None:
    y = LABELS["all similar"]
    u = torch.tensor(OUTPUTS["one zero row"](len(y)), dtype=torch.float32, requires_grad=True)
    set_up(LOSSES[name], y, bits=BITS)(make_batch(u, y)).total.backward()
    assert u.grad is not None
    assert float(u.grad.abs().max()) < 100


def test_labels_are_never_written_to(
    name: str, outputs: Array, multi_labels: Array, set_up: Callable[..., HashLoss]
) -> None:
    loss = set_up(LOSSES[name], multi_labels, bits=6)
    y = torch.tensor(multi_labels, dtype=torch.float32)
    kept, version = y.clone(), y._version
    u = torch.tensor(outputs, dtype=torch.float32, requires_grad=True)
    second = second_view(LOSSES[name], u)
    loss(HashBatch(u, u, y, torch.arange(len(y)), 0.5, second)).total.backward()
    assert torch.equal(y, kept)
    assert y._version == version


def test_owned_parameters_are_known_and_change_after_one_step(
    name: str,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., HashLoss],
    make_batch: Callable[..., HashBatch],
) -> None:
    loss = set_up(LOSSES[name], labels, bits=6, **PARAMS.get(name, {}))
    owned = dict(loss.named_parameters())
    assert set(owned) == OWNED.get(name, set())
    before = {key: value.detach().clone() for key, value in owned.items()}
    u = torch.tensor(outputs, dtype=torch.float32, requires_grad=True)
    loss(make_batch(u, labels)).total.backward()
    optimiser = torch.optim.SGD([*loss.parameters(), u], lr=0.1)
    optimiser.step()
    for key, value in owned.items():
        assert not torch.equal(value, before[key])


def test_state_makes_the_round_trip_into_a_loss_of_another_seed(
    name: str, outputs: Array, labels: Array, set_up: Callable[..., HashLoss], run: Any
) -> None:
    first = set_up(LOSSES[name], labels, bits=6, seed=1)
    second = set_up(LOSSES[name], labels, bits=6, seed=2)
    state = {key: value.clone() for key, value in first.state_dict().items()}
    assert set(state) == OWNED.get(name, set()) | BUFFERS.get(name, set())
    second.load_state_dict(state)
    one, other = (run(loss, outputs, labels, progress=0.3) for loss in (first, second))
    assert one.total == other.total
    assert np.array_equal(one.gradient, other.gradient)


def test_a_seed_fixes_the_state_and_the_global_generator_is_left_alone(
    name: str, labels: Array, set_up: Callable[..., HashLoss]
) -> None:
    before = torch.get_rng_state()
    one, same = (set_up(LOSSES[name], labels, bits=16, seed=3).state_dict() for _ in range(2))
    other = set_up(LOSSES[name], labels, bits=16, seed=4).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], same[key]) for key in one)
    drawn = set(one) - PARTNERS
    if drawn and name not in UNDRAWN:
        assert any(not torch.equal(one[key], other[key]) for key in drawn)


def test_codes_and_centres_hold_no_zero(
    name: str, multi_labels: Array, set_up: Callable[..., HashLoss]
) -> None:
    loss = set_up(LOSSES[name], multi_labels, bits=16)
    for key in BINARY.get(name, set()):
        assert set(loss.state_dict()[key].unique().tolist()) <= {-1.0, 1.0}
    assert loss.database_codes() is None


def test_every_preset_is_complete_and_runs(
    name: str, outputs: Array, labels: Array, set_up: Callable[..., HashLoss], run: Any
) -> None:
    loss_class = LOSSES[name]
    wide = np.hstack([outputs, outputs[:, :2]])  # 8 bits, for presets with Hadamard centres
    for preset in loss_class.Params.presets:
        params = resolve_params(loss_class.Params, preset=preset, params={})
        result = run(set_up(loss_class, labels, bits=8, **params), wide, labels)
        assert np.isfinite(result.total)


def test_the_total_is_the_weighted_sum_of_named_terms(
    name: str,
    outputs: Array,
    labels: Array,
    set_up: Callable[..., HashLoss],
    make_batch: Callable[..., HashBatch],
) -> None:
    loss = set_up(LOSSES[name], labels, bits=6)
    terms = loss(make_batch(torch.tensor(outputs, dtype=torch.float32), labels))
    assert set(terms.weights) <= set(terms.terms)
    total = sum(terms.weights.get(key, 1.0) * value.item() for key, value in terms.terms.items())
    assert terms.total.item() == pytest.approx(total, rel=1e-5)


def test_the_card_names_paper_citation_and_supervision(name: str) -> None:
    info = LOSSES[name].info
    assert info.title and info.paper and info.citation
    unsupervised = name in UNSUPERVISED
    assert info.supervision is (Supervision.NONE if unsupervised else Supervision.LABELS)
    assert info.labels == frozenset(LabelKind)
    assert info.reconstruction is (name in RECONSTRUCTIONS)


def test_unlabelled_images_change_nothing_in_pointwise_and_centre_losses(
    outputs: Array, multi_labels: Array, set_up: Callable[..., HashLoss], run: Any
) -> None:
    kept = multi_labels.sum(1) > 0
    for pointwise in ("ce", "greedyhash", "csq", "dpn", "orthohash"):
        loss = set_up(LOSSES[pointwise], multi_labels, bits=6)
        whole = run(loss, outputs, multi_labels)
        assert whole.total == pytest.approx(run(loss, outputs[kept], multi_labels[kept]).total)
        assert not whole.gradient[~kept].any()
