"""Whom a batch is paired with, seen over the steps of an epoch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from hashbench.methods.building_blocks.pairs import PairPartners, Pairs
from hashbench.methods.interface import HashBatch, LossContext

LABELS = torch.eye(3)[[0, 1, 2, 0, 1]]


@pytest.fixture
def make() -> Callable[[Pairs], PairPartners]:
    ctx = LossContext(
        labels=LABELS,
        bits=2,
        multilabel=False,
        epochs=1,
        batch_size=2,
        generator=torch.Generator(),
        device=torch.device("cpu"),
    )
    return lambda pairs: PairPartners(pairs, ctx)


def batch_of(*positions: int) -> HashBatch:
    at = torch.tensor(positions)
    outputs = (torch.stack([at, -at], 1).float() + 1).requires_grad_()
    return HashBatch(outputs, outputs, LABELS[at], at, 0.0)


def test_in_a_batch_the_partners_are_the_batch_itself_with_gradient(
    make: Callable[[Pairs], PairPartners],
) -> None:
    batch, partners = batch_of(4, 1), make(Pairs.BATCH)
    found = partners(batch.outputs, batch)
    assert found.outputs is batch.outputs
    assert found.labels is batch.labels
    assert found.valid.tolist() == [True, True]
    assert found.indices.tolist() == [4, 1]
    assert not partners.state_dict()


def test_unseen_rows_of_the_buffer_do_not_count(make: Callable[[Pairs], PairPartners]) -> None:
    partners = make(Pairs.BUFFER)
    batch = batch_of(4, 1)
    assert partners(batch.outputs, batch).valid.tolist() == [False, True, False, False, True]
    batch = batch_of(0, 1)
    assert partners(batch.outputs, batch).valid.tolist() == [True, True, False, False, True]


def test_after_one_epoch_all_rows_are_seen_and_hold_the_newest_outputs(
    make: Callable[[Pairs], PairPartners],
) -> None:
    partners = make(Pairs.BUFFER)
    for positions in ((4, 1), (0, 3), (2,)):
        batch = batch_of(*positions)
        found = partners(batch.outputs, batch)
    assert found.valid.all()
    assert torch.equal(found.outputs, batch_of(0, 1, 2, 3, 4).outputs)
    assert torch.equal(found.labels, LABELS)
    assert found.indices.tolist() == [0, 1, 2, 3, 4]


def test_gradient_flows_through_the_side_of_the_batch_alone(
    make: Callable[[Pairs], PairPartners],
) -> None:
    partners, batch = make(Pairs.BUFFER), batch_of(4, 1)
    found = partners(batch.outputs, batch)
    assert not found.outputs.requires_grad
    (batch.outputs @ found.outputs[found.valid].T).sum().backward()
    grad: Tensor | None = batch.outputs.grad
    assert grad is not None
    # Every image against rows 1 (2, 0) and 4 (5, -3), its own among them and counted as constant.
    assert grad.tolist() == [[7.0, -3.0], [7.0, -3.0]]


def test_the_buffer_goes_into_a_checkpoint_and_the_labels_do_not(
    make: Callable[[Pairs], PairPartners],
) -> None:
    assert set(make(Pairs.BUFFER).state_dict()) == {"latest", "seen"}
