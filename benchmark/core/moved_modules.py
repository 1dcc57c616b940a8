"""Old import paths: modules that have moved stay importable for one version, with a warning.

A plugin written for version 0.1.0 may import a module from where it was then. When Python finds no
module of that name, `MovedModules` looks for it in its new place and offers the same names. In the
next version this file and its import in ``hashbench/__init__.py`` go.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
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
# Packages and modules under a new name, without the leading "hashbench.". A commit that renames or
# merges a module that plugins may import adds it here.
_RENAMED: Final = {
    "methods.cooccurrence": "methods.losses.dfadh",
    "methods.directions": "methods.building_blocks.feature_directions",
    "methods.discrete": "methods.building_blocks.discrete_codes",
    "methods.distance_histogram": "methods.losses.ssdh",
    "methods.half_pairs": "methods.building_blocks.feature_directions",
    "methods.half_signs": "methods.losses.bihalf",
    "methods.kmeans": "methods.building_blocks.clustering",
    "methods.label_similarity": "methods.losses.adsh",
    "methods.necks": "methods.heads",
    "methods.neighbours": "methods.building_blocks.pseudo_similarity",
    "methods.outer_iterations": "methods.building_blocks.discrete_codes",
    "methods.pair_likelihood": "methods.building_blocks.pairs",
    "methods.partners": "methods.building_blocks.pairs",
    "methods.prepass_directions": "methods.building_blocks.feature_directions",
    "methods.proxy_threshold": "methods.losses.hyp2",
    "methods.second_view": "methods.building_blocks.pairs",
    "methods.shallow.feature_method": "methods.shallow.interface",
    "methods.shallow.linear_classifier": "methods.shallow.predicted_class",
    "methods.shallow.rotation": "methods.shallow.principal",
    "methods.soft_clusters": "methods.building_blocks.clustering",
    "evaluation.gain_groups": "evaluation.tie_groups",
    "evaluation.radius": "evaluation.precision_recall",
    "search.distances": "search.scan",
    "search.order": "search.engine",
    "search.select": "search.scan",
    "shards": "evaluation.sharded",
    "shards.queries": "evaluation.sharded.folder",
}


class MovedModules:
    """Finds a moved module under its old name; stands last on ``sys.meta_path``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Describe the old name of a moved module; None for every other name."""
        new = next((spec for name in _new_names(fullname) if (spec := find_spec(name))), None)
        if new is None or new.origin is None:
            return None
        loader = _Loader(fullname, new.origin, new.name)
        spec = spec_from_file_location(fullname, new.origin, loader=loader)
        if spec and new.submodule_search_locations is not None:
            spec.submodule_search_locations = []  # a package; its modules are looked for here too
        return spec


class _Loader(SourceFileLoader):
    """Offers the names of the new module; ``python -m OLD_NAME`` runs its file."""

    def __init__(self, fullname: str, path: str, new_name: str) -> None:
        super().__init__(fullname, path)
        self.new_name = new_name

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module under its old name with what the new one defines, and warn."""
        warnings.warn(
            f"{module.__name__} is now {self.new_name}; the old name will be gone in the next "
            f"version. Import from hashbench.plugin what it offers, the rest from the new name",
            DeprecationWarning,
            stacklevel=2,
        )
        defined = vars(import_module(self.new_name)).items()
        vars(module).update({name: value for name, value in defined if name[:2] != "__"})


def _new_names(fullname: str) -> Iterator[str]:
    """Yield the names under which a module may be now, the surest first."""
    parent, _, name = fullname.rpartition(".")
    short = fullname.removeprefix("hashbench.")
    if short in _RENAMED:
        yield f"hashbench.{_RENAMED[short]}"
    elif package := _RENAMED.get(parent.removeprefix("hashbench.")):
        yield f"hashbench.{package}.{name}"
    for folder in _FOLDERS.get(parent, ()):
        yield f"{parent}.{folder}.{name}"


def install() -> None:
    """Let Python look for moved modules once nothing else has found a name."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
