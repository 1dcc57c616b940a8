"""The search engines that a matrix names: their parameters, and the codes they refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hashbench.core.cell import Cell
from hashbench.core.params import resolve_params
from hashbench.core.registry import Kind, Registry
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.matrix.schema import LatencySpec


def engine_params(spec: LatencySpec, registry: Registry) -> dict[str, Any]:
    """Every parameter of a valid entry's engine, defaults included, as plain data."""
    cls = registry.load(Kind.ENGINE, spec.engine)
    return resolve_params(cls.Params, preset=None, params=spec.params)


def engine_problems(
    specs: Iterable[LatencySpec], cells: Iterable[Cell], registry: Registry
) -> Iterator[tuple[int, str]]:
    """Say which entries cannot search the codes of some cells.

    Args:
        specs: The entries of a valid matrix's block ``latency``.
        cells: Its cells.
        registry: Where engines are looked up.

    Yields:
        The entry's place in the block and one line, each once.
    """
    shapes = sorted({(cell.bits, database_size(cell)) for cell in cells if cell.bits is not None})
    for place, spec in enumerate(specs):
        cls = registry.load(Kind.ENGINE, spec.engine)
        params = cls.Params(**engine_params(spec, registry))
        refused = (cls.refusals(params, bits=bits, items=items) for bits, items in shapes)
        yield from dict.fromkeys((place, problem) for found in refused for problem in found)


def database_size(cell: Cell) -> int:
    """Codes in a cell's database; at most, where its protocol does not know."""
    subset, protocol = cell.data.subset, load_protocol(cell.data.protocol)
    known = protocol.sizes.get("database", protocol.images - protocol.sizes["query"])
    return (subset and subset.database) or known
