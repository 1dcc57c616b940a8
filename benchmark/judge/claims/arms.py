"""Select the cells that a claim compares with each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from hashbench.core.canonical import canonical_json
from hashbench.core.cell import Cell
from hashbench.core.record import FitRecord
from hashbench.judge.claims.schema import ArmSpec, ClaimSpec
from hashbench.judge.compare.samples import device_class
from hashbench.matrix.naming import cell_names, matches
from hashbench.reports.labels import settings_of
from hashbench.store.catalogue import CellResults
from hashbench.store.store import Store

_MISSING = object()


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One method on one protocol at one code length, under several seeds.

    Attributes:
        cell: One of its cells.
        device: The device class.
        settings: The method's settings by dotted key.
        seeds: The results and their store, by seed.
    """

    cell: Cell
    device: str
    settings: Mapping[str, Any]
    seeds: Mapping[int, tuple[CellResults, Store]]

    @property
    def fit(self) -> FitRecord:
        """The fit of its first seed."""
        fit = next(iter(self.seeds.values()))[0].fit
        assert fit is not None  # noqa: S101 - only fitted cells are read
        return fit

    def matches(self, spec: ArmSpec) -> bool:
        """Whether a claim's selection includes this arm."""
        equal = all(
            self.settings.get(key, _MISSING) == value for key, value in spec.settings.items()
        )
        return equal and matches(spec.names(), cell_names(self.cell))


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two arms that a claim compares.

    Attributes:
        better: The arm that is better according to the claim.
        than: The other arm.
        entry: Index of the other arm's entry in the claim's ``than``; 0 for longer codes.
    """

    better: Arm
    than: Arm
    entry: int


def read_arms(stores: Sequence[tuple[Store, Sequence[CellResults]]]) -> list[Arm]:
    """Group the cells of stores into arms; of a cell in several stores the first is taken."""
    groups: defaultdict[bytes, dict[int, tuple[CellResults, Store]]] = defaultdict(dict)
    for store, cells in stores:
        for results in cells:
            if results.fitted and results.fit is not None:
                cell = results.fit.cell
                device = device_class(results.fit.environment)
                key = canonical_json([settings_of(cell), asdict(cell.data), cell.bits, device])
                groups[key].setdefault(cell.seed, (results, store))
    return sorted((_arm(group) for _, group in sorted(groups.items())), key=_reading_order)


def _reading_order(arm: Arm) -> tuple[str, int, str]:
    return arm.cell.data.label, arm.cell.bits or 0, arm.cell.method_label


def _arm(group: dict[int, tuple[CellResults, Store]]) -> Arm:
    seeds = dict(sorted(group.items()))
    fit = next(iter(seeds.values()))[0].fit
    assert fit is not None  # noqa: S101 - only fitted cells were grouped
    return Arm(fit.cell, device_class(fit.environment), settings_of(fit.cell), seeds)


def find_pairs(claim: ClaimSpec, arms: Sequence[Arm]) -> list[Pair]:
    """Find the pairs of arms that a claim compares."""
    within = [arm for arm in arms if arm.matches(claim.where)]
    better = [arm for arm in within if arm.matches(claim.better)]
    if claim.longer_codes:
        return list(_by_length(better))
    return [
        Pair(one, other, entry)
        for entry, spec in enumerate(claim.than)
        for one in better
        for other in within
        if other is not one and other.matches(spec) and _comparable(claim, one, other)
    ]


def _comparable(claim: ClaimSpec, one: Arm, other: Arm) -> bool:
    components = all(
        _component(one.cell, kind) == _component(other.cell, kind) for kind in claim.matching
    )
    return components and _task(one) == _task(other) and one.cell.bits == other.cell.bits


def _component(cell: Cell, kind: str) -> Any:
    component = getattr(cell, kind)
    return None if component is None else (component.name, component.version, component.params)


def _task(arm: Arm) -> tuple[Any, ...]:
    data = arm.cell.data
    return data.protocol, data.protocol_sha256, data.subset, arm.device


def _by_length(arms: Sequence[Arm]) -> Iterator[Pair]:
    groups: defaultdict[bytes, list[Arm]] = defaultdict(list)
    for arm in arms:
        if arm.cell.bits is not None:
            groups[canonical_json([arm.settings, asdict(arm.cell.data), arm.device])].append(arm)
    for group in groups.values():
        rising = sorted(group, key=lambda arm: arm.cell.bits or 0)
        yield from (Pair(longer, shorter, 0) for shorter, longer in pairwise(rising))
