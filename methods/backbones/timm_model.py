"""Any of timm's networks by name: ``timm/NAME``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

import timm
import torch
from timm.models.resnet import ResNet
from torch import Tensor, nn

from hashbench.core.errors import ConfigError, DataError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.loading import bare_keys, load_trunk
from hashbench.methods.interface import Backbone, BackboneOutput

_FAMILY: Final = "timm"
_NECK_DROPOUT: Final = 0.5  # as of the other residual networks
_IMAGE_DIMS: Final = 3
_POOLED_DIMS: Final = 2
_TOKEN_DIMS: Final = 3
_NORMALISATIONS: Final[Mapping[tuple[tuple[float, ...], tuple[float, ...]], str]] = {
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)): "imagenet",
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)): "half",
    ((0.481, 0.458, 0.408), (0.269, 0.261, 0.276)): "clip",
    ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)): "unit",
}


@dataclass(frozen=True, slots=True)
class _Shape:
    """The shape of a network's output, found by running it on the meta device."""

    width: int
    tokens: bool
    residual: bool


class TimmModel(Backbone):
    """Any of timm's networks by name, e.g. ``timm/convnext_tiny``.

    The pooled output is the input of the network's own classifier; networks with a class token or
    other prefix tokens have tokens too. Input size and normalisation are those that
    timm states for the name (for the five DPNs, whose own no other network has, ``imagenet``);
    other weights of the same architecture may have been trained with others, which the matrix then
    has to name. Weights are chosen beside the name: ``{name: timm/convnext_tiny, weights:
    timm/convnext_tiny.fb_in1k}``.

    Attributes:
        architecture: The network's name in timm; each name is a subclass, made by `member`.

    Raises:
        ConfigError: If the network cannot take images of this size.
    """

    info = ComponentInfo(
        title="Any of timm's networks",
        paper="Wightman, PyTorch Image Models, 2019",
        citation="wightman2019timm",
    )
    architecture: ClassVar[str]

    @classmethod
    def member(cls, name: str) -> type[Self]:
        """Return the backbone class of one of timm's networks.

        Args:
            name: An architecture of ``timm.list_models()``, without a weights tag.

        Raises:
            ConfigError: If timm has no such network, or if it does not map a square colour image to
                features.
        """
        return _member(cls, name)

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__()
        del params
        self.feature_dim = _shape(self.architecture, image_size).width
        self.trunk: Any = _create(self.architecture, image_size)

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to (N, D) and, if it has them, tokens."""
        features: Tensor = self.trunk.forward_features(images)
        pooled = self.trunk.forward_head(features, pre_logits=True)
        return BackboneOutput(pooled, features if self.has_tokens else None)

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load timm's state dict, without the classifier, its positions fitted as timm does it."""
        load_trunk(
            self.trunk,
            _converted(bare_keys(state), self.trunk),
            name=f"{_FAMILY}/{self.architecture}",
            classifier=_classifiers(self.architecture),
        )


@lru_cache(maxsize=64)
def _member(cls: type[TimmModel], name: str) -> type[Any]:
    whole = f"{_FAMILY}/{name}"
    if name not in timm.list_models():
        raise ConfigError(f"unknown name '{whole}' in backbones. {_nearest(name)}")
    config = _config(name)
    channels, height, width = config.input_size
    if channels != _IMAGE_DIMS or height != width:
        raise ConfigError(f"{whole} takes images of {config.input_size}, not square colour ones")
    shape = _shape(name, height)
    return type(
        f"TimmModel_{name}",
        (cls,),
        {
            "__doc__": f"{name} as timm has it.",
            "__module__": cls.__module__,
            "architecture": name,
            "image_size": height,
            "pretrained_normalisation": _normalisation(config),
            "has_tokens": shape.tokens,
            "neck_dropout": _NECK_DROPOUT if shape.residual else 0.0,
        },
    )


def _nearest(name: str) -> str:
    bare, _, tag = name.partition(".")
    if tag and timm.is_model(bare):
        return f"'{tag}' names weights: write name: {_FAMILY}/{bare}, weights: {_FAMILY}/{name}"
    near = get_close_matches(name, timm.list_models(), n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{_FAMILY}/{near[0]}'?"
    return "timm.list_models() gives the names there are"


def _config(architecture: str) -> Any:
    """Return what timm states about the network and its usual weights."""
    return timm.get_pretrained_cfg(architecture)


def _normalisation(config: Any) -> str:
    mean, std = (tuple(round(x, 3) for x in values) for values in (config.mean, config.std))
    return _NORMALISATIONS.get((mean, std), "imagenet")


def _create(architecture: str, image_size: int) -> Any:
    config = _config(architecture)
    size: dict[str, Any] = {}
    if config.fixed_input_size and image_size != config.input_size[1]:
        size = {"img_size": image_size}  # the others take any size, and have no such argument
    return timm.create_model(architecture, num_classes=0, **size)


@lru_cache(maxsize=64)
def _shape(architecture: str, image_size: int) -> _Shape:
    """Find the shape of a network's output on the meta device, where nothing is computed.

    Raises:
        ConfigError: If it cannot take such an image, or has no vector of features.
    """
    whole = f"{_FAMILY}/{architecture}"
    try:
        # It runs once and is cached, so it must not draw from the generator of the first weights.
        with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
            model = _create(architecture, image_size).eval()
            features = model.forward_features(torch.zeros(1, 3, image_size, image_size))
            pooled = model.forward_head(features, pre_logits=True)
    except Exception as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"{whole} cannot take images of {image_size} px: {why}") from None
    if not isinstance(pooled, Tensor) or pooled.ndim != _POOLED_DIMS:
        raise ConfigError(f"{whole} has no vector of features for an image; use another network")
    width = pooled.shape[1]
    tokens = (
        isinstance(features, Tensor)
        and features.ndim == _TOKEN_DIMS
        and features.shape[2] == width
        and getattr(model, "num_prefix_tokens", 0) > 0
    )
    return _Shape(width, tokens, isinstance(model, ResNet))


def _classifiers(architecture: str) -> list[str]:
    named = _config(architecture).classifier or ()
    return [f"{name}." for name in ([named] if isinstance(named, str) else named)]


def _converted(state: Mapping[str, Tensor], trunk: nn.Module) -> Mapping[str, Tensor]:
    """Convert a state dict as timm's own loader does for this network.

    Raises:
        DataError: If that fails, as it may for weights of another architecture.
    """
    convert = getattr(sys.modules[type(trunk).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    wants_model = len(inspect.signature(convert).parameters) > 1
    try:
        return dict(convert(dict(state), trunk) if wants_model else convert(dict(state)))
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"weights: do not fit {type(trunk).__name__}: {why}") from None
