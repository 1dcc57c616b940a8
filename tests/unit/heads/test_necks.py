"""Necks: what they compute, how large they are, how they start, and what dropout does."""

import numpy as np
import pytest
import torch

from hashbench.core.cell import Head
from hashbench.core.errors import ConfigError
from hashbench.methods.heads import build_head
from hashbench.methods.interface import BackboneOutput


def head(neck, *, dim=12, bits=5, tokens=None, dropout=0.0):
    torch.manual_seed(0)
    return build_head(Head(neck), dim, bits=bits, tokens=tokens, dropout=dropout)


def size(module):
    return sum(p.numel() for p in module.parameters())


def arrays(module):
    return {name: p.detach().numpy() for name, p in module.named_parameters()}


def test_pool_has_no_parameters_and_passes_the_pooled_output_on():
    built, pooled = head("pool"), torch.randn(4, 12)
    assert size(built.neck) == 0
    assert torch.equal(built.neck(BackboneOutput(pooled, torch.randn(4, 9, 12))), pooled)


def test_vts_joins_all_tokens_in_order_and_ignores_the_pooled_output():
    built = head("vts", tokens=9).double().eval()
    tokens = np.random.default_rng(0).normal(size=(4, 9, 12))
    w = arrays(built)
    hidden = tokens.reshape(4, 108) @ w["neck.layer.weight"].T + w["neck.layer.bias"]
    expected = np.maximum(hidden, 0) @ w["last_layer.weight"].T + w["last_layer.bias"]
    output = BackboneOutput(torch.full((4, 12), float("nan")), torch.from_numpy(tokens))
    np.testing.assert_allclose(built(output).detach().numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("tokens", "dim", "weights"), [(197, 768, 154_927_104), (50, 768, 39_321_600)]
)
def test_vts_is_as_large_as_published_on_vit_b(tokens, dim, weights):
    with torch.device("meta"):
        built = build_head(Head("vts"), dim, bits=64, tokens=tokens)
    assert built.neck.layer.weight.numel() == weights == tokens * 768 * 1024
    assert size(built) == weights + 1024 + 1024 * 64 + 64


def test_vts_starts_kaiming_uniform_by_fan_out_with_normal_biases():
    layer = head("vts", dim=64, tokens=10).neck.layer
    weights, bias = layer.weight.detach(), layer.bias.detach()
    bound = np.sqrt(6 / 1024)  # gain sqrt(2) of ReLU times sqrt(3 / fan_out)
    assert weights.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert weights.abs().max() <= bound
    assert weights.std().item() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert bias.mean().item() == pytest.approx(0, abs=0.1)
    assert bias.std().item() == pytest.approx(1, rel=0.1)


def test_vts_drops_half_of_its_input_in_training_and_nothing_in_evaluation():
    built = head("vts", tokens=9)
    with torch.no_grad():
        built.neck.layer.weight.fill_(1 / 108)
        built.neck.layer.bias.zero_()
    output = BackboneOutput(torch.zeros(400, 12), torch.ones(400, 9, 12))
    torch.testing.assert_close(built.eval().neck(output), torch.ones(400, 1024))
    hidden = built.train().neck(output)[:, 0]
    # a mean of 108 twos with probability a half: 1 with a deviation of 0.096
    assert hidden.mean().item() == pytest.approx(1, abs=0.03)
    assert hidden.std().item() == pytest.approx(0.096, rel=0.2)


def test_vts_without_tokens_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^head\.neck: vts joins .*use pool or mlp3$"):
        head("vts")


def test_mlp3_is_three_layers_with_relu_between():
    built = head("mlp3").double()
    pooled = np.random.default_rng(0).normal(size=(6, 12))
    w = arrays(built)
    first = np.maximum(pooled @ w["neck.layers.0.weight"].T + w["neck.layers.0.bias"], 0)
    second = np.maximum(first @ w["neck.layers.3.weight"].T + w["neck.layers.3.bias"], 0)
    expected = second @ w["last_layer.weight"].T + w["last_layer.bias"]
    actual = built(BackboneOutput(torch.from_numpy(pooled))).detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_mlp3_is_as_large_as_d_d_d_k():
    with torch.device("meta"):
        built = build_head(Head("mlp3"), 2048, bits=64)
    assert size(built) == 2 * (2048**2 + 2048) + 2048 * 64 + 64


def test_mlp3_drops_half_after_the_first_relu_in_training_alone():
    built = head("mlp3", dim=200, dropout=0.5)
    first, second = built.neck.layers[0], built.neck.layers[3]
    with torch.no_grad():
        first.weight.zero_()
        first.bias.fill_(1.0)
        second.weight.copy_(torch.eye(200))
        second.bias.zero_()
    output = BackboneOutput(torch.randn(50, 200))
    assert torch.equal(built.eval().neck(output), torch.ones(50, 200))
    kept = built.train().neck(output)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert (kept > 0).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_mlp3_has_no_dropout_unless_the_backbone_asks_for_it():
    built, output = head("mlp3").train(), BackboneOutput(torch.randn(4, 12))
    assert torch.equal(built(output), built(output))
