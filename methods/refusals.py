"""What a loss cannot be trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hashbench.core.cell import BackboneMode, Head, TrainSettings
from hashbench.core.params import BaseParams
from hashbench.methods.head_names import TOKEN_NECKS

_LEAST_PART = 2

if TYPE_CHECKING:  # a matrix is read without torch
    from hashbench.methods.interface import HashLoss


def training_refusals(
    loss: type[HashLoss], params: BaseParams, *, bits: int, head: Head, settings: TrainSettings
) -> list[str]:
    """Say, one line each, why a loss cannot be trained with these settings.

    Args:
        loss: Its class.
        params: Its parameters.
        bits: Code length.
        head: Neck and last layer.
        settings: How it is to be trained.

    Returns:
        Nothing if it can.
    """
    refusals = loss.refusals(params, bits=bits, settings=settings)
    refusals += _of_speed(settings)
    views = loss.needs.views
    if views > 1 and settings.augmentation == "none":
        usual = loss.needs.augmentation or "crop_flip"
        refusals.append(
            f"it compares {views} augmented views of an image, and without augmentation they are "
            f"the same. Write train: {{augmentation: {usual}}}"
        )
    if settings.backbone is BackboneMode.FROZEN and caches_features(loss):
        refusals += _needing_images(settings.augmentation, head)
    return refusals


def _of_speed(settings: TrainSettings) -> list[str]:
    """Why the options that make training fast or small cannot be had."""
    refusals = []
    if settings.fused and settings.optimiser == "rmsprop":
        refusals.append("rmsprop has no fused form. Write train: {fused: false}, or use adam")
    part, rest = divmod(settings.batch_size, settings.accumulate)
    if rest or part < _LEAST_PART:
        refusals.append(
            f"accumulate {settings.accumulate} does not divide batch_size {settings.batch_size} "
            f"into equal parts of at least {_LEAST_PART} images, of which pairs can be made. "
            f"Change one of the two"
        )
    return refusals


def caches_features(loss: type[HashLoss]) -> bool:
    """Whether a frozen backbone passes every image once only; with two views it cannot."""
    return loss.needs.views == 1


def _needing_images(augmentation: str, head: Head) -> list[str]:
    """Why a training cannot go on the cached pooled features of un-augmented images."""
    refusals = []
    if augmentation != "none":
        refusals.append(
            f"a frozen backbone sees every image once, and augmentation {augmentation} would "
            f"change it at every step. Write train: {{augmentation: none}}"
        )
    if head.neck in TOKEN_NECKS:
        refusals.append(
            f"only the pooled output of a frozen backbone is kept, and {head.neck} reads its "
            f"tokens. Use the neck pool or mlp3"
        )
    return refusals
