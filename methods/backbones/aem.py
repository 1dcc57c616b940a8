"""The attention enhancement module (AEM) of AE-ViT, a documented reconstruction."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

_REDUCTION: Final = 16
_LEAST_HIDDEN: Final = 8


def spatial_kernel(grid: int) -> int:
    """Return the kernel of the spatial attention for a grid of ``grid`` patches a side."""
    if grid >= 14:  # noqa: PLR2004 - the rule is made of these sizes
        return 7
    return 5 if grid >= 8 else 3  # noqa: PLR2004 - as above


def _zeroed(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class AEM(nn.Module):
    """Local, channel and spatial attention on the map of patch embeddings.

    The source describes the purpose of the module, not its layers; this is our reconstruction. With
    F the map (N, D, h, w)::

        G   = F + DW3(F)                                              local
        A_c = 2 sigmoid(M(avgpool(G)) + M(maxpool(G))),  G' = A_c G   channel
        A_s = 2 sigmoid(conv([mean_D G' ; max_D G'])),   F' = A_s G'  spatial

    DW3 is a depthwise 3x3 convolution; M = 1x1 conv, ReLU, 1x1 conv with max(D // 16, 8) hidden
    channels; conv has the kernel of `spatial_kernel`. DW3, M's last layer and conv start at zero,
    so that A_c = A_s = 1 and the module is exactly the identity: pretrained weights see what they
    were trained on. There is no normalisation, so the batch size does not matter.

    The 2 is the range of the weights, (0, 2). With ``reach`` 1, plain sigmoids, they start at 0.5
    each: the module is then *not* the identity at the start but shrinks the map, to a quarter with
    both, and pretrained weights were not trained on such a map. It shows why the 2 matters.

    The map is ``width`` wide with ``grid`` patches on its shorter side; ``local``, ``channel`` and
    ``spatial`` say whether it has DW3, A_c and A_s.
    """

    def __init__(
        self,
        width: int,
        grid: int,
        *,
        local: bool = True,
        channel: bool = True,
        spatial: bool = True,
        reach: int = 2,
    ) -> None:
        super().__init__()
        self.reach = reach
        kernel = spatial_kernel(grid)
        self.local = _zeroed(nn.Conv2d(width, width, 3, padding=1, groups=width)) if local else None
        self.channel = _channel_mlp(width) if channel else None
        self.spatial = _zeroed(nn.Conv2d(2, 1, kernel, padding=kernel // 2)) if spatial else None

    def forward(self, features: Tensor) -> Tensor:
        """Enhance a map (N, D, h, w); the shape stays."""
        if self.local is not None:
            features = features + self.local(features)
        if self.channel is not None:
            features = features * (self.reach * self._channel_attention(self.channel, features))
        if self.spatial is not None:
            features = features * (self.reach * self._spatial_attention(self.spatial, features))
        return features

    # amax, not a pooling layer: max-pooling has no deterministic backward pass on CUDA.

    @staticmethod
    def _channel_attention(mlp: nn.Module, features: Tensor) -> Tensor:
        average = features.mean(dim=(2, 3), keepdim=True)
        peak = features.amax(dim=(2, 3), keepdim=True)
        return torch.sigmoid(mlp(average) + mlp(peak))

    @staticmethod
    def _spatial_attention(conv: nn.Module, features: Tensor) -> Tensor:
        mean = features.mean(dim=1, keepdim=True)
        peak = features.amax(dim=1, keepdim=True)
        return torch.sigmoid(conv(torch.cat([mean, peak], dim=1)))


def _channel_mlp(width: int) -> nn.Sequential:
    hidden = max(width // _REDUCTION, _LEAST_HIDDEN)
    first, last = nn.Conv2d(width, hidden, 1), _zeroed(nn.Conv2d(hidden, width, 1))
    nn.init.kaiming_normal_(first.weight, nonlinearity="relu")
    if first.bias is not None:
        nn.init.zeros_(first.bias)
    return nn.Sequential(first, nn.ReLU(), last)
