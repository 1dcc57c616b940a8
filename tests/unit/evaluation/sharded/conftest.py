"""A small retrieval in memory, and the same as shards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.evaluation.sharded import folder as folder_module
from hashbench.evaluation.sharded.folder import ShardFolder
from hashbench.evaluation.sharded.writer import ShardWriter
from hashbench.evaluation.stable_order import stable_order

SEED = 5


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Codes and multi-hot labels of both sides."""

    query: Codes
    database: Codes
    query_labels: np.ndarray
    labels: np.ndarray

    def write(self, root, *, items_per_shard=130, seed=SEED, numbers=False):
        """Shards of the database in the order of a seed; labels as class numbers if asked for."""
        order = stable_order(len(self.database), seed)
        labels = self.labels[order]
        if numbers:
            labels = np.where(labels.any(axis=1), labels.argmax(axis=1), -1)
        with ShardWriter(
            root,
            bits=self.database.bits,
            classes=self.labels.shape[1],
            order_seed=seed,
            items_per_shard=items_per_shard,
        ) as writer:
            for start in range(0, len(order), 77):
                part = slice(start, start + 77)
                rows = Codes(self.database.packed[order][part], self.database.bits)
                writer.add(rows, labels[part])
        return ShardFolder.open(root)


def make_retrieval(*, bits=12, items=500, queries=23, classes=5, several=True, unlabelled=0.1):
    """Few bits and so many ties; some items without a label."""
    rng = np.random.default_rng([bits, items, queries])
    total = queries + items
    labels = np.eye(classes, dtype=np.uint8)[rng.integers(0, classes, total)]
    if several:
        labels |= (rng.random((total, classes)) < 0.3).astype(np.uint8)
    labels[rng.random(total) < unlabelled] = 0
    outputs = rng.standard_normal((total, bits)) + 0.7 * (
        labels @ rng.standard_normal((classes, bits))
    )
    codes = [Codes.from_outputs(part) for part in np.split(outputs, [queries])]
    return Retrieval(*codes, *np.split(labels, [queries]))


@pytest.fixture
def retrieval():
    """A function that makes one: ``retrieval(bits=12, items=500, queries=23, classes=5, ...)``."""
    return make_retrieval


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 60 rows: several a shard."""
    monkeypatch.setattr(folder_module, "_MOST_IN_A_BLOCK", 60)
