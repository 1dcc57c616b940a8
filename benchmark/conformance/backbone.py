"""Conformance of backbones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from hashbench.conformance.device import moves_to_a_device
from hashbench.conformance.findings import (
    CARD_CHECK,
    Checks,
    Finding,
    NotConformingError,
    examine,
    expect,
)
from hashbench.conformance.tiny import TinyLoss, single_labels
from hashbench.conformance.training import Trial, differences, resumed_equals_unbroken
from hashbench.core.errors import DataError
from hashbench.core.params import BaseParams
from hashbench.methods.interface import Backbone, BackboneOutput
from hashbench.training.determinism import generator, seed_everything

_IMAGES = 4
_SIZES = (32, 64, 224)
_TOKEN_DIMS = 3
_SAME = 1e-4


@dataclass(frozen=True)
class BackboneBench:
    """A backbone's class with its parameters, and what the checks build from them."""

    cls: type[Backbone]
    params: BaseParams

    def build(self, *, seed: int, size: int) -> Backbone:
        """Build a backbone as the harness does, in eval mode."""
        seed_everything(seed)
        backbone = self.cls(self.params, image_size=size)
        backbone.eval()
        return backbone

    @cached_property
    def _sized(self) -> tuple[int, Backbone]:
        last: Exception = ValueError("no input size")
        for size in dict.fromkeys((*_SIZES, self.cls.image_size or _SIZES[-1])):
            try:
                backbone = self.build(seed=0, size=size)
                backbone(torch.zeros(2, 3, size, size))
            except Exception as error:  # an image too small for a network can raise anything
                last = error
            else:
                return size, backbone
        raise last

    @property
    def size(self) -> int:
        """The smallest of a few input sizes that work; the backbone's own is tried last."""
        return self._sized[0]

    @property
    def first(self) -> Backbone:
        """A backbone with seed 0, which no check changes."""
        return self._sized[1]

    @cached_property
    def spare(self) -> Backbone:
        """An equal backbone that checks may change; building a large network takes seconds."""
        return self.build(seed=0, size=self.size)

    @cached_property
    def images(self) -> Tensor:
        """Images as a stream returns them, float32 (4, 3, size, size)."""
        return torch.randn((_IMAGES, 3, self.size, self.size), generator=generator(1))

    @cached_property
    def trial(self) -> Trial:
        """A training of the backbone with a tiny loss."""
        # Plain SGD has no state that would double the checkpoint of a large network.
        return Trial(
            self.cls,
            TinyLoss,
            single_labels(_IMAGES),
            self.params,
            BaseParams(),
            image_size=self.size,
            epochs=2,
            batch_size=_IMAGES,
            optimiser="sgd",
        )

    @torch.no_grad()
    def output(self, images: Tensor) -> BackboneOutput:
        """The output of `first`."""
        output: BackboneOutput = self.first(images)
        return output


CHECKS = Checks[BackboneBench]([CARD_CHECK])


def check_backbone(cls: type[Backbone], params: BaseParams | None = None) -> list[Finding]:
    """Check a backbone with random images, on the CPU and, if there is one, on a CUDA device.

    Args:
        cls: The backbone's class.
        params: Its parameters; its defaults if None.

    Returns:
        One finding a check.
    """
    return examine(CHECKS, BackboneBench(cls, params or cls.Params()))


@CHECKS.add(
    "output shapes",
    fix="return BackboneOutput(pooled (N, feature_dim), tokens (N, tokens, feature_dim) or None) "
    "with has_tokens to say which, and set self.feature_dim in the constructor",
)
def _shapes(bench: BackboneBench) -> str:
    kept = bench.images.clone()
    output = bench.output(bench.images)
    width = bench.first.feature_dim
    expect(torch.equal(kept, bench.images), "the images were changed in place")
    pooled, tokens = output.pooled, output.tokens
    right = tuple(pooled.shape) == (_IMAGES, width)
    expect(right, f"pooled is {tuple(pooled.shape)}, not ({_IMAGES}, feature_dim {width})")
    expect(bool(torch.isfinite(pooled).all()), "a feature is NaN or infinite")
    stated, there = bench.cls.has_tokens, tokens is not None
    expect(
        there == stated, f"has_tokens is {stated}, but tokens are {'' if there else 'not '}there"
    )
    seen = f"{bench.size} px: pooled {tuple(pooled.shape)}"
    if tokens is None:
        return f"{seen}, no tokens"
    fits = tokens.ndim == _TOKEN_DIMS and (len(tokens), tokens.shape[2]) == (_IMAGES, width)
    expect(fits, f"tokens are {tuple(tokens.shape)}, not ({_IMAGES}, tokens, {width})")
    return f"{seen}, tokens {tuple(tokens.shape)}"


@CHECKS.add(
    "deterministic under a seed",
    fix="draw first weights from torch's global generator, which the harness seeds",
)
def _seeded(bench: BackboneBench) -> str:
    again = bench.spare
    different = differences(bench.first.state_dict(), again.state_dict())
    expect(not different, f"built twice with one seed, these differ: {', '.join(different[:3])}")
    return f"{len(again.state_dict())} tensors equal in every bit when built twice with one seed"


@CHECKS.add(
    "one image at a time", fix="in eval mode, use no statistics of the batch and no dropout"
)
def _alone(bench: BackboneBench) -> str:
    together = bench.output(bench.images).pooled
    expect(torch.equal(bench.output(bench.images).pooled, together), "two passes differ")
    single = torch.cat([bench.output(image[None]).pooled for image in bench.images])
    gap = float((single - together).abs().max() / together.abs().max().clamp_min(1e-12))
    expect(gap <= _SAME, f"an image alone and in a batch differ by {gap:.1e} of the largest value")
    return f"two passes equal; an image alone and in a batch within {gap:.0e}"


@CHECKS.add(
    "gradient reaches its parameters",
    fix="drop layers that pooled does not use (a classifier), and let new_parameters() name "
    "parameters of this module, each once",
)
def _trainable(bench: BackboneBench) -> str:
    backbone = bench.spare.train()
    backbone(bench.images).pooled.square().sum().backward()
    named = {name: p for name, p in backbone.named_parameters() if p.requires_grad}
    unused = [name for name, parameter in named.items() if parameter.grad is None]
    shown = ", ".join(unused[:3])
    expect(not unused, f"{len(unused)} parameters do not reach pooled: {shown}")
    new, known = backbone.new_parameters(), {id(p) for p in backbone.parameters()}
    expect(len({id(p) for p in new}) == len(new), "new_parameters() names one twice")
    expect(all(id(p) in known for p in new), "new_parameters() names one that is not its own")
    numbers = sum(p.numel() for p in named.values())
    return f"{numbers:,} numbers, {sum(p.numel() for p in new):,} of them new"


@CHECKS.add(
    "loads weights",
    fix="load_pretrained copies all tensors that state_dict() gives, and raises DataError when "
    "one is missing (backbones.loading.load_trunk does both)",
)
def _weights(bench: BackboneBench) -> str:
    other = bench.spare.eval()
    state = {name: tensor.clone() for name, tensor in bench.first.state_dict().items()}
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
        other.load_pretrained(state)
        loaded = other(bench.images).pooled
    expect(
        torch.equal(loaded, bench.output(bench.images).pooled),
        "with its own weights loaded again, the output differs",
    )
    del state[max(state, key=lambda name: state[name].numel())]
    try:
        other.load_pretrained(state)
    except DataError as error:
        return f"its own weights load; a missing tensor is refused: {str(error)[:60]}..."
    raise NotConformingError("weights with a tensor missing are loaded without an error")


@CHECKS.add(
    "moves to a device",
    fix="register tensors as buffers (register_buffer), and make new ones on images.device",
)
def _moves(bench: BackboneBench) -> str:
    return moves_to_a_device(bench.spare, bench.trial)  # no later check uses `spare`


@CHECKS.add(
    "resumed equals unbroken",
    fix="keep what training changes in parameters and buffers, and draw from torch's global "
    "generator only",
)
def _resumes(bench: BackboneBench) -> str:
    return resumed_equals_unbroken(bench.trial)
