"""Checks of whether a loss can be trained with given settings."""

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
    """Return the reasons why a loss cannot be trained with these settings, a line each."""
    refusals = loss.refusals(params, bits=bits, settings=settings)
    refusals += _speed_option_refusals(settings)
    views = loss.needs.views
    if views > 1 and settings.augmentation == "none":
        usual = loss.needs.augmentation or "crop_flip"
        refusals.append(
            f"it compares {views} augmented views of an image, and without augmentation they are "
            f"the same. Write train: {{augmentation: {usual}}}"
        )
    if settings.backbone is BackboneMode.FROZEN and caches_features(loss):
        refusals += _cached_feature_refusals(settings.augmentation, head)
    return refusals


def _speed_option_refusals(settings: TrainSettings) -> list[str]:
    """Return the reasons why the options for faster or smaller training cannot be used."""
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
    """Return whether each image passes a frozen backbone only once; with two views it cannot."""
    return loss.needs.views == 1


def _cached_feature_refusals(augmentation: str, head: Head) -> list[str]:
    """Return why the cached pooled features of un-augmented images cannot be trained on."""
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
