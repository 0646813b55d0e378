"""Distances between samples against closed forms and brute force, on features of a classifier that learns."""

import math

import numpy as np
import pytest
import scipy.linalg
from sklearn.datasets import load_digits

from vaekit.errors import DataError, OptionError
from vaekit.evaluation import (
    features_of,
    frechet_distance,
    kernel_distance,
    precision_recall,
    sample_quality,
    train_features,
)

RNG = np.random.default_rng(0)


def test_frechet_distance_of_normal_samples_is_that_of_their_moments():
    """Diagonal covariances: the sum of (mu - nu)^2 + (sigma - tau)^2."""
    a = RNG.normal(size=(50_000, 3)) * [1.0, 2.0, 0.5] + [0.0, 1.0, 0.0]
    b = RNG.normal(size=(50_000, 3)) * [2.0, 2.0, 1.0] + [1.0, 1.0, -2.0]
    assert abs(frechet_distance(a, b) - (1 + 4 + 1 + 0.25)) < 0.1
    assert abs(frechet_distance(a, a)) < 1e-8
    assert abs(frechet_distance(a, b) - frechet_distance(b, a)) < 1e-8


def test_frechet_distance_by_the_root_of_the_product():
    """The formula as it stands, with scipy's square root of a matrix that is not symmetric."""
    a, b = RNG.normal(size=(200, 4)) @ RNG.normal(size=(4, 4)), RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 4))
    A, B = np.cov(a.T), np.cov(b.T)
    root = np.trace(scipy.linalg.sqrtm(A @ B)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(A) + np.trace(B) - 2 * root
    assert abs(frechet_distance(a, b) - expected) < 1e-8


def test_kernel_distance_by_pairs():
    a, b = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3)) + 1

    def k(x, y):
        return (x @ y / 3 + 1) ** 3

    aa = np.mean([k(a[i], a[j]) for i in range(5) for j in range(5) if i != j])
    bb = np.mean([k(b[i], b[j]) for i in range(4) for j in range(4) if i != j])
    ab = np.mean([k(x, y) for x in a for y in b])
    assert abs(kernel_distance(a, b) - (aa + bb - 2 * ab)) < 1e-9


def test_kernel_distance_is_unbiased():
    """Between samples of one distribution its mean is zero."""
    values = [kernel_distance(RNG.normal(size=(30, 2)), RNG.normal(size=(40, 2))) for _ in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20


def test_precision_and_recall_by_hand():
    """Samples at one of two clusters are right but miss the other; far ones are wrong."""
    left, right = RNG.normal(size=(100, 2)), RNG.normal(size=(100, 2)) + 50
    both = np.concatenate([left, right])
    precision, recall = precision_recall(both, RNG.normal(size=(100, 2)))
    assert precision > 0.85 and 0.4 < recall <= 0.51
    assert precision_recall(both, both) == (1.0, 1.0)
    assert precision_recall(left, right) == (0.0, 0.0)


@pytest.mark.parametrize("place", [0, 100])
def test_copies_are_within_reach_of_each_other(place):
    copies = np.repeat(RNG.normal(size=(20, 5)), 10, axis=0) + place
    assert precision_recall(copies, copies) == (1.0, 1.0)


def test_types_and_places_do_not_matter():
    u, v = RNG.integers(0, 256, (100, 6)).astype(np.uint8), RNG.integers(0, 200, (100, 6)).astype(np.uint8)
    for score in (frechet_distance, kernel_distance, precision_recall):
        assert score(u, v) == score(u.astype(float), v.astype(float)) == score(u.tolist(), v.tolist())
        assert score(u > 99, v > 99) == score((u > 99) * 1.0, (v > 99) * 1.0)
    expected = precision_recall(u, v)
    assert 0 < min(expected) < 1
    assert precision_recall(u + np.float32(1e5), v + np.float32(1e5)) == expected
    assert frechet_distance(u + np.float32(1e5), v + np.float32(1e5)) == pytest.approx(frechet_distance(u, v), rel=1e-9)


def test_few_rows_and_singular_covariances():
    rows = RNG.normal(size=(6, 10))  # fewer rows than features
    assert frechet_distance(rows, rows) < 1e-6
    for call in (frechet_distance, kernel_distance, precision_recall):
        with pytest.raises(DataError, match="as many columns and at least"):
            call(rows[:1], rows)
        with pytest.raises(DataError, match="as many columns and at least"):
            call(rows, rows[:, :3])
        with pytest.raises(DataError, match="hold NaN or infinity"):
            call(np.where(rows == rows[0, 0], np.nan, rows), rows)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0].reshape(-1, 8, 8).astype("uint8"), load_digits().target


@pytest.fixture(scope="module")
def network(digits):
    return train_features(digits[0][:1200], digits[1][:1200], epochs=12)


def test_the_classifier_learns_and_is_a_function_of_the_seed(digits, network):
    images, labels = digits
    import torch

    with torch.no_grad():
        predicted = network(torch.from_numpy(images[1200:])).argmax(1).numpy()
    assert (predicted == labels[1200:]).mean() > 0.8
    again = train_features(images[:1200], labels[:1200], epochs=12)
    np.testing.assert_array_equal(features_of(again, images[:5]), features_of(network, images[:5]))


@pytest.mark.parametrize("shape", [(5, 16, 16), (5, 9, 9), (5, 1, 8, 8), (0, 8, 8)])
def test_features_are_of_images_like_those_of_the_training(network, shape):
    with pytest.raises(DataError) as error:
        features_of(network, np.zeros(shape))
    assert str(error.value) == f"The network takes images of shape (8, 8), not an array of shape {shape}."


def test_no_epochs_and_no_neighbours(digits):
    with pytest.raises(OptionError, match="epochs=0 must be a whole number of at least 1"):
        train_features(digits[0][:20], digits[1][:20], epochs=0)
    with pytest.raises(OptionError, match="neighbours=0 must be a whole number of at least 1"):
        precision_recall(RNG.normal(size=(6, 2)), RNG.normal(size=(6, 2)), neighbours=0)


def test_missing_labels_and_what_is_no_seed(digits):
    with pytest.raises(DataError, match="2 of the labels are missing: leave their images out"):
        train_features(digits[0][:4], [0, 1, math.nan, math.nan])
    with pytest.raises(OptionError, match="seed=-1 must be a whole number of at least 0"):
        train_features(digits[0][:4], [0, 1, 0, 1], seed=-1)


def test_worse_images_are_further_away(digits, network):
    images = digits[0]
    real, held = features_of(network, images[:900]), features_of(network, images[900:])
    noisy = np.clip(images[900:] + RNG.normal(0, 6, images[900:].shape), 0, 16).round().astype("uint8")
    good, bad = sample_quality(real, held), sample_quality(real, features_of(network, noisy))
    assert good["frechet"] < bad["frechet"] and good["kernel"] < bad["kernel"]
    assert good["precision"] > bad["precision"]


def test_labels_of_one_class_and_rows_that_are_no_images(digits):
    for X, y in ((digits[0][:10], np.zeros(10)), (digits[0][:10].reshape(10, 64), digits[1][:10])):
        with pytest.raises(DataError, match="Features need images"):
            train_features(X, y)
