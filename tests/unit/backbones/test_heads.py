"""Heads: what each last layer computes and how it starts."""

import numpy as np
import pytest
import torch

from hashbench.core.cell import Head
from hashbench.core.errors import ConfigError
from hashbench.methods.head_names import LAST_LAYERS, NECKS
from hashbench.methods.heads import build_head
from hashbench.methods.interface import BackboneOutput


def head(last_layer, *, dim=512, bits=64):
    torch.manual_seed(0)
    return build_head(Head("pool", last_layer), dim, bits=bits)


@pytest.mark.parametrize("neck", NECKS)
@pytest.mark.parametrize("last_layer", LAST_LAYERS)
def test_every_name_builds_a_head_from_features_to_bits(neck, last_layer):
    built = build_head(Head(neck, last_layer), 12, bits=5, tokens=9)
    tokens = torch.randn(4, 9, 12)
    assert built(BackboneOutput(torch.randn(4, 12), tokens)).shape == (4, 5)


@pytest.mark.parametrize("last_layer", ["linear", "bn", "ln_tanh"])
def test_weights_start_normal_with_deviation_one_hundredth(last_layer):
    weights = next(head(last_layer).parameters()).detach()
    assert weights.shape == (64, 512)
    assert weights.std().item() == pytest.approx(0.01, rel=0.03)
    assert weights.mean().item() == pytest.approx(0, abs=3e-4)


def test_linear_uniform_starts_within_one_over_the_root_of_its_inputs():
    layer = head("linear_uniform").last_layer
    bound = 512**-0.5
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.03)  # of a uniform one
    assert 0 < layer.bias.abs().max().item() <= bound


def test_linear_has_a_bias_of_zero_and_the_others_have_none():
    assert torch.equal(head("linear").last_layer.bias, torch.zeros(64))
    assert head("bn").last_layer[0].bias is None
    assert head("ln_tanh").last_layer[0].bias is None


def test_bn_standardises_each_bit_over_the_batch():
    features = np.random.default_rng(0).normal(size=(32, 12))
    built = head("bn", dim=12, bits=3).double().train()
    W = next(built.parameters()).detach().numpy()
    raw = features @ W.T
    expected = (raw - raw.mean(axis=0)) / np.sqrt(raw.var(axis=0) + 1e-5)
    actual = built(BackboneOutput(torch.from_numpy(features))).detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_ln_tanh_standardises_each_image_over_its_bits():
    features = np.random.default_rng(0).normal(size=(6, 12))
    built = head("ln_tanh", dim=12, bits=8).double()
    W = next(built.parameters()).detach().numpy()
    raw = features @ W.T
    deviation = np.sqrt(raw.var(axis=1, keepdims=True) + 1e-5)
    expected = np.tanh((raw - raw.mean(axis=1, keepdims=True)) / deviation)
    actual = built(BackboneOutput(torch.from_numpy(features))).detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_unknown_words_are_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match=r"head\.neck: unknown neck 'poll'. Did you mean 'pool'"):
        build_head(Head("poll", "linear"), 4, bits=2)
    with pytest.raises(ConfigError, match=r"head\.last_layer: unknown last layer 'ln'.*ln_tanh"):
        build_head(Head("pool", "ln"), 4, bits=2)
