"""What can go wrong through no fault of vaekit, and the checks that say so in one sentence.

Every class is also a built-in exception, so that callers who know nothing of vaekit catch what they expect.
"""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
import warnings
from collections.abc import Iterable, Mapping, Sized
from typing import Any

_SKIPPED = {
    "vaekit",
    "sklearn",
    "joblib",
    "torch",
    "pandas",
    "polars",
    "narwhals",
    "contextlib",
    "threading",
    "concurrent",
}


class VaekitError(Exception):
    """Base of all errors that a user of vaekit can mend."""


class OptionError(VaekitError, ValueError):
    """An argument has a value that cannot be used, or a name that does not exist."""


class DataError(VaekitError, ValueError):
    """The data cannot be used as they are."""


class DataTypeError(DataError, TypeError):
    """The data are of a type that cannot be used (text where numbers belong)."""


class WriteError(VaekitError, OSError):
    """A file or folder cannot be written; what was there before is still there."""


class RunError(VaekitError, ValueError):
    """A RUN folder is missing, exists already, is damaged, or does not belong to what was asked."""


class TrainingError(VaekitError, RuntimeError):
    """Training cannot go on: the loss is no longer a number."""


class MissingDependencyError(VaekitError, ImportError):
    """An optional dependency is needed; the message says what to install."""


def warn(sentence: str) -> None:
    """Issue a UserWarning that points at the nearest line outside vaekit and what it is called through.

    Where there is none, as in a thread of polars, it points at the line that warns.
    """
    frame, level = inspect.currentframe(), 1
    while (frame := frame and frame.f_back) and (frame.f_globals.get("__name__") or "").split(".")[0] in _SKIPPED:
        level += 1
    warnings.warn(sentence, stacklevel=level + 1 if frame else 2)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known name, or an empty string.

    >>> did_you_mean("latent_dims", ["latent_dim", "hidden"])
    " (did you mean 'latent_dim'?)"
    """
    nearest = difflib.get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


def join(items: Iterable[object], most: int = 5) -> str:
    """List up to `most` items in one line.

    >>> join(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    items = list(items)
    shown = ", ".join(repr(item) for item in items[:most])
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What became of settings, in words, by their names.

    >>> changes({"latent_dim": 2, "hidden": [8]}, {"latent_dim": 3, "hidden": [8]})
    ['latent_dim was 2, now 3']
    """
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return [f"{name} was {old.get(name)!r}, now {new.get(name)!r}" for name in names]


def check_unmasked(values: Any, what: str, hint: str = "") -> None:
    """Raise DataError where numpy's mask hides some of the values.

    >>> import numpy as np
    >>> check_unmasked(np.ma.masked_equal([1, -9], -9), "y")
    Traceback (most recent call last):
    vaekit.errors.DataError: y is an array with masked values: fill or drop them first.
    """
    import numpy as np  # which `vaekit --help` does without

    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError(f"{what} is an array with masked values{hint}: fill or drop them first.")


def be(items: Sized) -> str:
    """The verb that goes with `items` things.

    >>> be(["a"]), be(["a", "b"])
    ('is', 'are')
    """
    return "is" if len(items) == 1 else "are"


class Faults:
    """Collect the faults of several arguments and raise them together, one sentence each.

    >>> faults = Faults()
    >>> faults.number("epochs", -1, low=1, integer=True)
    >>> faults.choice("likelihood", "gausian", ["gaussian", "poisson"])
    >>> faults.raise_if_any()
    Traceback (most recent call last):
    ...
    vaekit.errors.OptionError: epochs=-1 must be a whole number of at least 1. likelihood='gausian' is not one of \
'gaussian', 'poisson' (did you mean 'gaussian'?).
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    def number(
        self,
        name: str,
        value: Any,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        open_low: bool = False,
        open_high: bool = False,
        integer: bool = False,
        optional: bool = False,
    ) -> None:
        """Note a fault unless `value` is a finite number in the range (or None where `optional`)."""
        if value is None and optional:
            return
        kind = "a whole number" if integer else "a number"
        try:
            number = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
        except OverflowError:  # a whole number of hundreds of digits
            number = math.inf
        ok = math.isfinite(number) and (not integer or isinstance(value, numbers.Integral))
        ok = ok and (number > low if open_low else number >= low)
        ok = ok and (number < high if open_high else number <= high)
        if ok:
            return
        limits = []
        if low > -math.inf:
            limits.append(f"above {_plain(low)}" if open_low else f"of at least {_plain(low)}")
        if high < math.inf:
            most = "at most" if limits else "of at most"
            limits.append(f"below {_plain(high)}" if open_high else f"{most} {_plain(high)}")
        text = " ".join([kind, " and ".join(limits)]).strip()
        self.found.append(f"{name}={value!r} must be {text}{', or None' if optional else ''}.")

    def choice(self, name: str, value: Any, known: Iterable[Any]) -> None:
        """Note a fault unless `value` is one of `known`."""
        known = list(known)
        kind = str if isinstance(value, str) else type(value)  # numpy's strings too; but 1 is not True
        if not any(value is k or (kind is type(k) and value == k) for k in known):
            listed = ", ".join(repr(k) for k in known)
            hint = did_you_mean(value, [k for k in known if isinstance(k, str)]) if isinstance(value, str) else ""
            self.found.append(f"{name}={value!r} is not one of {listed}{hint}.")

    def add(self, sentence: str) -> None:
        """Note a fault in its own words."""
        self.found.append(sentence)

    def raise_if_any(self) -> None:
        """Raise one OptionError that holds every sentence."""
        if self.found:
            raise OptionError(" ".join(self.found))


def _plain(limit: float) -> str:
    return f"{limit:g}" if abs(limit) < 1e6 else f"{limit:.0f}"


def check_number(name: str, value: Any, **limits: Any) -> None:
    """Raise OptionError unless `value` is a number within the limits of `Faults.number`.

    >>> check_number("points", 1, low=2, integer=True)
    Traceback (most recent call last):
    ...
    vaekit.errors.OptionError: points=1 must be a whole number of at least 2.
    """
    faults = Faults()
    faults.number(name, value, **limits)
    faults.raise_if_any()


def check_seed(seed: Any) -> None:
    """Raise OptionError unless `seed` is a whole number that every generator takes."""
    check_number("seed", seed, low=0, high=2**32 - 1, integer=True)


def check_choice(name: str, value: Any, known: Iterable[Any]) -> None:
    """Raise OptionError unless `value` is one of `known`."""
    faults = Faults()
    faults.choice(name, value, known)
    faults.raise_if_any()


def a_kind(thing: object) -> str:
    """What a thing is: the name of its class after "a" or "an".

    >>> a_kind(ValueError()), a_kind(OverflowError())
    ('a ValueError', 'an OverflowError')
    """
    name = type(thing).__name__
    return f"a{'n' if name[0] in 'AEIO' else ''} {name}"


def count(number: int, what: str) -> str:
    """A number of things.

    >>> count(1, "row"), count(1000, "row")
    ('1 row', '1,000 rows')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
