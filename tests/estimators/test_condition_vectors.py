"""`ConditionalVAE` given vectors: names and precision of their columns, and completions row by row."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import vaekit
from vaekit import ConditionalVAE
from vaekit.errors import DataError

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}
X, Y = load_iris(return_X_y=True)


def test_columns_keep_their_names_and_order(tmp_path):
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"])
    ConditionalVAE(**SMALL).fit(X[:, 2:], condition=frame).save(tmp_path)
    cvae = vaekit.load(tmp_path)
    scores = cvae.score_samples(X[:, 2:], condition=X[:, :2])
    assert np.array_equal(cvae.score_samples(X[:, 2:], condition=frame), scores)
    with pytest.raises(DataError) as caught:
        cvae.score_samples(X[:, 2:], condition=frame[["b", "a"]])
    assert str(caught.value) == (
        "condition has the columns 'b', 'a', but ConditionalVAE was fitted with 'a', 'b', in this order."
    )


def test_one_row_of_a_frame_keeps_its_names_and_the_precision_of_the_fit():
    frame = pd.DataFrame({"a": [100_000.0, 100_001.0, *np.linspace(2e4, 2e5, 148)], "b": X[:, 0]})
    cvae = ConditionalVAE(**SMALL).fit(X[:, 2:], condition=frame)
    scores = cvae.score_samples(X[:2, 2:], condition=frame[:2])  # these two alone would look too much alike
    for i in range(2):
        np.testing.assert_allclose(cvae.score_samples(X[i : i + 1, 2:], condition=frame.iloc[i]), scores[i], rtol=1e-5)
    with pytest.raises(DataError, match=r"^condition has the columns 'b', 'a', but ConditionalVAE was fitted with"):
        cvae.score_samples(X[:1, 2:], condition=frame.iloc[0][["b", "a"]])


def test_times_that_32_bits_do_not_tell_apart():
    with pytest.raises(DataError) as caught:
        ConditionalVAE(**SMALL).fit(X[:50], condition=1.7e9 + np.arange(50))
    assert str(caught.value) == (
        "The values of condition in column 0 are too large beside their spread for 32-bit numbers; subtract a constant "
        "from them, or divide by one, first."
    )


@pytest.mark.parametrize("prior", ["normal", "conditional"])
def test_a_completion_does_not_depend_on_the_rows_beside_it(prior):
    C = X[:, :2] + np.arange(150)[:, None]
    cvae = ConditionalVAE(**SMALL, prior=prior).fit(X[:, 2:], condition=C)
    order = np.random.default_rng(0).permutation(150)
    mean, draws = cvae.complete(condition=C), np.stack(cvae.complete(condition=C, draws=3))
    np.testing.assert_allclose(cvae.complete(condition=C[:5]), mean[:5], rtol=1e-4)
    np.testing.assert_allclose(cvae.complete(condition=C[order]), mean[order], rtol=1e-4)
    assert np.array_equal(np.stack(cvae.complete(condition=C[:5], draws=3)), draws[:, :5])
    assert np.array_equal(np.stack(cvae.complete(condition=C[order], draws=3)), draws[:, order])
    twice = cvae.complete(condition=C[[0, 0]], draws=1)[0]
    assert not np.array_equal(twice[0], twice[1])


def test_small_conditions_say_as_much_as_large_ones():
    C = X[:, :1] / 10
    one = ConditionalVAE(**SMALL).fit(X[:, 1:], condition=C)
    small = ConditionalVAE(**SMALL).fit(X[:, 1:], condition=C * 1e-3)
    scores = small.score_samples(X[:, 1:], condition=C * 1e-3)
    np.testing.assert_allclose(scores, one.score_samples(X[:, 1:], condition=C), atol=0.02)


def test_the_code_has_the_units_of_the_fit():
    cvae = ConditionalVAE(**SMALL).fit(X, Y).set_params(latent_dim=5)
    assert cvae.inverse_transform(np.zeros((3, 2)), 0).shape == (3, 4)
    assert len(cvae.get_feature_names_out()) == 2 and len(cvae.complete([0])) == 1
