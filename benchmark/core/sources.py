"""Digests of the source code that makes a cell's codes, read without importing it."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, Registry

_SHARED = {"training": "hashbench.training", "methods": "hashbench.methods"}


@lru_cache(maxsize=8)
def package_sha256(package: str) -> str:
    """SHA-256 over the Python files that lie directly in a package's folder."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"package {package} is not installed; install hashbench again")
    sha = hashlib.sha256()
    for path in sorted(Path(spec.submodule_search_locations[0]).glob("*.py")):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def source_digests(cell: Cell, registry: Registry) -> dict[str, str]:
    """SHA-256 of the source of every component of a cell and of the code they share.

    Raises:
        ConfigError: If a component is not registered.
    """
    used = [(Kind.DATASET, cell.data.name)]
    used += [(Kind.BACKBONE, cell.backbone.name)] if cell.backbone else []
    used += [(Kind.LOSS, cell.loss.name)] if cell.loss else []
    used += [(Kind.METHOD, cell.method.name)] if cell.method else []
    digests = {f"{kind}/{name}": registry.get(kind, name).source_sha256() for kind, name in used}
    return digests | {name: package_sha256(package) for name, package in _SHARED.items()}
