"""The perceptron on pixels, against its one formula."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hashbench.core.cell import DataChoice
from hashbench.core.errors import DataError
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.datasets.sources.digits import Digits
from hashbench.methods.backbones.mlp import MLP
from hashbench.methods.weights import read_state_dict
from hashbench.training.images import DeviceImages

Build = Callable[..., MLP]


@pytest.fixture
def build() -> Build:
    def make(*, image_size: int = 8, seed: int = 0, **params: int) -> MLP:
        torch.manual_seed(seed)
        return MLP(MLP.Params(**params), image_size=image_size)

    return make


def test_it_is_one_linear_layer_of_256_and_a_relu(build: Build) -> None:
    mlp = build()
    images = np.random.default_rng(0).random((5, 8, 8))
    layer = {key: value.double().numpy() for key, value in mlp.trunk.state_dict().items()}
    expected = np.maximum(images.reshape(5, 64) @ layer["0.weight"].T + layer["0.bias"], 0)
    grey = torch.tensor(images, dtype=torch.float32)[:, None].expand(-1, 3, -1, -1)
    output = mlp(grey)
    assert output.tokens is None
    assert output.pooled.shape == (5, 256) == (5, mlp.feature_dim)
    np.testing.assert_allclose(output.pooled.detach().numpy(), expected, atol=1e-5)
    assert sum(p.numel() for p in mlp.parameters()) == 65 * 256


@pytest.mark.parametrize(("side", "width"), [(8, 16), (16, 256), (28, 32)])
def test_the_input_grows_with_the_image_and_the_output_with_the_width(
    build: Build, side: int, width: int
) -> None:
    mlp = build(image_size=side, width=width)
    assert mlp(torch.rand(2, 3, side, side)).pooled.shape == (2, width)
    assert mlp.feature_dim == width


def test_a_grey_image_gives_exactly_its_own_values() -> None:
    data, spec = Digits().load(None), load_protocol("digits@1")
    choice = DataChoice("digits", 1, spec.name, spec.sha256, spec.image_size)
    stream = DeviceImages(data.images, choice=choice, protocol=spec, device=torch.device("cpu"))
    images = stream.batch(torch.arange(len(stream)))
    mlp = MLP(MLP.Params(width=64), image_size=8)
    torch.nn.init.eye_(mlp.trunk[0].weight)
    torch.nn.init.zeros_(mlp.trunk[0].bias)
    with torch.no_grad():
        seen = mlp(images).pooled
    assert torch.equal(seen, stream.pixels(torch.arange(len(stream))).flatten(1))


def test_colours_are_averaged(build: Build) -> None:
    mlp = build()
    images = torch.rand(4, 3, 8, 8)
    shades = images.double().mean(1, keepdim=True).float().expand(-1, 3, -1, -1)
    torch.testing.assert_close(mlp(images).pooled, mlp(shades).pooled)


def test_its_own_state_dict_returns_through_a_file(build: Build, tmp_path: Path) -> None:
    saved, loaded = build(seed=1), build(seed=2)
    save_file(saved.state_dict(), tmp_path / "mlp.safetensors")
    loaded.load_pretrained(read_state_dict(tmp_path / "mlp.safetensors"))
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(loaded(images).pooled, saved(images).pooled)


def test_weights_of_another_image_size_are_refused_with_both_shapes(build: Build) -> None:
    with pytest.raises(DataError, match=r"do not fit mlp: .*\(256, 256\), should be \(256, 64\)"):
        build().load_pretrained(build(image_size=16).state_dict())


def test_there_are_no_published_weights() -> None:
    with pytest.raises(DataError, match="no published weights; write weights: none or a file"):
        MLP.fetch_pretrained(MLP.Params(), "timm/mlp")
