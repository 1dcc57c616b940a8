"""Find the methods of a matrix that cannot be trained, and engines that cannot search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hashbench.core.cell import BackboneMode, Cell, TrainSettings
from hashbench.core.errors import ConfigError
from hashbench.core.params import resolve_params
from hashbench.core.registry import Kind, Registry
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.matrix.entries import FILE_WEIGHTS, Entry, Trunk
from hashbench.matrix.schema import LatencySpec
from hashbench.methods.refusals import training_refusals


def training_problems(
    settings: TrainSettings, entry: Entry, *, bits: int, image_size: int
) -> list[str]:
    """Return one line for each reason why a deep method cannot be trained so; none if it can."""
    assert entry.trunk and entry.head  # noqa: S101 - a deep entry has both
    params = entry.cls.Params(**entry.component.params)
    problems = training_refusals(entry.cls, params, bits=bits, head=entry.head, settings=settings)
    frozen = settings.backbone is BackboneMode.FROZEN
    # A file may hold the new parts too; whether it does is seen when it is loaded.
    from_file = entry.trunk.weights.source == FILE_WEIGHTS
    if frozen and not from_file and _has_new_parts(entry.trunk, image_size):
        name = entry.trunk.component.name
        problems.append(
            f"{name} has parts that no published weights hold (such as the AEM), which would stay "
            f"as they start in a frozen backbone. Use its preset none, or a file of its own weights"
        )
    return [f"{entry.component.name} on {entry.trunk.component.name}: {why}" for why in problems]


def _has_new_parts(trunk: Trunk, image_size: int) -> bool:
    import torch

    try:
        with torch.device("meta"):  # shapes only: neither memory nor random numbers are used
            params = trunk.cls.Params(**trunk.component.params)
            return bool(trunk.cls(params, image_size=image_size).new_parameters())
    except ConfigError:
        return False  # told when the cell runs, for a tuned backbone as for a frozen one


def engine_params(spec: LatencySpec, registry: Registry) -> dict[str, Any]:
    """Return every parameter of a valid entry's engine, defaults included, as plain data."""
    cls = registry.load(Kind.ENGINE, spec.engine)
    return resolve_params(cls.Params, preset=None, params=spec.params)


def engine_problems(
    specs: Iterable[LatencySpec], cells: Iterable[Cell], registry: Registry
) -> Iterator[tuple[int, str]]:
    """Yield the index of each latency entry that cannot search some cells' codes, and why."""
    shapes = sorted({(cell.bits, database_size(cell)) for cell in cells if cell.bits is not None})
    for place, spec in enumerate(specs):
        cls = registry.load(Kind.ENGINE, spec.engine)
        params = cls.Params(**engine_params(spec, registry))
        refused = (cls.refusals(params, bits=bits, items=items) for bits, items in shapes)
        yield from dict.fromkeys((place, problem) for found in refused for problem in found)


def database_size(cell: Cell) -> int:
    """Return the codes in a cell's database; an upper bound if its protocol has no size."""
    subset, protocol = cell.data.subset, load_protocol(cell.data.protocol)
    known = protocol.sizes.get("database", protocol.images - protocol.sizes["query"])
    return (subset and subset.database) or known
