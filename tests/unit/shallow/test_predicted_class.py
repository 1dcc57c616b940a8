"""Codes of the predicted class against scikit-learn's classifier and votes counted by hand."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from hashbench.core.codes import Role
from hashbench.core.errors import ConfigError
from hashbench.core.info import Supervision
from hashbench.methods.building_blocks.features import PixelFeatures
from hashbench.methods.interface import TrainView
from hashbench.methods.shallow.predicted_class import PredictedClass

DECAY = 1e-2
RNG = np.random.default_rng(0)
# Four classes in three dimensions that overlap a little, in columns 0, 2, 3 and 5 of six.
COLUMNS = np.array([0, 2, 3, 5])
CENTRES = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2], [-1, -1, -1]])
NUMBERS = np.arange(200) % 4
FEATURES = 30 * (CENTRES[NUMBERS] + RNG.normal(size=(200, 3))) + 5
LABELS = np.eye(6)[COLUMNS[NUMBERS]]


@pytest.fixture
def fitted(context):
    """Fit it on given features and labels; the "images" are the features themselves."""

    def fit(features=FEATURES, labels=LABELS, *, bits=16, seed=0, **params):
        values = PredictedClass.Params(decay=DECAY, **params)
        method = PredictedClass(values, bits=bits, features=torch.tensor)
        several = bool((labels.sum(1) > 1).any())
        view = TrainView(features, torch.tensor(labels, dtype=torch.float32), multilabel=several)
        return method, method.fit(view, context(seed, bits))

    return fit


def scaled(features, train=FEATURES):
    norms = np.linalg.norm(train - train.mean(axis=0), axis=1)
    return (features - train.mean(axis=0)) / np.sqrt((norms**2).mean())


def reference(targets):
    """The same problem for scikit-learn, whose C weighs the sum of the losses."""
    model = LogisticRegression(C=1 / (DECAY * len(FEATURES)), tol=1e-10, max_iter=10_000)
    return model.fit(scaled(FEATURES), targets)


def test_the_class_predicted_is_that_of_an_independent_logistic_regression(fitted):
    method, _ = fitted()
    fresh = 30 * (CENTRES[NUMBERS] + np.random.default_rng(1).normal(size=(200, 3))) + 5
    found = method.predict(torch.tensor(fresh - FEATURES.mean(axis=0))).numpy()
    assert found.sum(axis=1).tolist() == [1] * 200
    model = reference(NUMBERS)
    assert np.array_equal(found.argmax(axis=1), model.predict(scaled(fresh)))
    assert 0.5 < np.mean(found.argmax(axis=1) == NUMBERS) < 1
    logits = scaled(fresh) @ model.coef_.T
    own = (fresh - FEATURES.mean(axis=0)) @ method.projection.numpy()
    np.testing.assert_allclose(own, logits, atol=1e-4)


def test_an_image_has_the_code_of_its_class_and_no_two_classes_share_one(fitted):
    method, _ = fitted()
    predicted = reference(NUMBERS).predict(scaled(FEATURES))
    signs = method.encode(FEATURES, Role.DATABASE).signs()
    assert np.array_equal(signs, method.codes.numpy()[predicted])
    assert method.codes.shape == (4, 16)  # classes without images have no code
    apart = (16 - method.codes @ method.codes.T) / 2
    assert float(apart[~torch.eye(4, dtype=torch.bool)].min()) >= 0.2 * 16


@pytest.mark.parametrize("several", [False, True])
def test_many_dimensions_to_spare_change_nothing(several, fitted):
    # The same points in 5,000 dimensions, of which they fill three, as photos' pixels are few.
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(5_000, 3)))[0]
    labels = np.maximum(LABELS, np.roll(LABELS, 1, axis=0)) if several else LABELS
    one, _ = fitted(labels=labels)
    other, _ = fitted(FEATURES @ turn.T, labels)
    np.testing.assert_allclose(turn.T @ other.projection.numpy(), one.projection.numpy(), atol=1e-6)
    np.testing.assert_allclose(
        turn @ (turn.T @ other.projection.numpy()), other.projection.numpy(), atol=1e-9
    )


def test_features_of_another_size_change_nothing(fitted):
    one, _ = fitted()
    other, _ = fitted(1000 * FEATURES)
    assert np.array_equal(
        one.encode(FEATURES, Role.QUERY).packed, other.encode(1000 * FEATURES, Role.QUERY).packed
    )


def test_several_labels_are_predicted_one_by_one_and_their_codes_voted_on(fitted):
    labels = LABELS.copy()
    labels[:, 4] = FEATURES[:, 0] > 20  # a second label where the first feature is large
    method, _ = fitted(labels=labels)
    used = labels[:, [0, 2, 3, 4, 5]]
    models = [reference(column) for column in used.T]
    logits = np.stack([model.decision_function(scaled(FEATURES)) for model in models], axis=1)
    predicted = logits > 0
    predicted[np.arange(200), logits.argmax(axis=1)] = True
    assert predicted.sum(axis=1).max() > 1
    found = method.predict(torch.tensor(FEATURES - FEATURES.mean(axis=0))).numpy()
    assert np.array_equal(found == 1, predicted)
    votes = predicted @ method.codes.numpy()
    expected = np.where(votes == 0, method.tie.numpy(), np.sign(votes))
    assert np.array_equal(method.encode(FEATURES, Role.DATABASE).signs(), expected)


def test_equal_seeds_give_equal_codes_and_other_seeds_others(fitted):
    codes = [fitted(seed=seed)[0].encode(FEATURES, Role.QUERY).packed for seed in (0, 0, 1)]
    assert np.array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_features_that_are_all_equal_and_one_class_alone_are_fitted(fitted):
    equal, _ = fitted(np.ones((200, 3)))
    assert len(np.unique(equal.encode(np.ones((5, 3)), Role.QUERY).packed, axis=0)) == 1
    alone, _ = fitted(labels=np.eye(6)[[2] * 200])
    assert len(np.unique(alone.encode(FEATURES, Role.QUERY).packed, axis=0)) == 1


def test_too_few_bits_for_so_many_classes_are_refused_with_the_remedy(fitted):
    with pytest.raises(ConfigError, match="finds no 4 centres far enough apart in 1 bits; use"):
        fitted(bits=1)
    fitted(bits=2, centres="bernoulli")


def test_labels_are_needed(fitted):
    with pytest.raises(ConfigError, match="learns from labels, and no training image has one"):
        fitted(labels=np.zeros((200, 6)))
    with pytest.raises(ConfigError, match="needs a code length between 1 and 1024, got None"):
        PredictedClass(PredictedClass.Params(), bits=None, features=PixelFeatures())


def test_the_report_counts_mean_classifier_and_codes(fitted):
    assert fitted()[1].parameters == 3 + (3 * 4 + 4) + (4 * 16 + 16)


def test_the_card_says_that_it_learns_from_labels() -> None:
    assert PredictedClass.info.supervision is Supervision.LABELS


def test_a_fitted_one_is_restored_from_its_state(fitted, context):
    method, _ = fitted()
    other = PredictedClass(PredictedClass.Params(), bits=16, features=method.features)
    other.restore_encoder(method.encoder_state(), context(0, 16))
    one, restored = (m.encode(FEATURES, Role.QUERY).packed for m in (method, other))
    assert np.array_equal(one, restored)
