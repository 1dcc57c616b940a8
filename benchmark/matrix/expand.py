"""From a matrix to its cells: names looked up, defaults filled in, impossible pairs refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hashbench.core.canonical import digest_file
from hashbench.core.cell import (
    Cell,
    Component,
    DataChoice,
    Determinism,
    Head,
    Precision,
    Subset,
    Weights,
)
from hashbench.core.errors import ConfigError, did_you_mean
from hashbench.core.info import LabelKind
from hashbench.core.params import resolve_params
from hashbench.core.registry import Kind, Registry
from hashbench.datasets.protocol import ProtocolSpec, load_protocol
from hashbench.matrix.load import Matrix
from hashbench.matrix.positions import Path_
from hashbench.matrix.recipes import recipes, resolve_recipe
from hashbench.matrix.schema import (
    BackboneSpec,
    DatasetSpec,
    LossSpec,
    MethodSpec,
    PairSpec,
    SubsetSpec,
    TrainOverrides,
    WhereSpec,
)
from hashbench.methods.head_names import LAST_LAYERS, NECKS

PIXELS = "pixels"
_DOWNLOADS = ("timm/", "torchvision/")


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a matrix stands for.

    Attributes:
        cells: Every cell once, in the matrix's order.
        weights: Weight files by SHA-256.
        excluded: Number of cells left out by each ``exclude`` entry, with its reason.
    """

    cells: tuple[Cell, ...]
    weights: dict[str, Path]
    excluded: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Data:
    name: str
    version: int
    protocol: ProtocolSpec
    subset: Subset | None
    labels: frozenset[LabelKind]
    path: Path_

    @property
    def train_size(self) -> int:
        return (self.subset and self.subset.train) or self.protocol.sizes["train"]


@dataclass(frozen=True, slots=True)
class _Trunk:
    component: Component
    cls: Any
    weights: Weights
    spec: BackboneSpec
    path: Path_


@dataclass(frozen=True, slots=True)
class _Entry:
    """One method of the matrix: a trunk with a loss, or a shallow method on it."""

    trunk: _Trunk | None
    tail: Component
    tail_cls: Any
    last_layer: str | None
    path: Path_

    @property
    def deep(self) -> bool:
        return self.last_layer is not None


@dataclass
class _Expander:
    matrix: Matrix
    registry: Registry
    problems: list[str] = field(default_factory=list)
    weights: dict[str, Path] = field(default_factory=dict)
    excluded: Counter[int] = field(default_factory=Counter)
    overridden: Counter[int] = field(default_factory=Counter)

    def complain(self, path: Path_, message: str) -> None:
        self.problems.append(self.matrix.positions.problem(path, message))

    def datasets(self) -> list[_Data]:
        specs = enumerate(self.matrix.spec.datasets)
        found = [self._dataset(spec, ("datasets", i)) for i, spec in specs]
        return [data for data in found if data]

    def _dataset(self, spec: DatasetSpec, path: Path_) -> _Data | None:
        cls = self._load(Kind.DATASET, spec.name, path)
        if cls is None:
            return None
        try:
            protocol = load_protocol(spec.protocol or cls.default_protocol)
        except ConfigError as error:
            self.complain((*path, "protocol"), str(error))
            return None
        if protocol.dataset != spec.name:
            self.complain(
                (*path, "protocol"),
                f"'{protocol.name}' is a protocol of dataset '{protocol.dataset}', "
                f"not of '{spec.name}'",
            )
            return None
        subset = self._subset(spec.subset, protocol, path)
        return _Data(spec.name, cls.info.version, protocol, subset, cls.info.labels, path)

    def _subset(
        self, spec: SubsetSpec | None, protocol: ProtocolSpec, path: Path_
    ) -> Subset | None:
        if spec is None:
            return None
        for role in ("train", "query", "database"):
            size = getattr(spec, role)
            if size is not None and size > protocol.sizes[role]:
                self.complain(
                    (*path, "subset", role),
                    f"{size} is more than the {protocol.sizes[role]} that {protocol.name} has",
                )
        return Subset(spec.train, spec.query, spec.database, spec.seed)

    def _load(self, kind: Kind, name: str, path: Path_) -> Any:
        try:
            return self.registry.load(kind, name)
        except ConfigError as error:
            self.complain(path, str(error))
            return None

    def _component(self, kind: Kind, spec: Any, path: Path_) -> tuple[Component, Any] | None:
        cls = self._load(kind, spec.name, path)
        if cls is None:
            return None
        try:
            params = resolve_params(cls.Params, preset=spec.preset, params=spec.params)
        except ConfigError as error:
            for problem in error.problems:
                key, _, message = problem.partition(": ")
                place: Path_ = (*path, key) if key == "preset" else (*path, "params", key)
                self.complain(place, f"{spec.name}: {message}")
            return None
        return Component(spec.name, cls.info.version, params, spec.preset), cls

    def _trunk(self, spec: BackboneSpec, path: Path_) -> _Trunk | None:
        found = self._component(Kind.BACKBONE, spec, path)
        weights = self._weights(spec.weights, path)
        if spec.neck not in NECKS:
            self.complain((*path, "neck"), f"'{spec.neck}'. {did_you_mean(spec.neck, NECKS)}")
        return _Trunk(*found, weights, spec, path) if found and weights else None

    def _weights(self, source: str, path: Path_) -> Weights | None:
        if source == "none" or source.startswith(_DOWNLOADS):
            return Weights(source)
        file = self.matrix.path(source)
        if not file.is_file():
            self.complain(
                (*path, "weights"),
                f"no such file: {file}. Give 'none', a file, timm/NAME or torchvision/NAME",
            )
            return None
        sha256 = digest_file(file)
        self.weights[sha256] = file
        return Weights(file.name, sha256)

    def entries(self) -> list[_Entry]:
        methods = self.matrix.spec.methods
        found: list[_Entry | None] = []
        if methods.grid:
            base: Path_ = ("methods", "grid")
            trunks = [
                self._trunk(spec, (*base, "backbones", i))
                for i, spec in enumerate(methods.grid.backbones)
            ]
            tails = [
                self._tail(spec, (*base, "losses", i)) for i, spec in enumerate(methods.grid.losses)
            ]
            found += [
                self._deep(trunk, *tail) for trunk, tail in product(trunks, tails) if trunk and tail
            ]
        found += [self._pair(pair, ("methods", "pairs", i)) for i, pair in enumerate(methods.pairs)]
        return [entry for entry in found if entry]

    def _tail(self, spec: LossSpec, path: Path_) -> tuple[Component, Any, LossSpec, Path_] | None:
        found = self._component(Kind.LOSS, spec, path)
        return (*found, spec, path) if found else None

    def _deep(
        self, trunk: _Trunk, loss: Component, cls: Any, spec: LossSpec, path: Path_
    ) -> _Entry | None:
        wanted, declared = spec.last_layer, cls.needs.last_layer
        if wanted is not None and wanted not in LAST_LAYERS:
            self.complain((*path, "last_layer"), f"'{wanted}'. {did_you_mean(wanted, LAST_LAYERS)}")
            return None
        if wanted and declared and wanted != declared:
            self.complain(
                (*path, "last_layer"),
                f"{loss.name} is defined with '{declared}', not '{wanted}'. Remove the key",
            )
            return None
        return _Entry(trunk, loss, cls, wanted or declared or Head().last_layer, path)

    def _pair(self, pair: PairSpec, path: Path_) -> _Entry | None:
        if pair.method:
            return self._shallow(pair.method, pair.features, path)
        assert pair.backbone and pair.loss  # noqa: S101 - the schema allows nothing else
        trunk = self._trunk(pair.backbone, (*path, "backbone"))
        tail = self._tail(pair.loss, (*path, "loss"))
        return self._deep(trunk, *tail) if trunk and tail else None

    def _shallow(
        self, spec: MethodSpec, features: BackboneSpec | None, path: Path_
    ) -> _Entry | None:
        found = self._component(Kind.METHOD, spec, (*path, "method"))
        trunk = None
        if features and features.name != PIXELS:
            trunk = self._trunk(features, (*path, "features"))
            if trunk is None:
                return None
        return _Entry(trunk, *found, None, path) if found else None

    def cells(self, data: _Data, entry: _Entry) -> Iterator[Cell]:
        spec = self.matrix.spec
        lengths: list[int | None] = list(spec.bits)
        seeds = spec.seeds
        if not entry.deep and not entry.tail_cls.binary:
            lengths, seeds = [None], seeds[:1]
        for bits, seed in product(lengths, seeds):
            names = _names(data, entry, bits=bits, seed=seed)
            if self._is_excluded(names):
                continue
            if not data.labels & entry.tail_cls.info.labels:
                needed = "/".join(sorted(data.labels))
                self.complain(
                    entry.path,
                    f"{entry.tail.name} cannot be trained on {needed} data ({data.name}). "
                    f"Exclude the pair, with a reason",
                )
                return
            yield self._cell(data, entry, names)

    def _is_excluded(self, names: dict[str, Any]) -> bool:
        for i, rule in enumerate(self.matrix.spec.exclude):
            if matches(rule, names):
                self.excluded[i] += 1
                return True
        return False

    def _cell(self, data: _Data, entry: _Entry, names: dict[str, Any]) -> Cell:
        train = self._train_settings(names)
        trunk = entry.trunk
        common = {
            "data": self._data_choice(data, trunk),
            "bits": names["bits"],
            "seed": names["seed"],
            "precision": train.precision or Precision.FP32,
            "determinism": train.determinism or Determinism.STRICT,
            "backbone": trunk.component if trunk else None,
            "weights": trunk.weights if trunk else Weights(),
        }
        if not entry.deep:
            return Cell(**common, method=entry.tail)
        assert trunk and entry.last_layer  # noqa: S101 - a deep entry has both
        settings = resolve_recipe(
            train,
            backbone=trunk.component.name,
            pretrained=trunk.weights.pretrained,
            protocol_augmentation=data.protocol.augmentation,
            train_size=data.train_size,
            prepass=self._prepass(entry, trunk, train),
        )
        head = Head(trunk.spec.neck, entry.last_layer)
        return Cell(**common, head=head, loss=entry.tail, train=settings)

    def check_recipes(self) -> None:
        """Complain of recipes that do not exist."""
        spec = self.matrix.spec
        places: list[tuple[Path_, TrainOverrides]] = [(("train",), spec.train)]
        places += [(("overrides", i, "train"), o.train) for i, o in enumerate(spec.overrides)]
        for path, train in places:
            if train.recipe is not None and train.recipe not in recipes():
                known = did_you_mean(train.recipe, list(recipes()))
                self.complain((*path, "recipe"), f"unknown recipe '{train.recipe}'. {known}")

    def check_rules(self) -> None:
        """Complain of rules that apply to no cell: most likely a name in them is wrong."""
        spec = self.matrix.spec
        for key, count, matched in (
            ("exclude", len(spec.exclude), self.excluded),
            ("overrides", len(spec.overrides), self.overridden),
        ):
            for i in range(count):
                if not matched[i]:
                    self.complain((key, i), "matches no cell. Correct its names or remove it")

    def _prepass(self, entry: _Entry, trunk: _Trunk, train: TrainOverrides) -> str | None:
        if not entry.tail_cls.needs.prepass:
            return None
        if train.prepass is None and not trunk.weights.pretrained:
            self.complain(
                entry.path,
                f"{entry.tail.name} reads features before training, and {trunk.component.name} "
                f"has no weights: give it weights, or train: {{prepass: pixels}} or random",
            )
        return train.prepass or "weights"

    def _data_choice(self, data: _Data, trunk: _Trunk | None) -> DataChoice:
        size, normalisation = data.protocol.image_size, "protocol"
        if trunk:
            spec, cls = trunk.spec, trunk.cls
            size = spec.image_size or cls.image_size or size
            usual = cls.pretrained_normalisation if trunk.weights.pretrained else "protocol"
            normalisation = spec.normalisation or usual
        return DataChoice(
            data.name,
            data.version,
            data.protocol.name,
            data.protocol.sha256,
            size,
            normalisation,
            data.subset,
        )

    def _train_settings(self, names: dict[str, Any]) -> TrainOverrides:
        settings = self.matrix.spec.train.model_dump(exclude_none=True)
        for i, override in enumerate(self.matrix.spec.overrides):
            if matches(override.where, names):
                self.overridden[i] += 1
                settings |= override.train.model_dump(exclude_none=True)
        return TrainOverrides.model_validate(settings)


def _names(data: _Data, entry: _Entry, *, bits: int | None, seed: int) -> dict[str, Any]:
    return {
        "dataset": data.name,
        "protocol": data.protocol.name,
        "backbone": entry.trunk.component.name if entry.trunk else PIXELS,
        "loss" if entry.deep else "method": entry.tail.name,
        "bits": bits,
        "seed": seed,
    }


def matches(where: WhereSpec, names: dict[str, Any]) -> bool:
    """Whether a cell's names hold a value of every key given in ``where``."""
    given = {key: getattr(where, key) for key in WhereSpec.model_fields}
    return all(names.get(key) in values for key, values in given.items() if values is not None)


def expand(matrix: Matrix, registry: Registry) -> Expansion:
    """Resolve a matrix to its cells.

    Args:
        matrix: The validated file.
        registry: Where names are looked up.

    Raises:
        ConfigError: With one line for each mistake.
    """
    expander = _Expander(matrix, registry)
    datasets, entries = expander.datasets(), expander.entries()
    expander.check_recipes()
    cells: dict[str, Cell] = {}
    if not expander.problems:
        for data, entry in product(datasets, entries):
            for cell in expander.cells(data, entry):
                cells.setdefault(cell.fit_id, cell)
        expander.check_rules()
    if expander.problems:
        raise ConfigError(*dict.fromkeys(expander.problems))
    rules = enumerate(matrix.spec.exclude)
    excluded = tuple((rule.because, expander.excluded[i]) for i, rule in rules)
    return Expansion(tuple(cells.values()), expander.weights, excluded)
