"""AEM: the exact identity at the start, its size, and what learns first."""

import numpy as np
import pytest
import torch

from hashbench.methods.backbones.aem import AEM, spatial_kernel


def test_output_equals_input_bit_for_bit_at_initialisation():
    torch.manual_seed(0)
    features = torch.randn(3, 192, 14, 14) * 10
    assert torch.equal(AEM(192, 14)(features), features)


def test_with_plain_sigmoids_it_starts_as_a_quarter_and_not_as_the_identity():
    torch.manual_seed(0)
    features = torch.randn(3, 32, 8, 8)
    assert torch.equal(AEM(32, 8, reach=1)(features), features / 4)


@pytest.mark.parametrize(("width", "numbers"), [(192, 6831), (384, 22779), (768, 82323)])
def test_parameter_count_on_a_14x14_grid(width, numbers):
    assert sum(p.numel() for p in AEM(width, 14).parameters()) == numbers


@pytest.mark.parametrize(
    ("grid", "kernel"), [(16, 7), (14, 7), (13, 5), (8, 5), (7, 3), (4, 3), (1, 3)]
)
def test_spatial_kernel_follows_the_grid(grid, kernel):
    assert spatial_kernel(grid) == kernel
    conv = AEM(16, grid, local=False, channel=False).spatial
    assert conv.kernel_size == (kernel, kernel)
    assert conv.padding == (kernel // 2, kernel // 2)


def test_first_step_reaches_the_convolution_the_last_layer_and_the_spatial_map():
    torch.manual_seed(0)
    aem = AEM(32, 8)
    before = {name: p.detach().clone() for name, p in aem.named_parameters()}
    optimiser = torch.optim.SGD(aem.parameters(), lr=0.1)
    target = torch.randn(4, 32, 8, 8)
    (aem(torch.randn(4, 32, 8, 8)) - target).square().sum().backward()
    optimiser.step()
    moved = {name for name, p in aem.named_parameters() if not torch.equal(p, before[name])}
    # The hidden layer stands behind a zero one, so that it starts one step later.
    assert moved == set(before) - {"channel.0.weight", "channel.0.bias"}


def test_hidden_layer_learns_from_the_second_step():
    torch.manual_seed(0)
    aem = AEM(32, 8)
    optimiser = torch.optim.SGD(aem.parameters(), lr=1e-3)
    images, target = torch.randn(4, 32, 8, 8), torch.randn(4, 32, 8, 8)
    for _ in range(2):
        optimiser.zero_grad()
        (aem(images) - target).square().sum().backward()
        optimiser.step()
    assert aem.channel[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("part", ["local", "channel", "spatial"])
def test_each_switch_leaves_only_its_part(part):
    parts = {name: name == part for name in ("local", "channel", "spatial")}
    aem = AEM(16, 8, **parts)
    assert {name.partition(".")[0] for name, _ in aem.named_parameters()} == {part}


def test_without_parts_it_has_no_parameters_and_changes_nothing():
    aem = AEM(16, 8, local=False, channel=False, spatial=False)
    features = torch.randn(2, 16, 8, 8)
    assert not list(aem.parameters())
    assert torch.equal(aem(features), features)


def _sigmoid(values):
    return 1 / (1 + np.exp(-values))


def _convolve(padded, kernel, height, width):
    """Correlate one padded map (H + k - 1, W + k - 1) with a kernel (k, k)."""
    k = len(kernel)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k))
    return np.einsum("hwij,ij->hw", windows[:height, :width], kernel)


def _aem_numpy(F, weights, reach):
    """The formula in float64, for one image (D, h, w)."""
    _, h, w = F.shape
    edge = np.pad(F, ((0, 0), (1, 1), (1, 1)))
    local = [
        _convolve(edge[d], weights["local.weight"][d, 0], h, w) + weights["local.bias"][d]
        for d in range(len(F))
    ]
    G = F + np.stack(local)

    def bottleneck(pooled):
        hidden = weights["channel.0.weight"][:, :, 0, 0] @ pooled + weights["channel.0.bias"]
        last = weights["channel.2.weight"][:, :, 0, 0]
        return last @ np.maximum(hidden, 0) + weights["channel.2.bias"]

    A_c = reach * _sigmoid(bottleneck(G.mean(axis=(1, 2))) + bottleneck(G.max(axis=(1, 2))))
    G = A_c[:, None, None] * G
    kernel = weights["spatial.weight"][0]
    pad = kernel.shape[-1] // 2
    maps = (np.pad(G.mean(axis=0), pad), np.pad(G.max(axis=0), pad))
    attention = sum(_convolve(m, k, h, w) for m, k in zip(maps, kernel, strict=True))
    return reach * _sigmoid(attention + weights["spatial.bias"]) * G


@pytest.mark.parametrize("reach", [2, 1])
def test_formula_agrees_with_float64_numpy_away_from_initialisation(reach):
    torch.manual_seed(1)
    aem = AEM(16, 8, reach=reach).double()
    for parameter in aem.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    features = torch.randn(2, 16, 8, 8, dtype=torch.float64)
    weights = {name: p.detach().numpy() for name, p in aem.named_parameters()}
    expected = np.stack([_aem_numpy(image, weights, reach) for image in features.numpy()])
    np.testing.assert_allclose(aem(features).detach().numpy(), expected, rtol=1e-10)
