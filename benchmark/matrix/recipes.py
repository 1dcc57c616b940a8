"""Recipes: published training settings by name, resolved for one cell."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

from hashbench.core.cell import Schedule, TrainSettings, Validation
from hashbench.matrix.schema import TrainOverrides

DEFAULT_RECIPE = "ours"
_OWN_KEYS = (
    "epochs",
    "batch_size",
    "optimiser",
    "lr",
    "backbone_lr",
    "weight_decay",
    "momentum",
    "nesterov",
    "augmentation",
)


@lru_cache(maxsize=1)
def recipes() -> dict[str, dict[str, Any]]:
    """All recipes as written in recipes.toml."""
    text = files(__package__).joinpath("recipes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def resolve_recipe(
    wanted: TrainOverrides,
    *,
    backbone: str,
    pretrained: bool,
    protocol_augmentation: str,
    train_size: int,
    prepass: str | None,
) -> TrainSettings:
    """Resolve training settings: an existing recipe's values, then the matrix's own keys.

    Args:
        wanted: What the matrix gives.
        backbone: The backbone's name.
        pretrained: Whether it has pretrained weights.
        protocol_augmentation: What ``augmentation = "protocol"`` stands for.
        train_size: Training images, for recipes that count iterations.
        prepass: What the loss's pre-pass reads, already decided.
    """
    name = wanted.recipe or DEFAULT_RECIPE
    recipe = recipes()[name]
    values = {
        **recipe,
        **({} if pretrained else recipe.get("scratch", {})),
        **recipe.get("backbone", {}).get(backbone, {}),
    }
    schedule = _schedule(values["schedule"])
    published = {**values, "schedule": schedule}
    own = {key: value for key in _OWN_KEYS if (value := getattr(wanted, key)) is not None}
    if wanted.schedule is not None:
        own["schedule"] = schedule = _schedule(wanted.schedule.model_dump())
    values |= own
    if "epochs" not in values:
        steps = -(-train_size // values["batch_size"])
        values["epochs"] = -(-values["iterations"] // steps)
    if values["augmentation"] == "protocol":
        values["augmentation"] = protocol_augmentation
    validation = wanted.validation
    return TrainSettings(
        recipe=name,
        modified=tuple(sorted(key for key, value in own.items() if value != published.get(key))),
        schedule=schedule,
        validation=Validation(validation.fraction, validation.seed) if validation else None,
        prepass=prepass,
        **{key: values[key] for key in _OWN_KEYS},
    )


def _schedule(values: dict[str, Any]) -> Schedule:
    return Schedule(
        kind=values["kind"],
        factor=float(values.get("factor", 1.0)),
        milestones=tuple(values.get("milestones", ())),
    )
