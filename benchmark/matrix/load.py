"""Read and validate a matrix file; report all mistakes at once, each with its line and column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hashbench.core.errors import ConfigError, did_you_mean
from hashbench.core.params import sentence
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import Registry
from hashbench.datasets.roots import look_in
from hashbench.matrix.lookup import MISTAKE, Lookup
from hashbench.matrix.positions import KeyPath, Positions, read_yaml
from hashbench.matrix.schema import MatrixSpec


@dataclass(frozen=True, slots=True)
class Matrix:
    """A valid matrix file.

    Attributes:
        spec: Its content.
        positions: Line and column of each key, for later messages.
        lookup: Resolves its names and paths.
    """

    spec: MatrixSpec
    positions: Positions
    lookup: Lookup

    def path(self, name: str) -> Path:
        """Return the absolute path of a name in the matrix file."""
        return self.lookup.path(name)

    @property
    def data_root(self) -> Path | None:
        """The folder of datasets from the command line, else that of the matrix, if any."""
        named = self.spec.execute.data_root
        return self.lookup.data_root or (self.path(named) if named else None)

    @property
    def plugins(self) -> tuple[Path, ...]:
        """The plugin files it names."""
        return tuple(self.path(name) for name in self.spec.plugins)


def load_matrix(file: Path, registry: Registry, *, data_root: Path | None = None) -> Matrix:
    """Read a matrix, load its plugins, and check all its values.

    Args:
        file: The YAML file.
        registry: Receives the plugins' components.
        data_root: The folder of datasets; overrides that of the matrix.

    Raises:
        ConfigError: With one line for each mistake.
    """
    document = read_yaml(file)
    data, positions = document.data, document.positions
    if not isinstance(data, Mapping):
        kind = "empty" if data is None else f"a {type(data).__name__}"
        raise ConfigError(f"{file}: is {kind}, a matrix is a mapping that starts with version: 1")
    lookup = Lookup(registry, file.parent, data_root)
    _load_plugins(data.get("plugins"), positions, lookup)
    _look_in_data_root(data.get("execute"), lookup)
    problems = list(document.problems)
    try:
        spec = MatrixSpec.model_validate(data, context=lookup)
    except ValidationError as error:
        problems += positions.problems(explain(found, MatrixSpec) for found in error.errors())
    if problems:
        raise ConfigError(*problems)
    return Matrix(spec, positions, lookup)


def _load_plugins(names: Any, positions: Positions, lookup: Lookup) -> None:
    """Load plugin files before names are looked up; the validation reports wrong types."""
    files = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    problems = []
    for i, name in enumerate(files):
        try:
            load_plugins([lookup.path(name)], lookup.registry)
        except ConfigError as error:
            problems += [positions.problem(("plugins", i), text) for text in error.problems]
    if problems:
        raise ConfigError(*problems)


def _look_in_data_root(execute: Any, lookup: Lookup) -> None:
    """Register the folder of imported datasets before names are looked up."""
    named = execute.get("data_root") if isinstance(execute, Mapping) else None
    look_in(lookup.data_root or (lookup.path(named) if isinstance(named, str) else None))


def explain(problem: Any, root: type[BaseModel]) -> tuple[KeyPath, str]:
    """Convert an error of pydantic to a place in the file and a message.

    Args:
        problem: The error.
        root: The model that the whole file was validated against.
    """
    path: KeyPath = problem["loc"]
    if problem["type"] == "extra_forbidden":
        return path, f"unknown key. {did_you_mean(str(path[-1]), _keys_beside(path, root))}"
    if problem["type"] == MISTAKE:
        return path, problem["msg"]
    if problem["type"] == "value_error":
        return path, str(problem["ctx"]["error"])
    return path, sentence(problem)


def _keys_beside(path: KeyPath, root: type[BaseModel]) -> list[str]:
    """Return the keys that the schema allows beside an unknown one."""
    models = [root]
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [model for annotation in fields for model in _models_in(annotation)]
    return sorted({key for model in models for key in model.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
