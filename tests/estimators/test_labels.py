"""Labels of a classifier: those it takes, those it refuses, and those it has not seen."""

import datetime

import numpy as np
import pytest

from vaekit import VAEClassifier
from vaekit.errors import DataTypeError
from vaekit.estimators.labels import number_labels, read_labels

X = np.random.default_rng(0).normal(size=(12, 3))
KIND = "Labels must be strings, whole numbers or booleans, but y holds some of type "
DAYS = np.arange("2020-01-01", "2020-01-05", dtype="datetime64[D]")
BAD = {
    "-1 among strings": (
        np.array(["a", "b", "-1", "a"], dtype=object),
        "y is an array of strings that holds '-1'; for rows without a label make it an array of objects with None or "
        "the number -1 there.",
    ),
    "dates": (DAYS, KIND + "datetime64[D]."),
    "durations": (DAYS - DAYS[0], KIND + "timedelta64[D]."),
    "bytes": (np.array([b"a", b"b", b"a", b"b"]), KIND + "|S1."),
    "dates among objects": ([datetime.date(2020, 1, 1), None, None, datetime.date(2020, 1, 2)], KIND + "date."),
    "bytes among objects": (np.array([b"a", None, b"a", b"b"], dtype=object), KIND + "bytes."),
}


@pytest.mark.parametrize("case", BAD)
def test_labels_of_a_type_that_cannot_be_saved_are_refused(case):
    y, message = BAD[case]
    with pytest.raises(DataTypeError) as caught:
        read_labels(y, 4)
    assert str(caught.value) == message


@pytest.mark.parametrize("y", [["a", "b", -1, "a"], ("a", "b", None, "a"), np.array(["a", "b", -1, "a"], object)])
def test_rows_without_a_label_among_strings(y):
    labels, there = read_labels(y, 4)
    assert labels.tolist() == ["a", "b", "a"] and there.tolist() == [True, True, False, True]


@pytest.mark.parametrize("y", [[True, False], [2, 5], [2.0, 5.0], ["a", "b"], np.array([2, 5], np.uint8)])
def test_labels_are_numbered_in_the_order_of_the_classes(y):
    for given in (np.array(y), np.array(y, dtype=object)):
        labels, there = read_labels(given, 2)
        assert there.all() and number_labels(labels, np.unique(labels)).tolist() == [y[0] > y[1], y[0] < y[1]]


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("dtype", [object, str])
def test_labels_of_another_type_than_the_classes_are_errors(dtype, swap):
    numbers = np.arange(12) % 2
    names = np.where(numbers == 0, "a", "b").astype(dtype)
    y, other = (names, numbers) if swap else (numbers, names)
    fitted = VAEClassifier("m2", latent_dim=1, hidden=(4,), epochs=1, verbose=0, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="y holds labels that fit has not seen"):
        assert fitted.score(X, other) == 0


@pytest.mark.parametrize(("method", "unit"), [("m2", "nats"), ("finetune", "nats a label")])
def test_the_progress_says_what_its_numbers_are(method, unit, capsys):
    y = np.arange(12) % 2
    VAEClassifier(method, latent_dim=1, hidden=(4,), epochs=1, random_state=0).fit(X, y, validation_data=(X, y))
    assert f"   {unit}   " in capsys.readouterr().err.splitlines()[-1]
