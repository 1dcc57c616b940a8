"""Which methods of a matrix cannot be trained as it says."""

from __future__ import annotations

from hashbench.core.cell import BackboneMode, TrainSettings
from hashbench.core.errors import ConfigError
from hashbench.matrix.entries import FILE_WEIGHTS, Entry, Trunk
from hashbench.methods.refusals import training_refusals


def training_problems(
    settings: TrainSettings, entry: Entry, *, bits: int, image_size: int
) -> list[str]:
    """Say, one line each, why a deep method cannot be trained with these settings.

    Args:
        settings: Resolved.
        entry: The method.
        bits: Code length.
        image_size: Input side in pixels.

    Returns:
        Nothing if it can.
    """
    assert entry.trunk and entry.head  # noqa: S101 - a deep entry has both
    params = entry.cls.Params(**entry.component.params)
    problems = training_refusals(entry.cls, params, bits=bits, head=entry.head, settings=settings)
    frozen = settings.backbone is BackboneMode.FROZEN
    # A file may hold the new parts too; whether it does is seen when it is loaded.
    from_file = entry.trunk.weights.source == FILE_WEIGHTS
    if frozen and not from_file and _has_new_parts(entry.trunk, image_size):
        name = entry.trunk.component.name
        problems.append(
            f"{name} has parts that no published weights hold (such as the AEM), which would stay "
            f"as they start in a frozen backbone. Use its preset none, or a file of its own weights"
        )
    return [f"{entry.component.name} on {entry.trunk.component.name}: {why}" for why in problems]


def _has_new_parts(trunk: Trunk, image_size: int) -> bool:
    import torch

    try:
        with torch.device("meta"):  # shapes only: neither memory nor random numbers are used
            params = trunk.cls.Params(**trunk.component.params)
            return bool(trunk.cls(params, image_size=image_size).new_parameters())
    except ConfigError:
        return False  # told when the cell runs, for a tuned backbone as for a frozen one
