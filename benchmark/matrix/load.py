"""A matrix file, read and validated: every mistake at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hashbench.core.errors import ConfigError, did_you_mean
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import Registry
from hashbench.matrix.positions import Path_, Positions, read_yaml
from hashbench.matrix.schema import MatrixSpec


@dataclass(frozen=True, slots=True)
class Matrix:
    """A valid matrix file.

    Attributes:
        spec: Its content.
        positions: Where each key stands, for later messages.
        file: The file.
    """

    spec: MatrixSpec
    positions: Positions
    file: Path

    def path(self, name: str) -> Path:
        """A path that the matrix names, relative to the matrix file."""
        return (self.file.parent / name).resolve()

    @property
    def plugins(self) -> tuple[Path, ...]:
        """The plugin files it names."""
        return tuple(self.path(name) for name in self.spec.plugins)


def load_matrix(file: Path, registry: Registry) -> Matrix:
    """Read a matrix and load its plugins.

    Args:
        file: The YAML file.
        registry: Receives the plugins' components.

    Raises:
        ConfigError: With one line for each mistake.
    """
    data, positions = read_yaml(file)
    if not isinstance(data, Mapping):
        kind = "empty" if data is None else f"a {type(data).__name__}"
        raise ConfigError(f"{file}: is {kind}, a matrix is a mapping that starts with version: 1")
    try:
        spec = MatrixSpec.model_validate(data)
    except ValidationError as error:
        raise ConfigError(*_problems(error, positions)) from None
    matrix = Matrix(spec, positions, file)
    load_plugins(matrix.plugins, registry)
    return matrix


def _problems(error: ValidationError, positions: Positions) -> list[str]:
    return [positions.problem(*_explain(problem)) for problem in error.errors()]


def _explain(problem: Any) -> tuple[Path_, str]:
    path: Path_ = tuple(part for part in problem["loc"] if part != "function-before")
    value = problem["input"]
    if problem["type"] == "extra_forbidden":
        known = _keys_beside(path)
        return path, f"unknown key. {did_you_mean(str(path[-1]), known)}"
    if problem["type"] == "missing":
        return path, "is missing"
    if problem["type"] == "value_error":
        return path, str(problem["ctx"]["error"])
    shown = f", got {value!r}" if isinstance(value, str | int | float | bool | None) else ""
    return path, f"{_sentence(problem['msg'])}{shown}"


def _sentence(message: str) -> str:
    return message[0].lower() + message[1:]


def _keys_beside(path: Path_) -> list[str]:
    """The keys that the schema allows where an unknown one stood."""
    models: list[type[BaseModel]] = [MatrixSpec]
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
