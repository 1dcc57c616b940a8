"""The public names for authors of losses, backbones, methods, datasets and search engines.

Import from here and from nowhere else in hashbench: these names stay where they are from one
version to the next. PyTorch is loaded only when a name that needs it is first used.

Example:
    >>> from hashbench.plugin import ComponentInfo, HashBatch, HashLoss, LossTerms
    >>> class Shrink(HashLoss):
    ...     info = ComponentInfo("Shrink")
    ...     def forward(self, batch: HashBatch) -> LossTerms:
    ...         return LossTerms({"size": batch.outputs.square().mean()})
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hashbench.core.cell import TrainSettings
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.info import ComponentInfo, LabelKind, Supervision
from hashbench.core.params import BaseParams
from hashbench.core.plugins import load_plugin
from hashbench.core.registry import registry
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.labels import one_hot
from hashbench.methods.loss_groups import LossGroup
from hashbench.search.engine import IndexEngine, Neighbours

if TYPE_CHECKING:
    from hashbench.conformance.backbone import check_backbone
    from hashbench.conformance.dataset import check_dataset
    from hashbench.conformance.loss import check_loss
    from hashbench.conformance.shallow import check_method
    from hashbench.methods.backbones.loading import load_trunk
    from hashbench.methods.interface import (
        Backbone,
        BackboneOutput,
        DivergedError,
        EpochEvent,
        FitReport,
        HashBatch,
        HashLoss,
        ImageStream,
        LossContext,
        LossTerms,
        Method,
        Needs,
        OutputAccess,
        TrainContext,
        TrainView,
    )
    from hashbench.methods.shallow.interface import ShallowMethod

__all__ = [
    "Backbone",
    "BackboneOutput",
    "BaseParams",
    "Codes",
    "ComponentInfo",
    "ConfigError",
    "DataError",
    "Dataset",
    "DivergedError",
    "Embeddings",
    "EpochEvent",
    "FitReport",
    "HashBatch",
    "HashLoss",
    "ImageData",
    "ImageStream",
    "IndexEngine",
    "LabelKind",
    "LossContext",
    "LossGroup",
    "LossTerms",
    "Method",
    "Needs",
    "Neighbours",
    "OutputAccess",
    "Role",
    "ShallowMethod",
    "Supervision",
    "TrainContext",
    "TrainSettings",
    "TrainView",
    "check_backbone",
    "check_dataset",
    "check_loss",
    "check_method",
    "load_plugin",
    "load_trunk",
    "one_hot",
    "registry",
]

# The modules of the names that are imported on first use, because they load PyTorch; a name that
# is not listed is in the interface.
_LOADED_LATER = {
    "check_backbone": "hashbench.conformance.backbone",
    "check_dataset": "hashbench.conformance.dataset",
    "check_loss": "hashbench.conformance.loss",
    "check_method": "hashbench.conformance.shallow",
    "load_trunk": "hashbench.methods.backbones.loading",
    "ShallowMethod": "hashbench.methods.shallow.interface",
}
_INTERFACE = "hashbench.methods.interface"


def __getattr__(name: str) -> Any:
    """Import a name that needs PyTorch when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'hashbench.plugin' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(_LOADED_LATER.get(name, _INTERFACE)), name)
    return value


def __dir__() -> list[str]:
    """List the public names, so that completion shows those not loaded yet."""
    return __all__
