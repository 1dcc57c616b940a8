"""Statistics of codes without labels: balance, correlation and entropy of bits and codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError

_BITS_AT_ONCE = 1 << 20  # 4 MB of float32, whose products of +-1 are exact below 2^24 rows


@dataclass(frozen=True, slots=True)
class CodeStatistics:
    """Statistics of N codes; bits are -1 or +1, entropies in bits.

    Attributes:
        items: Number of codes N.
        distinct: Number of different codes.
        constant_bits: Bits that are the same in every code.
        bit_balance: Mean over the bits of |mean of the bit|: 0 is balanced, 1 constant.
        bit_correlation: Mean over the pairs of bits of |Pearson correlation|, without pairs of a
            constant bit; None where no pair is left.
        bit_entropy: Mean over the bits of the entropy of the bit, at most 1.
        code_entropy: Entropy of the distribution of codes, at most log2 N and at most the bits.
    """

    items: int
    distinct: int
    constant_bits: int
    bit_balance: float
    bit_correlation: float | None
    bit_entropy: float
    code_entropy: float


def code_statistics(codes: Codes) -> CodeStatistics:
    """Compute the statistics of codes.

    Example:
        >>> found = code_statistics(Codes.from_outputs(np.array([[1.0, 1.0], [1.0, -1.0]])))
        >>> found.distinct, found.constant_bits, found.bit_balance, found.code_entropy
        (2, 1, 0.5, 1.0)

    Args:
        codes: At least one code.

    Raises:
        DataError: If there is none.
    """
    items = len(codes)
    if items == 0:
        raise DataError("code statistics: there are no codes to describe")
    sums, products = _sums(codes)
    counts = _code_counts(codes)
    positive = (items + sums) / (2 * items)
    return CodeStatistics(
        items=items,
        distinct=len(counts),
        constant_bits=int((np.abs(sums) == items).sum()),
        bit_balance=float(np.abs(sums).mean()) / items,
        bit_correlation=_mean_correlation(sums, products, items),
        bit_entropy=float((_surprise(positive) + _surprise(1 - positive)).mean()),
        code_entropy=float(_surprise(counts / items).sum()),
    )


def _sums(codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum the bits, (bits,), and their products, (bits, bits), in whole numbers."""
    sums = np.zeros(codes.bits, dtype=np.int64)
    products = np.zeros((codes.bits, codes.bits), dtype=np.int64)
    step = max(1, _BITS_AT_ONCE // codes.bits)
    for start in range(0, len(codes), step):
        part = Codes(codes.packed[start : start + step], codes.bits).signs().astype(np.float32)
        sums += part.sum(axis=0, dtype=np.float64).astype(np.int64)
        products += (part.T @ part).astype(np.int64)
    return sums, products


def _code_counts(codes: Codes) -> NDArray[np.int64]:
    """Count how often each distinct code occurs, (distinct,)."""
    rows = np.ascontiguousarray(codes.packed)
    whole = rows.view(np.dtype((np.void, rows.shape[1])))[:, 0]
    return np.asarray(np.unique(whole, return_counts=True)[1])


def _mean_correlation(
    sums: NDArray[np.int64], products: NDArray[np.int64], items: int
) -> float | None:
    """Average |correlation| over the pairs of bits that vary; numerators are whole numbers."""
    deviations = np.sqrt((items - sums) * (items + sums).astype(np.float64))
    varying = np.flatnonzero(deviations)
    first, second = np.triu_indices(len(varying), k=1)
    if len(first) == 0:
        return None
    i, j = varying[first], varying[second]
    covariances = items * products[i, j] - sums[i] * sums[j]
    return float(np.abs(covariances / (deviations[i] * deviations[j])).mean())


def _surprise(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute -p log2 p, 0 at p = 0."""
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return -shares * logs + 0.0  # no -0.0
