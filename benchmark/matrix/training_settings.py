"""Training settings of one cell: a recipe's values, then the matrix's own keys."""

from __future__ import annotations

from typing import Any

from hashbench.core.cell import BackboneMode, Schedule, TrainSettings, Validation
from hashbench.matrix.recipes import DEFAULT_RECIPE, recipe_values
from hashbench.matrix.training_schema import ScheduleSpec, TrainSpec

_PLAIN_KEYS = (
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


def resolve_training(
    wanted: TrainSpec,
    *,
    backbone: str,
    pretrained: bool,
    usual_augmentation: str,
    train_size: int,
    prepass: str | None,
) -> TrainSettings:
    """Resolve training settings.

    Args:
        wanted: The keys of the matrix; its recipe exists.
        backbone: The backbone's name.
        pretrained: Whether it has pretrained weights.
        usual_augmentation: The value for a recipe's ``augmentation = "protocol"``: the
            protocol's own, or that of a loss which was published with one.
        train_size: Training images before validation is held out, for recipes that count
            iterations.
        prepass: The input of the loss's pre-pass, already decided.

    Returns:
        Every setting, with the keys in which they depart from the recipe. No recipe freezes its
        backbone; a frozen one has no rate.
    """
    name = wanted.recipe or DEFAULT_RECIPE
    published = recipe_values(name, backbone=backbone, pretrained=pretrained)
    published["schedule"] = _schedule(ScheduleSpec.model_validate(published["schedule"]))
    if published["augmentation"] == "protocol":
        published["augmentation"] = usual_augmentation
    own = _own_keys(wanted)
    values = {**published, **own}
    if "epochs" not in values:
        trained_on = round(
            train_size * (1 - (wanted.validation.fraction if wanted.validation else 0))
        )
        values["epochs"] = _passes(values["iterations"], trained_on, batch=values["batch_size"])
    if wanted.backbone is BackboneMode.FROZEN:
        own["backbone"] = wanted.backbone
        values["backbone_lr"] = 0.0
    if wanted.accumulate not in (None, 1):
        own["accumulate"] = wanted.accumulate
    validation = wanted.validation
    return TrainSettings(
        recipe=name,
        modified=tuple(sorted(key for key, value in own.items() if value != published.get(key))),
        schedule=values["schedule"],
        validation=Validation(validation.fraction, validation.seed) if validation else None,
        prepass=prepass,
        backbone=wanted.backbone or BackboneMode.TUNED,
        channels_last=bool(wanted.channels_last),
        compile=bool(wanted.compile),
        fused=bool(wanted.fused),
        accumulate=wanted.accumulate or 1,
        **{key: values[key] for key in _PLAIN_KEYS},
    )


def _own_keys(wanted: TrainSpec) -> dict[str, Any]:
    own = {key: value for key in _PLAIN_KEYS if (value := getattr(wanted, key)) is not None}
    if wanted.schedule is not None:
        own["schedule"] = _schedule(wanted.schedule)
    return own


def _passes(iterations: int, images: int, *, batch: int) -> int:
    """The passes over so many images that take at least so many steps."""
    steps = -(-images // batch)
    return -(-iterations // steps)


def _schedule(spec: ScheduleSpec) -> Schedule:
    factor = 1.0 if spec.factor is None else spec.factor
    return Schedule(kind=spec.kind, factor=factor, milestones=tuple(spec.milestones))
