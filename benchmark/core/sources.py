"""Compute digests of the source code behind a cell's codes, without importing it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Entry, Kind, Registry

_SHARED = (
    *("hashbench.training", "hashbench.methods", "hashbench.methods.building_blocks"),
    *("hashbench.datasets", "hashbench.datasets.protocols", "hashbench.datasets.reading"),
)


@lru_cache(maxsize=32)
def package_sha256(package: str, *, without: frozenset[Path] = frozenset()) -> str:
    """Compute the SHA-256 over the Python files directly in a package's folder.

    Args:
        package: Its dotted name.
        without: Files to leave out.

    Raises:
        ConfigError: If there is no such package.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"package {package} is not installed; install hashbench again")
    sha = hashlib.sha256()
    for path in sorted(Path(spec.submodule_search_locations[0]).glob("*.py")):
        if path not in without:
            sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def source_digests(cell: Cell, registry: Registry) -> dict[str, str]:
    """Compute the SHA-256 of the source of every component of a cell and of the code they share.

    Other components of the same package are not included, so that editing one loss does not affect
    the results of the others. Modules that several components share are included.

    Raises:
        ConfigError: If a component is not registered.
    """
    used = [(Kind.DATASET, cell.data.name)]
    used += [(Kind.BACKBONE, cell.backbone.name)] if cell.backbone else []
    used += [(Kind.LOSS, cell.loss.name)] if cell.loss else []
    used += [(Kind.METHOD, cell.method.name)] if cell.method else []
    entries = [registry.get(kind, name) for kind, name in used]
    components = frozenset(_files(registry))
    digests = {f"{entry.kind}/{entry.name}": entry.source_sha256() for entry in entries}
    for package in sorted({*_SHARED, *_own_packages(entries)}):
        short = package.removeprefix("hashbench.")
        digests[short] = package_sha256(package, without=components)
    return digests


def _files(registry: Registry) -> Iterable[Path]:
    for kind in (Kind.DATASET, Kind.BACKBONE, Kind.LOSS, Kind.METHOD):
        for name in registry.names(kind):
            entry = registry.get(kind, name)
            if entry.module.startswith("hashbench."):
                yield entry.source()


def _own_packages(entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        package = entry.module.rpartition(".")[0]
        if package.startswith("hashbench."):
            yield package
