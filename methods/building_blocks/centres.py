"""Class centres in {-1, +1}, the centre of an image with several labels, and bases of losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from hashbench.core.cell import TrainSettings
from hashbench.core.errors import ConfigError
from hashbench.methods.building_blocks.primitives import sgn
from hashbench.methods.interface import HashLoss, LossContext

_BEST_OF = 200  # matrices drawn by bernoulli_half
_BLOCK = 256  # rows drawn at once by maxhd
_PATIENCE = 10_000  # failed draws before maxhd asks for less
_FIRST_PERCENT = 61  # the distance maxhd starts with, in hundredths of the code length
_LAST_PERCENT = 20  # the least it accepts


class CentreMethod(StrEnum):
    """The ways to make class centres, which `make_centres` explains."""

    HADAMARD = "hadamard"
    HADAMARD_RANDOM = "hadamard_random"
    BERNOULLI_HALF = "bernoulli_half"
    BERNOULLI = "bernoulli"
    MAXHD = "maxhd"


def make_centres(
    method: CentreMethod, *, classes: int, bits: int, generator: torch.Generator
) -> Tensor:
    """Make a centre for each class; no two classes share one.

    ``hadamard``: the first rows of [H; -H], H the Sylvester-Hadamard matrix; further rows as
    ``bernoulli_half``. CSQ's rule. With few classes it has few distinct columns: 10 classes have
    at most 16 of them, so at 64 bits each is there four times and 4 bits are constant.
    ``hadamard_random``: rows drawn at random from the non-constant ones of H, and from their
    negatives when those of H do not suffice; further rows as ``bernoulli_half``.
    ``bernoulli_half``: rows with exactly floor(bits / 2) entries -1; the best of 200 matrices by
    least, then by mean distance.
    ``bernoulli``: independent fair signs.
    ``maxhd``: random rows, each accepted when it is at least q * bits from all accepted ones; q
    starts at 0.61 and falls by 0.01 after every 10,000 failed draws, down to 0.20.

    Args:
        method: One of the five.
        classes: Number of centres C, 1 or more.
        bits: Code length K.
        generator: The CPU generator that draws.

    Returns:
        float32 (classes, bits) of -1 and +1, on the CPU.

    Raises:
        ConfigError: If the code length does not fit the method, or is too short for so many
            classes.

    Example:
        >>> centres = make_centres(CentreMethod.MAXHD, classes=10, bits=32,
        ...                        generator=torch.Generator().manual_seed(0))
        >>> tuple(centres.shape), least_distance(centres) >= 0.2 * 32
        ((10, 32), True)
    """
    if classes > 2**bits:
        raise _too_short(method, classes=classes, bits=bits)
    return _MAKERS[method](classes, bits, generator)


def class_centres(method: CentreMethod, ctx: LossContext) -> Tensor:
    """Make the centres (classes, bits) of a training, drawn from the loss's own generator."""
    centres = make_centres(
        method, classes=ctx.labels.shape[1], bits=ctx.bits, generator=ctx.generator
    )
    return centres.to(ctx.device)


def centre_refusals(method: CentreMethod, bits: int) -> list[str]:
    """Return why there are no such centres at a code length; an empty list if there are."""
    if method in (CentreMethod.HADAMARD, CentreMethod.HADAMARD_RANDOM) and bits & (bits - 1):
        return [
            f"centres: '{method}' needs a code length that is a power of two, got {bits} bits; "
            f"use 'maxhd' or 'bernoulli_half'"
        ]
    return []


def hamming_distances(left: Tensor, right: Tensor) -> Tensor:
    """Return the Hamming distances (n, m) of codes (n, bits) and (m, bits) in {-1, +1}."""
    return (left.shape[1] - left @ right.T) / 2


def least_distance(centres: Tensor) -> float:
    """Return the smallest Hamming distance between two centres; infinite if there is only one."""
    between = _between(centres)
    return float(between.min()) if len(between) else math.inf


def tie_vector(bits: int, generator: torch.Generator) -> Tensor:
    """Draw the signs, float32 (bits,), that decide the tied bits of merged centres.

    They are -1 or +1, the same for all images; a 0 would make 0 a target.
    """
    return _signs(1, bits, generator)[0]


def merged_centres(labels: Tensor, *, centres: Tensor, tie: Tensor) -> Tensor:
    """Return each image's centre (n, bits): the majority vote of its classes' centres, bit by bit.

    t_i = sgn(sum over the positive classes of O_c), and ``tie`` where the vote is 0. Single-label,
    it is the class's centre. An image without a label gets ``tie``: leave it out of the loss.
    """
    votes = labels @ centres
    return torch.where(votes == 0, tie, sgn(votes))


class CentreLoss(HashLoss):
    """Base of losses with a centre for each class, made in the way of their parameter ``centres``.

    Attributes:
        centres: (classes, bits) of -1 and +1.
    """

    params: Any
    centres: Tensor

    @classmethod
    def refusals(cls, params: Any, *, bits: int, settings: TrainSettings) -> list[str]:
        """Refuse centres that do not exist at this code length."""
        return centre_refusals(params.centres, bits)

    def setup(self, ctx: LossContext) -> None:
        """Make the class centres (classes, bits).

        Raises:
            ConfigError: If there are no such centres.
        """
        self.register_buffer("centres", class_centres(self.params.centres, ctx))


class MergedCentreLoss(CentreLoss):
    """Base of losses in which an image with several labels has the merged centre of its classes.

    Attributes:
        tie: (bits,) of -1 and +1, for the tied bits.
    """

    tie: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Make the class centres (classes, bits), and draw the signs (bits,) of tied bits."""
        super().setup(ctx)
        self.register_buffer("tie", tie_vector(ctx.bits, ctx.generator).to(ctx.device))

    def image_centres(self, labels: Tensor) -> Tensor:
        """Return the centres (n, bits) of images with multi-hot labels (n, classes)."""
        return merged_centres(labels, centres=self.centres, tie=self.tie)


def _too_short(method: CentreMethod, *, classes: int, bits: int) -> ConfigError:
    remedy = "use more bits" if classes > 2**bits else "use more bits or 'bernoulli'"
    return ConfigError(
        f"centres: '{method}' finds no {classes} centres far enough apart in {bits} bits; {remedy}"
    )


def _signs(count: int, bits: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (count, bits), generator=generator).float() * 2 - 1


def _balanced(count: int, bits: int, generator: torch.Generator) -> Tensor:
    order = torch.rand(count, bits, generator=generator).argsort(1).argsort(1)
    return torch.where(order < bits // 2, -1.0, 1.0)


def _between(rows: Tensor) -> Tensor:
    i, j = torch.triu_indices(len(rows), len(rows), offset=1)
    return hamming_distances(rows, rows)[i, j]


def _distinct(fixed: Tensor, count: int, draw: Callable[[int], Tensor]) -> Tensor:
    """Draw rows after the fixed ones until there are ``count`` different ones."""
    rows = fixed
    while len(rows) < count:
        rows = torch.cat([rows, draw(count - len(rows))])
        repeats = (hamming_distances(rows, rows) == 0).tril(-1).any(1)
        rows = rows[~repeats]
    return rows


def _bernoulli(classes: int, bits: int, generator: torch.Generator) -> Tensor:
    return _distinct(torch.empty(0, bits), classes, lambda n: _signs(n, bits, generator))


def _complete(
    fixed: Tensor, classes: int, *, method: CentreMethod, generator: torch.Generator
) -> Tensor:
    """Fill up with balanced rows: the best of 200 fillings by least, then by mean distance."""
    bits = fixed.shape[1]
    if len(fixed) == classes:
        return fixed
    taken = int(((fixed < 0).sum(1) == bits // 2).sum())
    if classes - len(fixed) > math.comb(bits, bits // 2) - taken:
        raise _too_short(method, classes=classes, bits=bits)
    best, best_score = fixed, (-1.0, -1.0)
    for _ in range(_BEST_OF):
        rows = _distinct(fixed, classes, lambda n: _balanced(n, bits, generator))
        score = (least_distance(rows), float(_between(rows).mean()))
        if score > best_score:
            best, best_score = rows, score
    return best


def _bernoulli_half(classes: int, bits: int, generator: torch.Generator) -> Tensor:
    if classes == 1:
        return _balanced(1, bits, generator)
    method = CentreMethod.BERNOULLI_HALF
    return _complete(torch.empty(0, bits), classes, method=method, generator=generator)


def _sylvester(method: CentreMethod, bits: int) -> Tensor:
    refusals = centre_refusals(method, bits)
    if refusals:
        raise ConfigError(*refusals)
    matrix = torch.ones(1, 1)
    while len(matrix) < bits:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix


def _hadamard(classes: int, bits: int, generator: torch.Generator) -> Tensor:
    method = CentreMethod.HADAMARD
    matrix = _sylvester(method, bits)
    rows = torch.cat([matrix, -matrix])[:classes]
    return _complete(rows, classes, method=method, generator=generator)


def _hadamard_random(classes: int, bits: int, generator: torch.Generator) -> Tensor:
    method = CentreMethod.HADAMARD_RANDOM
    pool = _sylvester(method, bits)[1:]  # the first row is constant
    if classes > len(pool):
        pool = torch.cat([pool, -pool])
    rows = pool[torch.randperm(len(pool), generator=generator)][:classes]
    return _complete(rows, classes, method=method, generator=generator)


def _maxhd(classes: int, bits: int, generator: torch.Generator) -> Tensor:
    rows, percent, failures = _signs(1, bits, generator), _FIRST_PERCENT, 0
    while len(rows) < classes:
        block = _signs(min(_BLOCK, _PATIENCE - failures), bits, generator)
        # Hundredths in integers: 0.61 * bits is not exact in binary.
        fits = (100 * hamming_distances(block, rows) >= percent * bits).all(1)
        if fits.any():
            first = int(fits.int().argmax())
            rows, failures = torch.cat([rows, block[first : first + 1]]), failures + first
        else:
            failures += len(block)
        if failures >= _PATIENCE:
            percent, failures = percent - 1, 0
        if percent < _LAST_PERCENT:
            raise _too_short(CentreMethod.MAXHD, classes=classes, bits=bits)
    return rows[torch.randperm(classes, generator=generator)]


_MAKERS: dict[CentreMethod, Callable[[int, int, torch.Generator], Tensor]] = {
    CentreMethod.HADAMARD: _hadamard,
    CentreMethod.HADAMARD_RANDOM: _hadamard_random,
    CentreMethod.BERNOULLI_HALF: _bernoulli_half,
    CentreMethod.BERNOULLI: _bernoulli,
    CentreMethod.MAXHD: _maxhd,
}
