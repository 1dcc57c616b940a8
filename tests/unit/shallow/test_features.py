"""Features: order, eval mode, precision, and pixels as they are."""

import weakref

import numpy as np
import pytest
import torch
from torch import nn

from hashbench.core.cell import Precision
from hashbench.methods.building_blocks.features import BackboneFeatures, PixelFeatures
from hashbench.methods.interface import Backbone, BackboneOutput


class Noisy(Backbone):
    """Dropout and batch norm: both give other numbers in training mode."""

    feature_dim = 48

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(48, 48), nn.Dropout(0.5))

    def forward(self, images):
        return BackboneOutput(self.layers(self.norm(images)))

    def load_pretrained(self, state):
        raise NotImplementedError


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    noisy = Noisy()
    noisy(torch.randn(64, 3, 4, 4))  # so that the running statistics are not the trivial ones
    return noisy


def extractor(backbone, precision=Precision.FP32):
    return BackboneFeatures(backbone, torch.device("cpu"), precision=precision)


def expected(backbone, stream):
    """The network's inference formula in float64 numpy."""
    state = {key: value.double().numpy() for key, value in backbone.state_dict().items()}
    batch = stream.batch(torch.arange(len(stream))).double().numpy()
    mean, variance = (state[f"norm.running_{s}"][:, None, None] for s in ("mean", "var"))
    normed = (batch - mean) / np.sqrt(variance + 1e-5)
    return normed.reshape(len(batch), -1) @ state["layers.1.weight"].T + state["layers.1.bias"]


@pytest.mark.parametrize("count", [1, 300])
def test_dropout_and_batch_norm_are_in_eval_mode_and_rows_in_order(count, backbone, images):
    stream = images(count)
    features = extractor(backbone.train())(stream)
    assert features.shape == (count, 48)
    assert features.dtype == torch.float32
    assert not features.requires_grad
    np.testing.assert_allclose(features.numpy(), expected(backbone, stream), atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_given_back_and_statistics_are_untouched(training, backbone, images):
    before = backbone.norm.running_mean.clone()
    extractor(backbone.train(training))(images(5))
    assert backbone.training is training
    assert torch.equal(backbone.norm.running_mean, before)


def test_bf16_runs_the_network_under_autocast_and_returns_float32(backbone, images):
    stream = images(40)
    exact, rough = extractor(backbone)(stream), extractor(backbone, Precision.BF16)(stream)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.05, rtol=0.05)


def test_pixels_are_flattened_as_they_are(images):
    stream = images(300)
    assert torch.equal(PixelFeatures()(stream), stream.images.reshape(300, 16))


class Tokens(Backbone):
    """Its pooled output is a view of all tokens, as a transformer's is."""

    feature_dim = 48

    def __init__(self):
        super().__init__()
        self.made = []

    def forward(self, images):
        tokens = np.tile(images.flatten(1).numpy()[:, None], (1, 9, 1))
        self.made.append(weakref.ref(tokens))
        return BackboneOutput(torch.from_numpy(tokens)[:, 0])

    def load_pretrained(self, state):
        raise NotImplementedError


def test_a_batch_s_tokens_are_gone_when_the_next_one_is_passed(images):
    backbone = Tokens()
    alive = []
    backbone.register_forward_pre_hook(
        lambda *_: alive.append(sum(tokens() is not None for tokens in backbone.made))
    )
    extractor(backbone)(images(900))
    assert max(alive) <= 1  # the last one, which its variable still holds
