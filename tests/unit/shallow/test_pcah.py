"""PCAH against principal directions by singular value decomposition."""

import numpy as np
import pytest

from hashbench.core.codes import Role
from hashbench.core.errors import ConfigError
from hashbench.methods.building_blocks.features import PixelFeatures
from hashbench.methods.shallow.pcah import PCAH


def flat(stream):
    return stream.images.flatten(1).double().numpy()


@pytest.fixture
def fitted(view, context):
    def fit(stream, *, bits, seed=0):
        method = PCAH(PCAH.Params(), bits=bits, features=PixelFeatures())
        return method, method.fit(view(stream), context(seed, bits))

    return fit


def test_the_code_is_the_sign_of_the_principal_components(fitted, images):
    method, _ = fitted(images(), bits=10)
    train, database = flat(images()), flat(images(50, seed=3))
    V = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)[2][:10].T
    V = V * np.sign(V[np.abs(V).argmax(axis=0), np.arange(10)])
    outputs = (database - train.mean(axis=0)) @ V
    np.testing.assert_allclose(method.projection.numpy(), V, atol=1e-8)
    codes = method.encode(images(50, seed=3), Role.DATABASE)
    assert np.array_equal(codes.signs(), np.where(outputs >= 0, 1, -1))


def test_fewer_bits_are_the_first_of_more(fitted, images):
    few, many = (
        fitted(images(), bits=bits)[0].encode(images(), Role.QUERY).signs() for bits in (5, 12)
    )
    assert np.array_equal(few, many[:, :5])


def test_a_direction_along_which_nothing_varies_gives_a_constant_bit(fitted, images):
    stream = images()
    stream.images[:, :, 0, :3] = 0.25  # 3 of 16 pixels constant: 13 directions are left
    signs = fitted(stream, bits=16)[0].encode(stream, Role.DATABASE).signs()
    constant = (signs == 1).all(axis=0)
    assert constant.tolist() == [False] * 13 + [True] * 3


def test_more_bits_than_principal_directions_are_refused(fitted, images):
    with pytest.raises(ConfigError, match=r"pcah takes at most .* = 16 bits .* got 17"):
        fitted(images(), bits=17)
    with pytest.raises(ConfigError, match=r"at most .* = 9 bits here \(D = 16, N = 10\), got 10"):
        fitted(images(10), bits=10)


def test_no_seed_changes_the_codes(fitted, images):
    one, other = (fitted(images(), bits=8, seed=seed)[0] for seed in (0, 1))
    assert np.array_equal(
        one.encode(images(), Role.QUERY).packed, other.encode(images(), Role.QUERY).packed
    )


def test_the_report_counts_the_mean_and_the_directions(fitted, images):
    assert fitted(images(), bits=8)[1].parameters == 16 + 16 * 8
