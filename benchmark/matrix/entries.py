"""The datasets and methods of a matrix, with every default filled in.

The matrix has been validated, so every name is known and every parameter fits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hashbench.core.canonical import digest_file
from hashbench.core.cell import Component, Head, Subset, Weights
from hashbench.core.info import LabelKind
from hashbench.core.params import resolve_params
from hashbench.core.registry import Kind, Registry
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol
from hashbench.matrix.data_schema import DatasetSpec
from hashbench.matrix.load import Matrix
from hashbench.matrix.lookup import DOWNLOADS, NO_WEIGHTS
from hashbench.matrix.positions import KeyPath
from hashbench.matrix.schema import (
    BASELINES,
    BackboneSpec,
    ComponentSpec,
    LossGroupSpec,
    LossSpec,
    MethodSpec,
    PairSpec,
)

FILE_WEIGHTS = "file"
"""The source of weights that come from a file, wherever it lies."""


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset of the matrix, cut by a protocol."""

    name: str
    version: int
    labels: frozenset[LabelKind]
    protocol: ProtocolSpec
    subset: Subset | None

    @property
    def train_size(self) -> int:
        """The number of training images."""
        return (self.subset and self.subset.train) or self.protocol.sizes["train"]


@dataclass(frozen=True, slots=True)
class Trunk:
    """A backbone with its first weights."""

    component: Component
    cls: Any
    weights: Weights
    spec: BackboneSpec


@dataclass(frozen=True, slots=True)
class Entry:
    """A method of the matrix: a trunk with a loss, or a shallow method on a trunk or on pixels.

    Attributes:
        trunk: The backbone; None for pixels.
        component: The loss or the shallow method.
        cls: Its class.
        head: The head of a deep method; None for a shallow one.
        path: Its key in the matrix, for messages.
    """

    trunk: Trunk | None
    component: Component
    cls: Any
    head: Head | None
    path: KeyPath


@dataclass(frozen=True, slots=True)
class Entries:
    """Reads the blocks ``datasets`` and ``methods`` of a valid matrix.

    Attributes:
        matrix: The matrix.
        registry: Resolves its names.
        weights: Weight files met so far, by SHA-256.
    """

    matrix: Matrix
    registry: Registry
    weights: dict[str, Path] = field(default_factory=dict)

    def sources(self) -> list[Source]:
        """Return the datasets, in the matrix's order."""
        return [self._source(spec) for spec in self.matrix.spec.datasets]

    def methods(self) -> list[Entry]:
        """Return the methods: those of grid, of pairs, then of baselines."""
        methods, found = self.matrix.spec.methods, []
        if methods.grid:
            trunks = [self._trunk(spec) for spec in methods.grid.backbones]
            listed = enumerate(methods.grid.losses)
            tails = [
                (spec, ("methods", "grid", "losses", i))
                for i, entry in listed
                for spec in self._losses(entry)
            ]
            usual = methods.grid.last_layer
            found = [
                self._deep(trunk, *tail, last_layer=usual) for trunk, tail in product(trunks, tails)
            ]
        for i, pair in enumerate(methods.pairs):
            found += self._pair(pair, ("methods", "pairs", i))
        for i, features in enumerate(methods.baselines):
            found += self._baselines(features, ("methods", "baselines", i))
        return found

    def _baselines(self, features: BackboneSpec | None, path: KeyPath) -> list[Entry]:
        wanted = ({"name": name} for name in BASELINES)
        specs = (MethodSpec.model_validate(one, context=self.matrix.lookup) for one in wanted)
        return [self._shallow(spec, features, path) for spec in specs]

    def _source(self, spec: DatasetSpec) -> Source:
        cls = self.registry.load(Kind.DATASET, spec.name)
        subset = Subset(**spec.subset.model_dump()) if spec.subset else None
        protocol = load_protocol(spec.protocol or cls.default_protocol)
        return Source(spec.name, cls.info.version, cls.info.labels, protocol, subset)

    def _component(self, spec: ComponentSpec) -> tuple[Component, Any]:
        cls = self.registry.load(spec.kind, spec.name)
        params = resolve_params(cls.Params, preset=spec.preset, params=spec.params)
        return Component(spec.name, cls.info.version, params, spec.preset), cls

    def _trunk(self, spec: BackboneSpec) -> Trunk:
        return Trunk(*self._component(spec), self._first_weights(spec.weights), spec)

    def _first_weights(self, source: str) -> Weights:
        if source == NO_WEIGHTS or source.startswith(DOWNLOADS):
            return Weights(source)
        file = self.matrix.path(source)
        sha256 = digest_file(file)
        self.weights[sha256] = file
        # Neither the file's path nor its name is part of the cell.
        return Weights(FILE_WEIGHTS, sha256)

    def _pair(self, pair: PairSpec, path: KeyPath) -> list[Entry]:
        if pair.method:
            return [self._shallow(pair.method, pair.features, path)]
        assert pair.backbone and pair.loss  # noqa: S101 - the schema allows nothing else
        trunk = self._trunk(pair.backbone)
        return [self._deep(trunk, spec, path) for spec in self._losses(pair.loss)]

    def _losses(self, spec: LossSpec) -> list[LossSpec]:
        """Return the loss, or those of the group."""
        return spec.members(self.matrix.lookup) if isinstance(spec, LossGroupSpec) else [spec]

    def _deep(
        self, trunk: Trunk, spec: LossSpec, path: KeyPath, *, last_layer: str | None = None
    ) -> Entry:
        component, cls = self._component(spec)
        layer = spec.last_layer or cls.needs.last_layer or last_layer or Head().last_layer
        return Entry(trunk, component, cls, Head(trunk.spec.neck, layer), path)

    def _shallow(self, spec: MethodSpec, features: BackboneSpec | None, path: KeyPath) -> Entry:
        trunk = self._trunk(features) if features else None
        return Entry(trunk, *self._component(spec), None, path)
