"""Class-balanced draws: smaller lists of a protocol, and a validation part of a training set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hashbench.core.cell import Subset
from hashbench.core.errors import ConfigError
from hashbench.datasets.interface import Split
from hashbench.datasets.labels import first_labels
from hashbench.datasets.protocols.shuffle import first_of_classes, seeded_order, shuffled


def draw_subset(split: Split, labels: NDArray[np.uint8], *, subset: Subset) -> Split:
    """Draw smaller lists, as equal per class as the sizes allow.

    An image with several labels counts for its first; images without a label form a class of their
    own. All lists follow one seeded order, so a larger subset contains a smaller one, and where
    training images are in the database, their share of it does not change.

    Args:
        split: The protocol's lists.
        labels: uint8 (N, classes) of the whole dataset, multi-hot.
        subset: Sizes and seed; a size of None keeps a list whole.

    Returns:
        Rising positions of each role.

    Raises:
        ConfigError: If a size is below 1 or above the list's; one problem for each.
    """
    wanted = {"train": subset.train, "query": subset.query, "database": subset.database}
    lists = {"train": split.train, "query": split.query, "database": split.database}
    problems = [
        f"subset: {role}: expected 1 to {len(lists[role])} (the size of the list), got {size}"
        for role, size in wanted.items()
        if size is not None and not 1 <= size <= len(lists[role])
    ]
    if problems:
        raise ConfigError(*problems)
    return Split(
        **{
            role: lists[role] if size is None else _balanced(lists[role], labels, size, subset.seed)
            for role, size in wanted.items()
        }
    )


def hold_out(
    labels: NDArray[np.uint8], fraction: float, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut a validation part off a training set, class by class.

    Each class gives the nearest whole number to its share, at least one image where it has two,
    and keeps at least one.

    Args:
        labels: uint8 (N, classes) of the training set, multi-hot.
        fraction: Share of the validation part, in (0, 1).
        seed: Seed of the draw.

    Returns:
        int64 positions in the training set, rising: what stays for training, and the validation
        part; together they are all of 0..N-1.

    Raises:
        ConfigError: If the fraction is not between 0 and 1, or no class has two images.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"validation: fraction: expected between 0 and 1, got {fraction}")
    order = seeded_order(len(labels), seed, purpose="validation")
    numbers = first_labels(labels)[order]
    present, counts = np.unique(numbers, return_counts=True)
    sizes = {
        number: min(max(int(count * fraction + 0.5), 1), count - 1)
        for number, count in zip(present.tolist(), counts.tolist(), strict=True)
    }
    if not sum(sizes.values()):
        raise ConfigError(
            f"validation: no class has two images, so nothing can be held out of {len(labels)}"
        )
    held = first_of_classes(order, numbers, sizes=sizes)
    return np.setdiff1d(order, held), held


def _balanced(
    positions: NDArray[np.int64], labels: NDArray[np.uint8], size: int, seed: int
) -> NDArray[np.int64]:
    order = shuffled(positions, seed, purpose="subset")
    numbers = first_labels(labels[order])
    shares = _shares(np.bincount(numbers, minlength=labels.shape[1] + 1), size)
    return first_of_classes(order, numbers, sizes=dict(enumerate(shares.tolist())))


def _shares(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Split ``size`` over classes: equally, at most ``counts``, the rest to the first classes."""
    shares = np.zeros_like(counts)
    while left := size - int(shares.sum()):
        open_classes = np.flatnonzero(shares < counts)
        step = left // len(open_classes)
        if step == 0:
            shares[open_classes[:left]] += 1
        else:
            shares[open_classes] += np.minimum(step, (counts - shares)[open_classes])
    return shares
