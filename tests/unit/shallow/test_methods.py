"""LSH, ITQ and the float row against numpy written from their formulas."""

import numpy as np
import pytest
import torch

from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.building_blocks.features import PixelFeatures
from hashbench.methods.shallow.cosine import Cosine
from hashbench.methods.shallow.interface import ShallowMethod
from hashbench.methods.shallow.itq import ITQ
from hashbench.methods.shallow.lsh import LSH


@pytest.fixture
def fitted(images, view, context):
    """Fit a method on pixels of 60 random images; returns it and its report."""

    def fit(cls, *, bits, seed=0, count=60, **params):
        method = cls(cls.Params.model_validate(params), bits=bits, features=PixelFeatures())
        return method, method.fit(view(images(count)), context(seed, bits))

    return fit


def flat(stream):
    return stream.images.flatten(1).double().numpy()


def test_lsh_is_the_sign_of_the_centred_random_projection(fitted, images):
    method, _ = fitted(LSH, bits=24)
    database = images(50, seed=3)
    codes = method.encode(database, Role.DATABASE)
    outputs = (flat(database) - flat(images()).mean(axis=0)) @ method.projection.numpy()
    assert isinstance(codes, Codes)
    assert np.array_equal(codes.signs(), np.where(outputs >= 0, 1, -1))


def test_lsh_projection_is_standard_normal_and_ignores_the_data(fitted):
    method, _ = fitted(LSH, bits=1024)
    other, _ = fitted(LSH, bits=1024, count=10)
    W = method.projection.numpy()
    assert W.shape == (16, 1024)
    assert abs(W.mean()) < 0.03
    assert abs(W.std() - 1) < 0.03
    assert torch.equal(other.projection, method.projection)


def test_lsh_without_centring_leaves_the_mean_in(fitted, images):
    method, _ = fitted(LSH, bits=24, centre=False)
    outputs = flat(images()) @ method.projection.numpy()
    codes = method.encode(images(), Role.QUERY)
    assert np.array_equal(codes.signs(), np.where(outputs >= 0, 1, -1))


def test_an_output_of_zero_is_a_set_bit(fitted, images):
    method, _ = fitted(LSH, bits=8)
    method.projection.zero_()
    codes = method.encode(images(5), Role.QUERY)
    assert np.array_equal(codes.signs(), np.ones((5, 8)))


def itq_numpy(features, bits, *, rotation, iterations):
    """ITQ from its formula; the principal directions by SVD, not by the covariance."""
    centred = features - features.mean(axis=0)
    V = np.linalg.svd(centred, full_matrices=False)[2][:bits].T
    V = V * np.sign(V[np.abs(V).argmax(axis=0), np.arange(bits)])
    X, R, errors = centred @ V, rotation, []
    for _ in range(iterations):
        B = np.where(X @ R >= 0, 1.0, -1.0)
        U, _, Wt = np.linalg.svd(B.T @ X)
        R = Wt.T @ U.T
        errors.append(((B - X @ R) ** 2).sum() / len(X))
    return V @ R, R, errors


def first_rotation(bits):
    """The random orthogonal matrix that a cell of seed 0 starts from."""
    generator = torch.Generator().manual_seed(derive_seed(0, Purpose.METHOD))
    normal = torch.randn((bits, bits), generator=generator, dtype=torch.float64).numpy()
    Q, R = np.linalg.qr(normal)
    return Q * np.sign(np.diag(R))


def test_itq_agrees_with_an_independent_numpy_version(fitted, images):
    method, _ = fitted(ITQ, bits=8, iterations=20)
    projection, R, errors = itq_numpy(flat(images()), 8, rotation=first_rotation(8), iterations=20)
    np.testing.assert_allclose(method.rotation.numpy(), R, atol=1e-6)
    np.testing.assert_allclose(method.projection.numpy(), projection, atol=1e-6)
    np.testing.assert_allclose(method.errors, errors, rtol=1e-8)
    database = images(50, seed=3)
    outputs = (flat(database) - flat(images()).mean(axis=0)) @ projection
    codes = method.encode(database, Role.DATABASE)
    assert np.array_equal(codes.signs(), np.where(outputs >= 0, 1, -1))


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_itq_error_never_rises_and_falls_in_all(fitted, bits):
    method, _ = fitted(ITQ, bits=bits)
    assert len(method.errors) == 50
    assert np.all(np.diff(method.errors) <= 1e-12)
    assert method.errors[-1] < method.errors[0]


def test_itq_quantises_better_than_random_rotations(images, view, context):
    features = flat(images(400))
    method = ITQ(ITQ.Params(), bits=8, features=PixelFeatures())
    # At the pixels' own scale every code is far away; 20 times as large, the rotation matters.
    method.features = lambda stream: torch.from_numpy(features * 20).float()
    method.fit(view(images(400)), context())
    X = (features - features.mean(axis=0)) * 20 @ (method.projection @ method.rotation.T).numpy()
    rng = np.random.default_rng(0)
    random = []
    for _ in range(20):
        Q = np.linalg.qr(rng.normal(size=(8, 8)))[0]
        random.append(((np.where(X @ Q >= 0, 1, -1) - X @ Q) ** 2).sum() / len(X))
    assert method.errors[-1] < min(random)


def test_itq_rotation_is_orthogonal(fitted):
    R = fitted(ITQ, bits=16)[0].rotation.numpy()
    np.testing.assert_allclose(R @ R.T, np.eye(16), atol=1e-10)


def test_itq_refuses_more_bits_than_principal_directions(fitted):
    with pytest.raises(ConfigError, match=r"itq takes at most .* = 16 bits .* got 17"):
        fitted(ITQ, bits=17)
    with pytest.raises(ConfigError, match=r"at most .* = 9 bits here \(D = 16, N = 10\), got 10"):
        fitted(ITQ, bits=10, count=10)
    fitted(ITQ, bits=9, count=10)


def test_cosine_gives_centred_features_as_embeddings(fitted, images):
    method, _ = fitted(Cosine, bits=None)
    database = images(50, seed=3)
    embeddings = method.encode(database, Role.DATABASE)
    expected = flat(database) - flat(images()).mean(axis=0)
    assert isinstance(embeddings, Embeddings)
    np.testing.assert_allclose(embeddings.values, expected, atol=1e-6)


def test_cosine_without_centring_gives_the_features(fitted, images):
    method, _ = fitted(Cosine, bits=None, centre=False)
    np.testing.assert_allclose(
        method.encode(images(), Role.QUERY).values, flat(images()), atol=1e-7
    )


@pytest.mark.parametrize("cls", [LSH, ITQ])
def test_equal_seeds_give_equal_codes_and_other_seeds_others(cls, fitted, images):
    codes = [fitted(cls, bits=8, seed=s)[0].encode(images(), Role.QUERY) for s in (0, 0, 1)]
    assert np.array_equal(codes[0].packed, codes[1].packed)
    assert not np.array_equal(codes[0].packed, codes[2].packed)


def test_fitting_draws_from_no_global_generator(fitted):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fitted(ITQ, bits=8)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("cls", "bits", "numbers"), [(LSH, 8, 16 + 16 * 8), (ITQ, 8, 16 + 16 * 8), (Cosine, None, 16)]
)
def test_report_states_phases_images_and_numbers_held(cls, bits, numbers, fitted):
    _, report = fitted(cls, bits=bits)
    assert report.phases.keys() == {"features", "fit"}
    assert min(report.phases.values()) >= 0
    assert report.images_seen == 60
    assert report.parameters == numbers


@pytest.mark.parametrize("bits", [None, 0, -1, 1025])
@pytest.mark.parametrize("cls", [LSH, ITQ])
def test_hashing_needs_a_code_length_in_range(cls, bits):
    with pytest.raises(ConfigError, match=f"needs a code length between 1 and 1024, got {bits}"):
        cls(cls.Params(), bits=bits, features=PixelFeatures())


def test_the_float_row_takes_no_code_length():
    with pytest.raises(ConfigError, match="makes no codes; leave bits out, got 16"):
        Cosine(Cosine.Params(), bits=16, features=PixelFeatures())


def test_long_streams_are_encoded_in_order(fitted, images, monkeypatch):
    method, _ = fitted(LSH, bits=8)
    stream = images(50, seed=3)
    whole = method.encode(stream, Role.DATABASE)
    monkeypatch.setattr("hashbench.methods.shallow.interface._ROWS", 7)
    assert np.array_equal(method.encode(stream, Role.DATABASE).packed, whole.packed)


def test_the_docstring_s_example_is_a_method(images, view, context):
    class First(ShallowMethod):
        info = ComponentInfo(title="First features")

        def learn(self, centred, generator):
            pass

        def project(self, centred):
            return centred[:, : self.bits]

    method = First(First.Params(), bits=3, features=PixelFeatures())
    method.fit(view(images()), context())
    centred = flat(images()) - flat(images()).mean(axis=0)
    signs = method.encode(images(), Role.QUERY).signs()
    assert np.array_equal(signs, np.where(centred[:, :3] >= 0, 1, -1))
