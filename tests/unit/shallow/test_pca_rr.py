"""PCA-RR against principal directions by singular value decomposition and a rotation by hand."""

import numpy as np
import pytest
import torch

from hashbench.core.codes import Role
from hashbench.core.errors import ConfigError
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.building_blocks.features import PixelFeatures
from hashbench.methods.shallow.itq import ITQ
from hashbench.methods.shallow.pca_rr import PCARR


def flat(stream):
    return stream.images.flatten(1).double().numpy()


@pytest.fixture
def fitted(view, context):
    def fit(stream, *, bits, seed=0, cls=PCARR, **params):
        method = cls(cls.Params(**params), bits=bits, features=PixelFeatures())
        return method, method.fit(view(stream), context(seed, bits))

    return fit


def rotation(bits, seed=0):
    """The uniformly random orthogonal matrix of a cell's seed: QR with a positive diagonal."""
    generator = torch.Generator().manual_seed(derive_seed(seed, Purpose.METHOD))
    normal = torch.randn((bits, bits), generator=generator, dtype=torch.float64).numpy()
    Q, R = np.linalg.qr(normal)
    return Q * np.sign(np.diag(R))


def test_the_code_is_the_sign_of_the_rotated_principal_components(fitted, images):
    method, _ = fitted(images(), bits=10)
    train, database = flat(images()), flat(images(50, seed=3))
    V = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)[2][:10].T
    V = V * np.sign(V[np.abs(V).argmax(axis=0), np.arange(10)])
    outputs = (database - train.mean(axis=0)) @ V @ rotation(10)
    np.testing.assert_allclose(method.projection.numpy(), V @ rotation(10), atol=1e-8)
    codes = method.encode(images(50, seed=3), Role.DATABASE)
    assert np.array_equal(codes.signs(), np.where(outputs >= 0, 1, -1))


def test_it_spreads_variance_over_the_bits_and_keeps_its_sum(fitted, images):
    stream = images(200)
    method, _ = fitted(stream, bits=12)
    centred = flat(stream) - flat(stream).mean(axis=0)
    before = np.var(centred @ (method.projection @ method.rotation.T).numpy(), axis=0)
    after = np.var(centred @ method.projection.numpy(), axis=0)
    assert after.sum() == pytest.approx(before.sum())
    assert after.max() < before.max()
    assert after.min() > before.min()


def test_itq_starts_from_its_rotation_under_the_same_seed(fitted, images):
    one, _ = fitted(images(), bits=8, seed=4)
    # One alternation: R is the Procrustes solution for the signs under the first rotation.
    other, _ = fitted(images(), bits=8, seed=4, cls=ITQ, iterations=1)
    train = flat(images()) - flat(images()).mean(axis=0)
    B = np.where(train @ one.projection.numpy() >= 0, 1.0, -1.0)
    U, _, Wt = np.linalg.svd(B.T @ (train @ (one.projection @ one.rotation.T).numpy()))
    np.testing.assert_allclose(other.rotation.numpy(), Wt.T @ U.T, atol=1e-6)


def test_seeds_change_the_rotation_and_nothing_else(fitted, images):
    one, other = (fitted(images(), bits=8, seed=seed)[0] for seed in (0, 1))
    assert not np.allclose(one.rotation, other.rotation)
    back = [(method.projection @ method.rotation.T).numpy() for method in (one, other)]
    np.testing.assert_allclose(*back, atol=1e-10)


def test_more_bits_than_principal_directions_are_refused(fitted, images):
    with pytest.raises(ConfigError, match=r"pca_rr takes at most .* = 16 bits .* got 17"):
        fitted(images(), bits=17)


def test_the_report_counts_the_mean_and_the_projection(fitted, images):
    assert fitted(images(), bits=8)[1].parameters == 16 + 16 * 8
