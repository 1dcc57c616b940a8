"""The quantities that claims compare: per-query metrics, and times of training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord
from hashbench.evaluation.names import parse_metric
from hashbench.judge.compare.samples import per_query
from hashbench.reports.frames import training_seconds
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store

_TIMES = ("training_seconds", "epochs_to", "seconds_to")
_GROWS = ("train", "loss state")  # phases whose time grows with the epochs
_VALIDATION = "validation/map@all/div=hits/ties=expected/empty=zero"


class Direction(StrEnum):
    """Which values of a quantity are better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that a claim may compare.

    It is ``training_seconds``, ``epochs_to@Q``, ``seconds_to@Q`` or any metric with per-query
    values. The middle two count until the validation in the fit's history first has an mAP@all of Q
    on the held-out part of the training set.

    Attributes:
        name: Its full name.
        kind: One of the times, or ``metric``.
        reach: Q, for times until a quality is reached.
    """

    name: str
    kind: str
    reach: float | None = None

    @property
    def direction(self) -> Direction:
        """Which values are better."""
        return Direction.HIGHER if self.kind == "metric" else Direction.LOWER


def parse_quantity(word: str) -> Quantity:
    """Parse the name of a quantity in a claim.

    Example:
        >>> parse_quantity("epochs_to@0.8").reach
        0.8

    Raises:
        ConfigError: If there is no such quantity.
    """
    kind, at, reach = word.partition("@")
    if kind not in _TIMES:
        return Quantity(parse_metric(word).name, "metric")
    if kind == "training_seconds" and not at:
        return Quantity(word, kind)
    if kind == "training_seconds" or not re.fullmatch(r"0?\.\d+", reach):
        usage = "training_seconds" if kind == "training_seconds" else f"{kind}@0.8"
        raise ConfigError(f"quantity '{word}': write {usage}")
    return Quantity(word, kind, float(reach))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A quantity of one cell.

    Attributes:
        values: float64 (queries,) of a metric, (1,) of a time.
        record: Id of the record that holds it.
    """

    values: NDArray[np.float64]
    record: str


def measure(quantity: Quantity, results: CellResults, store: Store) -> Measured | None:
    """Read a quantity of one cell; None if its records do not hold it.

    Raises:
        ConfigError: If a metric has no per-query values.
        DamagedStoreError: If an artifact is damaged.
    """
    fit = results.fit
    if fit is None or not results.fitted:
        return None
    if quantity.kind == "metric":
        found = results.metrics().get(quantity.name)
        if found is None:
            return None
        return Measured(per_query(store, found[1], quantity.name), found[1].record_id)
    value = _time(quantity, fit)
    return None if value is None else Measured(np.array([value]), fit.record_id)


def advantage(
    quantity: Quantity, better: Sequence[Measured], than: Sequence[Measured]
) -> NDArray[np.float64]:
    """Compute the advantage of one arm, float64 (seeds, queries); positive agrees with the claim.

    It is the difference of a metric, or the logarithm of the ratio of times, so that half the time
    is as great an advantage as twice the time is a disadvantage. Queries that a metric leaves out
    are left out.
    """
    one, two = (np.stack([each.values for each in arm]) for arm in (better, than))
    gaps = one - two if quantity.kind == "metric" else np.log(two) - np.log(one)
    return np.asarray(gaps[:, np.isfinite(gaps).all(axis=0)])


def _time(quantity: Quantity, fit: FitRecord) -> float | None:
    seconds = training_seconds(fit)
    if quantity.kind == "training_seconds":
        return seconds or None
    reached = (
        entry["epoch"]
        for entry in fit.history
        if quantity.reach is not None and entry.get(_VALIDATION, -1.0) >= quantity.reach
    )
    epoch = next(reached, None)
    if epoch is None or not fit.history:
        return None
    if quantity.kind == "epochs_to":
        return float(epoch)
    growing = sum(fit.phases.get(phase, 0.0) for phase in _GROWS)
    return seconds - growing + growing * float(epoch) / len(fit.history)
