"""Spectral hashing against a slow numpy version that multiplies the sines of all dimensions."""

import numpy as np
import pytest
import torch

from hashbench.core.codes import Role
from hashbench.core.errors import ConfigError
from hashbench.methods.building_blocks.features import PixelFeatures
from hashbench.methods.shallow.sh import SH, box_modes


def flat(stream):
    return stream.images.flatten(1).double().numpy()


@pytest.fixture
def fitted(view, context):
    def fit(stream, *, bits, seed=0):
        method = SH(SH.Params(), bits=bits, features=PixelFeatures())
        return method, method.fit(view(stream), context(seed, bits))

    return fit


def spectral_outputs(train, encoded, bits):
    """Every mode as a vector over all dimensions, the zero mode among them, as the paper has it."""
    mean = train.mean(axis=0)
    V = np.linalg.svd(train - mean, full_matrices=False)[2][:bits].T
    V = V * np.sign(V[np.abs(V).argmax(axis=0), np.arange(bits)])
    X = (train - mean) @ V
    low, high = X.min(axis=0) - np.finfo(float).eps, X.max(axis=0) + np.finfo(float).eps
    sides = high - low
    modes = [np.zeros(bits)]
    for d in range(bits):
        for k in range(1, int(np.ceil((bits + 1) * sides[d] / sides.max()))):
            mode = np.zeros(bits)
            mode[d] = k
            modes.append(mode)
    modes.sort(key=lambda mode: sum((mode * np.pi / sides) ** 2))
    outputs = np.empty((len(encoded), bits))
    for i, x in enumerate((encoded - mean) @ V):
        for bit, mode in enumerate(modes[1 : bits + 1]):
            waves = [
                np.sin(np.pi / 2 + (x[d] - low[d]) * mode[d] * np.pi / sides[d])
                for d in range(bits)
            ]
            outputs[i, bit] = np.prod(waves)
    return outputs


@pytest.mark.parametrize("bits", [1, 4, 12, 16])
def test_codes_agree_with_the_slow_version_inside_and_beyond_the_box(bits, fitted, images):
    method, _ = fitted(images(), bits=bits)
    for stream in (images(), images(50, seed=3)):
        expected = spectral_outputs(flat(images()), flat(stream), bits)
        centred = torch.from_numpy(flat(stream)) - method.mean
        np.testing.assert_allclose(method.project(centred).numpy(), expected, atol=1e-5)
        clear = np.abs(expected) > 1e-5
        assert clear.mean() > 0.99
        signs = method.encode(stream, Role.QUERY).signs()
        assert np.array_equal(signs[clear], np.where(expected > 0, 1, -1)[clear])


def test_modes_are_ordered_by_eigenvalue_in_a_case_worked_by_hand():
    # Sides 6, 4, 1 and K = 4: at most ceil(5) - 1 = 4, ceil(10/3) - 1 = 3, ceil(5/6) - 1 = 0 half
    # waves. k / r: 1/6, 2/6, 3/6, 4/6 and 1/4, 2/4, 3/4. Rising: 1/6, 1/4, 2/6, then 3/6 = 2/4,
    # the first dimension first.
    dimensions, halves = box_modes(torch.tensor([6.0, 4.0, 1.0], dtype=torch.float64), 4)
    assert list(zip(dimensions.tolist(), halves.tolist(), strict=True)) == [
        (0, 1),
        (1, 1),
        (0, 2),
        (0, 3),
    ]


def test_one_long_side_takes_all_modes():
    dimensions, halves = box_modes(torch.tensor([1.0, 100.0, 1.0], dtype=torch.float64), 3)
    assert dimensions.tolist() == [1, 1, 1]
    assert halves.tolist() == [1, 2, 3]


def test_equal_sides_are_each_cut_once_before_one_is_cut_twice():
    dimensions, halves = box_modes(torch.full((4,), 2.0, dtype=torch.float64), 4)
    assert dimensions.tolist() == [0, 1, 2, 3]
    assert halves.tolist() == [1, 1, 1, 1]


def test_first_bit_halves_the_box_and_two_half_waves_cut_off_both_its_ends(fitted):
    """Points 0, 1, ..., 8 on a line; K = 2 bits both cut it, as the other direction is short."""
    method = SH(SH.Params(), bits=2, features=lambda stream: stream)
    line = torch.stack([torch.arange(9.0) - 4, torch.tensor([0.01, -0.01] * 4 + [0.0])], dim=1)
    method.mean = torch.zeros(2, dtype=torch.float64)
    method.learn(line.double(), torch.Generator())
    outputs = method.project(line.double()[[0, 1, 3, 5, 7, 8]])
    assert (outputs[:, 0] >= 0).tolist() == [True, True, True, False, False, False]
    assert (outputs[:, 1] >= 0).tolist() == [True, True, False, False, True, True]


def test_a_direction_without_variance_is_never_cut(fitted, images):
    stream = images()
    stream.images[:, :, 0, :3] = 0.25
    method, _ = fitted(stream, bits=16)
    assert method.projection.shape[1] <= 13
    assert method.projection[:3].abs().max() < 1e-6
    assert np.isfinite(method.frequencies.numpy()).all()


def test_more_bits_than_principal_directions_are_refused(fitted, images):
    with pytest.raises(ConfigError, match=r"sh takes at most .* = 16 bits .* got 17"):
        fitted(images(), bits=17)


def test_no_seed_changes_the_codes(fitted, images):
    one, other = (fitted(images(), bits=8, seed=seed)[0] for seed in (0, 1))
    assert np.array_equal(
        one.encode(images(), Role.QUERY).packed, other.encode(images(), Role.QUERY).packed
    )


def test_the_report_counts_the_mean_the_used_directions_and_two_numbers_a_bit(fitted, images):
    method, report = fitted(images(), bits=8)
    used = len(set(method.columns.tolist()))
    assert report.parameters == 16 + 16 * used + 2 * 8
