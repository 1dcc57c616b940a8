"""From what was entered in the form to the matrix that says the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from hashbench.core.errors import ConfigError
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind, registry
from hashbench.matrix.naming import PIXELS
from hashbench.studio.forms.parameter_fields import fields_of, preset_values

NO_PRESET: Final = "defaults"
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Part:
    """A component as the form has it.

    Attributes:
        kind: What it is.
        name: Its name.
        preset: One of its presets, or None.
        entered: What was entered, by parameter; a parameter that is not named has its default.
        weights: A backbone's weights: ``none``, a file, ``timm/NAME`` or ``torchvision/NAME``.
    """

    kind: Kind
    name: str
    preset: str | None = None
    entered: Mapping[str, Any] = field(default_factory=dict)
    weights: str = "none"

    def entry(self) -> Any:
        """The component as a matrix names it: its name, or what departs from its defaults.

        Raises:
            ConfigError: If it is unknown, or something entered is no value of its kind.
        """
        params: type[BaseParams] = registry().load(self.kind, self.name).Params
        usual = preset_values(params, self.preset)
        given = {
            each.name: each.read(self.entered[each.name])
            for each in fields_of(params)
            if each.name in self.entered
        }
        own = {name: value for name, value in given.items() if value != usual[name]}
        entry: dict[str, Any] = {"name": self.name}
        entry |= {"preset": self.preset} if self.preset else {}
        entry |= {"params": own} if own else {}
        entry |= {"weights": self.weights} if self.weights not in ("", "none") else {}
        return entry if len(entry) > 1 else self.name


@dataclass(frozen=True, slots=True)
class Form:
    """What was entered.

    Attributes:
        dataset: The dataset's name.
        protocol: ``NAME@VERSION``; empty for the usual one.
        method: A loss, or a shallow method.
        backbone: What the loss trains, or whose features the method reads; None for pixels.
        bits: Code lengths.
        seeds: Seeds.
        train: Keys of the block ``train`` with what was entered; empty ones follow the recipe.
        validation: The share of the training images held out for validation; 0 for none.
        every: Epochs between two validations.
        cutoff: K of mAP@K beside that over all; None for that alone.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    dataset: str
    protocol: str
    method: Part
    backbone: Part | None
    bits: Sequence[int]
    seeds: Sequence[int]
    train: Mapping[str, Any] = field(default_factory=dict)
    validation: float = 0.0
    every: int = 0
    cutoff: int | None = None
    device: str = "auto"

    def document(self) -> dict[str, Any]:
        """The matrix as plain data.

        Raises:
            ConfigError: If something is missing or is no value of its kind.
        """
        if not self.dataset:
            raise ConfigError("dataset: choose one; the tab Data imports your own images")
        if not self.bits:
            raise ConfigError("bits: choose at least one code length")
        deep = self.method.kind is Kind.LOSS
        data: Any = {"name": self.dataset}
        data |= {"protocol": self.protocol} if self.protocol else {}
        document: dict[str, Any] = {
            "version": 1,
            "name": self.title(),
            "datasets": [data],
            "methods": {"pairs": [self._pair(deep=deep)]},
            "bits": list(self.bits),
            "seeds": list(self.seeds),
        }
        if deep:
            document |= {"train": self._train()} if self._train() else {}
        metrics: dict[str, Any] = {"metrics": ["map"], "cutoffs": ["all"]}
        metrics["cutoffs"] += [self.cutoff] if self.cutoff else []
        metrics |= {"every": self.every} if deep and self.validation and self.every else {}
        return {
            **document,
            "evaluate": metrics,
            "execute": {"device": self.device, "keep_model": True},
        }

    def title(self) -> str:
        """A name for the matrix, made of the parts' names."""
        parts = [self.dataset.rpartition("/")[2], self.method.name]
        parts += [self.backbone.name] if self.backbone else []
        return _NAME.sub("-", "-".join(parts)).strip("-.") or "studio"

    def text(self) -> str:
        """The matrix as a file.

        Raises:
            ConfigError: See `document`.
        """
        return dump(self.document())

    def _pair(self, *, deep: bool) -> dict[str, Any]:
        if not deep:
            features = self.backbone.entry() if self.backbone else PIXELS
            return {"method": self.method.entry(), "features": features}
        if self.backbone is None:
            raise ConfigError("backbone: choose one; only shallow methods work on pixels")
        return {"backbone": self.backbone.entry(), "loss": self.method.entry()}

    def _train(self) -> dict[str, Any]:
        stated = {key: value for key, value in self.train.items() if value not in (None, "")}
        held = {"validation": {"fraction": self.validation}} if self.validation else {}
        return {**stated, **held}


def dump(document: Mapping[str, Any]) -> str:
    """A matrix's plain data as YAML, keys in their order."""
    return yaml.safe_dump(
        dict(document), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )


def whole_numbers(text: str, *, what: str) -> list[int]:
    """Read whole numbers with commas or spaces between them, or a range ``0-4``.

    Args:
        text: What was entered.
        what: What it is, for the message.

    Raises:
        ConfigError: If it is none, or names more than a hundred.
    """
    found: list[int] = []
    for word in re.split(r"[,;\s]+", text.strip()):
        first, dash, last = word.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(
                f"{what}: expected whole numbers, e.g. 0, 1, 2 or 0-4; got {text!r:.50}"
            )
        found += range(int(first), min(int(last), int(first) + _MOST) + 1) if dash else [int(first)]
    if len(found) > _MOST:
        raise ConfigError(f"{what}: more than {_MOST}; write a matrix for so many")
    return list(dict.fromkeys(found))


_MOST: Final = 100
