"""The sentences that say what is wrong, word for word."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from vaekit import errors
from vaekit.errors import Faults, OptionError, did_you_mean, join


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        ("OptionError", ValueError),
        ("DataError", ValueError),
        ("DataTypeError", TypeError),
        ("DataTypeError", errors.DataError),
        ("RunError", ValueError),
        ("TrainingError", RuntimeError),
        ("MissingDependencyError", ImportError),
    ],
)
def test_every_error_is_a_builtin_one_too(kind, builtin):
    assert issubclass(getattr(errors, kind), builtin) and issubclass(getattr(errors, kind), errors.VaekitError)


@pytest.mark.parametrize(
    ("value", "limits", "said"),
    [
        (0, {"low": 1, "integer": True}, "a=0 must be a whole number of at least 1."),
        (1.5, {"low": 1, "integer": True}, "a=1.5 must be a whole number of at least 1."),
        (0, {"low": 0, "open_low": True}, "a=0 must be a number above 0."),
        (
            1,
            {"low": 0, "high": 1, "open_low": True, "open_high": True, "optional": True},
            "a=1 must be a number above 0 and below 1, or None.",
        ),
        (3, {"low": 0, "high": 2}, "a=3 must be a number of at least 0 and at most 2."),
        (3, {"high": 2}, "a=3 must be a number of at most 2."),
        (math.nan, {}, "a=nan must be a number."),
        (math.inf, {"low": 0}, "a=inf must be a number of at least 0."),
        (None, {"low": 0}, "a=None must be a number of at least 0."),
        (True, {"low": 0}, "a=True must be a number of at least 0."),
        ("3", {"low": 0}, "a='3' must be a number of at least 0."),
        ([1], {"integer": True}, "a=[1] must be a whole number."),
        (1j, {}, "a=1j must be a number."),
        (np.bool_(True), {}, "a=np.True_ must be a number."),
    ],
)
def test_numbers_that_cannot_be_used(value, limits, said):
    faults = Faults()
    faults.number("a", value, **limits)
    assert faults.found == [said]


@pytest.mark.parametrize(("value", "whole"), [(3, True), (np.int64(3), True), (3.0, False), (np.float32(3), False)])
def test_a_whole_number_is_one_by_its_type(value, whole):
    faults = Faults()
    faults.number("a", value, integer=True)
    assert (not faults.found) == whole


@pytest.mark.parametrize("value", [np.zeros(1), np.arange(3), torch.arange(3), 10**400, {}, object()])
def test_things_that_are_no_numbers_are_refused_without_a_crash(value):
    faults = Faults()
    faults.number("a", value, low=0)
    assert len(faults.found) == 1 and faults.found[0].endswith("must be a number of at least 0.")


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3), np.uint8(3), Fraction(3)])
def test_numbers_of_every_kind_are_accepted(value):
    faults = Faults()
    faults.number("a", value, low=3, high=3)
    faults.number("b", None, low=1, optional=True)
    faults.raise_if_any()


@pytest.mark.parametrize(
    ("value", "known", "said"),
    [
        (
            "gausian",
            ["gaussian", "poisson"],
            "a='gausian' is not one of 'gaussian', 'poisson' (did you mean 'gaussian'?).",
        ),
        ("zzz", ["gaussian", "poisson"], "a='zzz' is not one of 'gaussian', 'poisson'."),
        (1, [False, True], "a=1 is not one of False, True."),
        (True, [0, 1], "a=True is not one of 0, 1."),
        (None, ["x"], "a=None is not one of 'x'."),
        (np.arange(3), ["x"], "a=array([0, 1, 2]) is not one of 'x'."),
    ],
)
def test_choices(value, known, said):
    faults = Faults()
    faults.choice("a", value, known)
    assert faults.found == [said]


@pytest.mark.parametrize(
    ("value", "known"), [("x", ["x"]), (np.str_("x"), ["x"]), (True, [False, True]), (None, [None])]
)
def test_known_choices_are_accepted(value, known):
    faults = Faults()
    faults.choice("a", value, known)
    assert not faults.found


def test_faults_are_told_together():
    faults = Faults()
    faults.number("epochs", -1, low=1, integer=True)
    faults.add("A sentence.")
    with pytest.raises(OptionError) as error:
        faults.raise_if_any()
    assert str(error.value) == ("epochs=-1 must be a whole number of at least 1. A sentence.")


def test_no_faults_no_error():
    Faults().raise_if_any()


def test_join_and_did_you_mean():
    assert join("abcdef") == "'a', 'b', 'c', 'd', 'e' and 1 more"
    assert join("abcde") == "'a', 'b', 'c', 'd', 'e'"
    assert join([3]) == "3" and join([]) == ""
    assert did_you_mean("digit", ["digits", "mnist"]) == " (did you mean 'digits'?)"
    assert did_you_mean("xyz", ["digits", "mnist"]) == ""
