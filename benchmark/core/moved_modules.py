"""Old import paths: modules that have moved stay importable for one version, with a warning.

A plugin written for version 0.1.0 may import a module from where it was then. When Python finds no
module of that name, `MovedModules` looks for it in its new place and offers the same names. In the
next version this file and its import in ``hashbench/__init__.py`` go.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec, spec_from_file_location
from types import ModuleType
from typing import Final

# Modules that lay directly in a package and now lie in one of these folders of it.
_FOLDERS: Final = {
    "hashbench.datasets": ("protocols", "reading", "sources"),
    "hashbench.methods": ("building_blocks",),
    "hashbench.reports": ("formats",),
}
# Packages and modules under a new name; where a module was divided, all that have its names. A
# commit that renames, merges or divides a module that plugins may import adds it here.
_RENAMED: Final[dict[str, tuple[str, ...]]] = {
    "hashbench.shards": ("hashbench.evaluation.sharded",),
    "hashbench.shards.queries": ("hashbench.evaluation.sharded.folder",),
}


class MovedModules:
    """Finds a moved module under its old name; stands last on ``sys.meta_path``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Describe the old name of a moved module; None for every other name."""
        found = [spec for name in _new_names(fullname) if (spec := find_spec(name))]
        if not found or not (file := found[0].origin):
            return None
        loader = _Loader(fullname, file, [spec.name for spec in found])
        spec = spec_from_file_location(fullname, file, loader=loader)
        if spec and found[0].submodule_search_locations is not None:
            spec.submodule_search_locations = []  # a package; its modules are looked for here too
        return spec


class _Loader(SourceFileLoader):
    """Offers the names of the new modules; ``python -m OLD_NAME`` runs the first one's file."""

    def __init__(self, fullname: str, path: str, new_names: Sequence[str]) -> None:
        super().__init__(fullname, path)
        self.new_names = new_names

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module under its old name with what the new modules define, and warn."""
        warnings.warn(
            f"{module.__name__} is now {' and '.join(self.new_names)}; the old name will be gone "
            f"in the next version. Import from hashbench.plugin what it offers, the rest from the "
            f"new name",
            DeprecationWarning,
            stacklevel=2,
        )
        for new_name in self.new_names:
            defined = vars(import_module(new_name)).items()
            vars(module).update({name: value for name, value in defined if name[:2] != "__"})


def _new_names(fullname: str) -> tuple[str, ...]:
    """List the names under which a module may be now."""
    if fullname in _RENAMED:
        return _RENAMED[fullname]
    parent, _, name = fullname.rpartition(".")
    inside = tuple(f"{package}.{name}" for package in _RENAMED.get(parent, ()))
    return inside + tuple(f"{parent}.{folder}.{name}" for folder in _FOLDERS.get(parent, ()))


def install() -> None:
    """Let Python look for moved modules once nothing else has found a name."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
