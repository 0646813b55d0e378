"""Heads on a code: against scikit-learn, and on shapes whose answer is known."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_circles, make_moons
from sklearn.linear_model import LogisticRegression

from vaekit.models.heads import fit_linear_head, fit_radial_head, spread_labels


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_head_is_logistic_regression_on_codes_of_unit_spread(classes):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 60)
    z = rng.normal(size=(60, 4)) * [1, 2, 3, 0.1] + y[:, None]
    scaled = (z - z.mean(0)) / np.sqrt(z.var(0).mean())
    expected = LogisticRegression(C=3.0, max_iter=2000).fit(scaled, y).predict_proba(scaled)
    given = fit_linear_head(z, y, 3.0)(torch.from_numpy(z).float()).softmax(1)
    np.testing.assert_allclose(given.detach().numpy(), expected, atol=1e-4)


def test_radial_head_parts_circles_where_a_line_cannot():
    z, y = make_circles(300, noise=0.05, factor=0.5, random_state=0)
    codes = torch.from_numpy(z).float()
    accuracy = [
        (head(codes).argmax(1).numpy() == y).mean()
        for head in (fit_radial_head(z, y, 10, 0), fit_linear_head(z, y, 10))
    ]
    assert accuracy[0] > 0.99 and accuracy[1] < 0.7


def test_radial_head_turns_with_the_codes():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(50, 3)), np.arange(50) % 3
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    a = fit_radial_head(z, y, 1.0, 0)(torch.from_numpy(z).float())
    b = fit_radial_head(z @ turn, y, 1.0, 0)(torch.from_numpy(z @ turn).float())
    torch.testing.assert_close(a, b, atol=2e-3, rtol=0)


def test_many_codes_are_thinned_to_a_thousand_centres():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(1200, 2)), np.arange(1200) % 2
    z[:, 0] += 4 * y
    head = fit_radial_head(z, y, 1.0, 0)
    assert head.centres.shape == (1000, 2)
    assert (head(torch.from_numpy(z).float()).argmax(1).numpy() == y).mean() > 0.95


def test_labels_spread_along_moons_and_those_given_stay():
    z, y = make_moons(400, noise=0.05, random_state=0)
    few = np.full(400, -1)
    few[[np.flatnonzero(y == c)[0] for c in (0, 1)]] = 0, 1
    assert (spread_labels(z, few) == y).mean() > 0.98
    odd = np.flatnonzero(few < 0)[0]
    few[odd] = 1 - y[odd]
    assert spread_labels(z, few)[odd] == few[odd]


def test_labels_spread_as_the_recursion_in_closed_form():
    """Along a line of uneven codes, with unequal numbers of labels; S by its eigenvalues, the rounds as a series."""
    rng, alpha, rounds = np.random.default_rng(5), 0.99, 100
    z, y = np.c_[np.sort(10 * rng.random(200)), 0.1 * rng.random(200)], np.full(200, -1)
    y[rng.permutation(200)[:9]] = [0, 0, 2, 0, 1, 2, 0, 1, 2]
    far = np.square(z[:, None] - z).sum(-1) + np.diag(np.full(200, np.inf))
    near = far <= np.sort(far, 1)[:, 9:10]
    either = (near | near.T).astype(float)
    degree = either.sum(1)
    values, vectors = np.linalg.eigh(either / np.sqrt(np.outer(degree, degree)))
    last = (alpha * values) ** rounds
    series = last + (1 - alpha) * (1 - last) / (1 - alpha * values)
    given = (y[:, None] == np.arange(3)).astype(float)
    spread = (vectors * series) @ vectors.T @ given
    labels = (spread * given.sum(0) / spread.sum(0)).argmax(1)
    np.testing.assert_array_equal(spread_labels(z, y), np.where(y >= 0, y, labels))


def test_codes_that_no_label_reaches_and_labels_everywhere():
    z = np.concatenate([np.linspace(0, 1, 30), np.linspace(50, 51, 30)])[:, None]
    y = np.full(60, -1)
    y[:2] = 0, 1
    spread = spread_labels(z, y)
    assert set(spread[:30]) == {0, 1} and (spread[30:] == -1).all()
    full = np.arange(60) % 2
    np.testing.assert_array_equal(spread_labels(z, full), full)
