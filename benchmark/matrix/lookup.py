"""Look up the names in a matrix while it is validated, so that all mistakes are found at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from hashbench.core.errors import ConfigError, did_you_mean
from hashbench.core.params import resolve_params
from hashbench.core.registry import Kind, Registry
from hashbench.matrix.positions import KeyPath

NO_WEIGHTS = "none"
DOWNLOADS = ("timm/", "torchvision/")
MISTAKE = "matrix_mistake"


@dataclass(frozen=True, slots=True)
class Lookup:
    """The context of a matrix's validation.

    Attributes:
        registry: Where components are looked up.
        folder: The folder to which paths in the matrix are relative.
        data_root: The folder of datasets from the command line; overrides that of the matrix.
    """

    registry: Registry
    folder: Path
    data_root: Path | None = None

    @classmethod
    def of(cls, info: ValidationInfo) -> Lookup:
        """Return the lookup with which a validation was started."""
        if not isinstance(info.context, cls):
            raise TypeError("a matrix is validated with context=Lookup(...)")
        return info.context

    def path(self, name: str) -> Path:
        """Return the absolute path of a name in the matrix."""
        return (self.folder / Path(name).expanduser()).resolve()

    def component(self, kind: Kind, name: str) -> Any:
        """Return a component's class; ValueError if there is none."""
        with collected():
            return self.registry.load(kind, name)

    def parameters(
        self, kind: Kind, name: str, *, preset: str | None, params: dict[str, Any]
    ) -> list[tuple[KeyPath, str]]:
        """Return the mistakes in a component's parameters, by place below the component."""
        try:
            resolve_params(self.component(kind, name).Params, preset=preset, params=params)
        except ConfigError as error:
            split = (problem.partition(": ") for problem in error.problems)
            return [
                ((key,) if key == "preset" else ("params", key), f"{name}: {message}")
                for key, _, message in split
            ]
        return []


@contextmanager
def collected() -> Iterator[None]:
    """Turn a ConfigError into the ValueError that a validation collects."""
    try:
        yield
    except ConfigError as error:
        raise ValueError(str(error)) from None


def known_word(word: str, known: Iterable[str]) -> str:
    """Return the word; ValueError if it is not one of those known."""
    words = list(known)
    if word not in words:
        raise ValueError(f"unknown name '{word}'. {did_you_mean(word, words)}")
    return word


def refuse(mistakes: Iterable[tuple[KeyPath, str]]) -> None:
    """Raise all mistakes found in one block, each at its place below it; none does nothing."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError(MISTAKE, "{message}", {"message": message}),
            loc=place,
            input=None,
        )
        for place, message in mistakes
    ]
    if details:
        raise ValidationError.from_exception_data("matrix", details)
