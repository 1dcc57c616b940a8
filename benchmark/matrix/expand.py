"""Expand a matrix to its cells: cross its lists, apply its rules, refuse impossible pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from hashbench.core.cell import (
    Cell,
    DataChoice,
    Determinism,
    Precision,
    TrainSettings,
    Weights,
)
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Registry
from hashbench.matrix.entries import Entries, Entry, Source, Trunk
from hashbench.matrix.load import Matrix
from hashbench.matrix.naming import cell_names, matches
from hashbench.matrix.positions import KeyPath
from hashbench.matrix.refusals import engine_problems, training_problems
from hashbench.matrix.training_schema import TrainSpec
from hashbench.matrix.training_settings import resolve_training


@dataclass(frozen=True, slots=True)
class Expansion:
    """The cells of a matrix.

    Attributes:
        cells: Every cell once, in the matrix's order.
        weights: Weight files by SHA-256.
        excluded: The reason of each ``exclude`` entry and the number of cells that it left out.
    """

    cells: tuple[Cell, ...]
    weights: Mapping[str, Path]
    excluded: tuple[tuple[str, int], ...]


def expand(matrix: Matrix, registry: Registry) -> Expansion:
    """Resolve a matrix to its cells.

    Args:
        matrix: The validated file.
        registry: Where names are looked up.

    Raises:
        ConfigError: With one line for each pair that cannot be trained, each rule that applies to
            no cell, and validation wanted where nothing is held out.
    """
    entries = Entries(matrix, registry)
    expander = _Expander(matrix)
    cells = {
        cell.fit_id: cell
        for source, entry in product(entries.sources(), entries.methods())
        for cell in expander.cells(source, entry)
    }
    expander.check_rules()
    expander.check_validation(cells)
    expander.check_engines(cells, registry)
    if expander.problems:
        raise ConfigError(*dict.fromkeys(expander.problems))
    rules = enumerate(matrix.spec.exclude)
    excluded = tuple((rule.because, expander.excluded[i]) for i, rule in rules)
    return Expansion(tuple(cells.values()), entries.weights, excluded)


@dataclass
class _Expander:
    matrix: Matrix
    problems: list[str] = field(default_factory=list)
    excluded: Counter[int] = field(default_factory=Counter)
    overridden: Counter[int] = field(default_factory=Counter)

    def cells(self, source: Source, entry: Entry) -> Iterator[Cell]:
        spec = self.matrix.spec
        lengths: list[int | None] = list(spec.bits)
        seeds = spec.seeds
        if entry.head is None and not entry.cls.binary:
            lengths, seeds = [None], seeds[:1]
        for bits, seed in product(lengths, seeds):
            bare = _bare_cell(source, entry, bits=bits, seed=seed)
            if self._is_excluded(bare):
                continue
            if not source.labels & entry.cls.info.labels:
                self._complain(
                    entry.path,
                    f"{entry.component.name} cannot be trained on "
                    f"{'/'.join(sorted(source.labels))} data ({source.name}). Exclude the pair, "
                    f"with a reason",
                )
                return
            yield self._trained(bare, source, entry)

    def check_rules(self) -> None:
        """Complain of rules that apply to no cell: most likely a name in them is wrong."""
        spec = self.matrix.spec
        for key, count, used in (
            ("exclude", len(spec.exclude), self.excluded),
            ("overrides", len(spec.overrides), self.overridden),
        ):
            for i in range(count):
                if not used[i]:
                    self._complain((key, i), "matches no cell. Correct its names or remove it")

    def check_validation(self, cells: Mapping[str, Cell]) -> None:
        """Complain of evaluations on a validation part that no cell has."""
        held_out = any(cell.train and cell.train.validation for cell in cells.values())
        if cells and self.matrix.spec.evaluate.every and not held_out:
            self._complain(
                ("evaluate", "every"),
                "nothing is held out to evaluate on. Give train: {validation: {fraction: 0.1}}",
            )

    def check_engines(self, cells: Mapping[str, Cell], registry: Registry) -> None:
        """Complain of search engines that cannot take some cell's codes."""
        for i, why in engine_problems(self.matrix.spec.latency, cells.values(), registry):
            self._complain(("latency", i, "params"), why)

    def _complain(self, path: KeyPath, message: str) -> None:
        self.problems.append(self.matrix.positions.problem(path, message))

    def _is_excluded(self, cell: Cell) -> bool:
        names = cell_names(cell)
        for i, rule in enumerate(self.matrix.spec.exclude):
            if matches(rule.values(), names):
                self.excluded[i] += 1
                return True
        return False

    def _trained(self, bare: Cell, source: Source, entry: Entry) -> Cell:
        wanted = self._wanted(bare)
        return replace(
            bare,
            precision=wanted.precision or Precision.FP32,
            determinism=wanted.determinism or Determinism.STRICT,
            train=self._settings(wanted, source, entry, bits=bare.bits) if entry.head else None,
        )

    def _wanted(self, cell: Cell) -> TrainSpec:
        wanted, names = self.matrix.spec.train, cell_names(cell)
        for i, override in enumerate(self.matrix.spec.overrides):
            if matches(override.where.values(), names):
                self.overridden[i] += 1
                wanted = wanted.overridden_by(override.train)
        return wanted

    def _settings(
        self, wanted: TrainSpec, source: Source, entry: Entry, *, bits: int | None
    ) -> TrainSettings:
        assert entry.trunk and bits  # noqa: S101 - a deep entry has both
        settings = resolve_training(
            wanted,
            backbone=entry.trunk.component.name,
            pretrained=entry.trunk.weights.pretrained,
            usual_augmentation=entry.cls.needs.augmentation or source.protocol.augmentation,
            train_size=source.train_size,
            prepass=self._prepass(wanted, entry, entry.trunk),
        )
        size = _data_choice(source, entry.trunk).image_size
        for why in training_problems(settings, entry, bits=bits, image_size=size):
            self._complain(entry.path, why)
        return settings

    def _prepass(self, wanted: TrainSpec, entry: Entry, trunk: Trunk) -> str | None:
        if not entry.cls.needs.prepass:
            return None
        if wanted.prepass in (None, "weights") and not trunk.weights.pretrained:
            self._complain(
                entry.path,
                f"{entry.component.name} reads features before training, and "
                f"{trunk.component.name} has no weights. Give it weights, or train: "
                f"{{prepass: pixels}} or random",
            )
        return wanted.prepass or "weights"


def _bare_cell(source: Source, entry: Entry, *, bits: int | None, seed: int) -> Cell:
    """Make a cell without the settings that the rules of the matrix may still change."""
    deep, trunk = entry.head is not None, entry.trunk
    return Cell(
        data=_data_choice(source, trunk),
        bits=bits,
        seed=seed,
        backbone=trunk.component if trunk else None,
        weights=trunk.weights if trunk else Weights(),
        head=entry.head,
        loss=entry.component if deep else None,
        method=None if deep else entry.component,
    )


def _data_choice(source: Source, trunk: Trunk | None) -> DataChoice:
    size, normalisation = source.protocol.image_size, "protocol"
    if trunk:
        size = trunk.spec.image_size or trunk.cls.image_size or size
        usual = trunk.cls.pretrained_normalisation if trunk.weights.pretrained else "protocol"
        normalisation = trunk.spec.normalisation or usual
    return DataChoice(
        name=source.name,
        version=source.version,
        protocol=source.protocol.name,
        protocol_sha256=source.protocol.sha256,
        image_size=size,
        normalisation=normalisation,
        subset=source.subset,
    )
