"""Setting rows aside by a seed."""

from __future__ import annotations

import numpy as np

from vaekit.errors import DataError, Faults

_STREAM = 20131220  # keeps the split's random numbers apart from those that training draws from the same seed


def split_rows(n: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Set a random `fraction` of `n` rows aside, the same ones for the same seed.

    Args:
        n: number of rows, at least 2.
        fraction: the part to set aside, above 0 and below 1; at least one row stays on each side.
        seed: a whole number of at least 0.

    Returns:
        The indices of the rows that stay and of those set aside, each sorted, int64, together 0..n-1.

    Raises:
        DataError: there are fewer than two rows.
        OptionError: the fraction or the seed is out of range.

    >>> rest, held = split_rows(10, 0.2, seed=0)
    >>> len(rest), len(held), sorted([*rest.tolist(), *held.tolist()]) == list(range(10))
    (8, 2, True)
    """
    faults = Faults()
    faults.number("fraction", fraction, low=0, high=1, open_low=True, open_high=True)
    faults.number("seed", seed, low=0, integer=True)
    faults.raise_if_any()
    if n < 2:
        raise DataError(f"{n} row{'' if n == 1 else 's'} cannot be split in two parts: at least 2 are needed.")
    held = min(max(round(n * fraction), 1), n - 1)
    order = np.random.default_rng([int(seed), _STREAM]).permutation(n)
    return np.sort(order[held:]), np.sort(order[:held])


def draw_rows(n: int, held: int, seed: int) -> np.ndarray:
    """The numbers of `held` random ones of `n` rows, sorted, int64; the same ones for the same seed.

    >>> len(draw_rows(10**12, 3, seed=0))
    3
    """
    drawn = np.random.default_rng([int(seed), _STREAM]).choice(n, held, replace=False, shuffle=False)
    return np.sort(drawn.astype(np.int64))
