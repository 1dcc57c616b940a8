"""SH: thresholded eigenfunctions of a uniform distribution over the principal box."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.methods.shallow.interface import ShallowMethod
from hashbench.methods.shallow.principal import principal_directions


class SH(ShallowMethod):
    r"""Spectral Hashing (Weiss, Torralba and Fergus, NIPS 2008).

    With X = (F - mean) V, V the leading K principal directions, the training data fill a box with
    sides r_d = mx_d - mn_d, mn_d = min x_d - eps, mx_d = max x_d + eps. Its modes, one dimension at
    a time, are k = 1 .. ceil((K + 1) r_d / max r) - 1 half waves along dimension d, with the
    eigenvalue (k pi / r_d)^2. The K modes of smallest eigenvalue give a bit each::

        bit = sgn(sin(pi/2 + (x_d - mn_d) k pi / r_d))

    so a long side is cut several times before a short one is cut once. Between equal eigenvalues
    the dimension of greater variance goes first, then the smaller k. eps is that of float64. A
    query beyond the box meets the same waves, continued.

    The code length K is at most min(D, N - 1).

    Attributes:
        projection: float64 (D, used), the columns of V that a mode uses; set by `fit`.
        columns: int64 (bits,), which column of ``projection`` each bit reads.
        starts: float64 (bits,), mn_d of each bit.
        frequencies: float64 (bits,), k pi / r_d of each bit.
    """

    info = ComponentInfo(
        title="Spectral Hashing",
        paper="Weiss, Torralba, Fergus, NIPS 2008",
        citation="weiss2008sh",
    )
    projection: Tensor
    columns: Tensor
    starts: Tensor
    frequencies: Tensor

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Find V, the box and its modes."""
        directions = principal_directions(centred, self.bits, method="sh")
        X, eps = centred @ directions, torch.finfo(centred.dtype).eps
        lowest, highest = X.amin(dim=0) - eps, X.amax(dim=0) + eps
        dimensions, halves = box_modes(highest - lowest, self.bits)
        used, self.columns = torch.unique(dimensions, return_inverse=True)
        self.projection = directions[:, used]
        self.starts = lowest[dimensions]
        self.frequencies = halves * math.pi / (highest - lowest)[dimensions]

    def project(self, centred: Tensor) -> Tensor:
        """Map (N, D) to the values of the modes, (N, bits), in [-1, 1]."""
        positions = (centred @ self.projection)[:, self.columns] - self.starts
        return torch.sin(math.pi / 2 + positions * self.frequencies)

    def parameters(self) -> int:
        """Return how many numbers the mean, the columns of V and the modes have."""
        return super().parameters() + self.projection.numel() + 2 * self.bits


def box_modes(sides: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the modes of a box with the smallest eigenvalues, the constant mode left out.

    Their dimensions and numbers k of half waves, int64 (count,) both, are in the order of the
    eigenvalue (k pi / r_d)^2, r the positive sides (D,).

    Example:
        >>> dimensions, halves = box_modes(torch.tensor([6.0, 4.0, 1.0]), 3)
        >>> dimensions.tolist(), halves.tolist()
        ([0, 1, 0], [1, 1, 2])
    """
    longest = float(sides.max())
    most = [math.ceil((count + 1) * side / longest) - 1 for side in sides.tolist()]
    modes = [(d, k) for d, largest in enumerate(most) for k in range(1, largest + 1)]
    dimensions, halves = torch.tensor(modes, device=sides.device).T
    order = (halves / sides[dimensions]).argsort(stable=True)[:count]
    return dimensions[order], halves[order]
