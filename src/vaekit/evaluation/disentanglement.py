r"""How far the units of a code are the factors that the data were made from, where these are known.

Four measures of one idea, that each factor is one unit; they often disagree (Locatello et al. 2019). All take codes
(N, L), such as posterior means, and factors (N, K): numbers with few levels, one column for each. A column whose levels
have no order, such as a shape, is named in `categorical`. Each score is 1 at best (but for SAP of categorical factors),
and near 0, or near its chance level, for codes that know nothing of the factors.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaekit.errors import DataError, DataTypeError, check_number, check_seed
from vaekit.evaluation.likelihood import active_units

_TREES, _LEAF = 50, 5  # of the forests of DCI: trees, and rows in a leaf at least
_ROWS, _VOTES = 100, 2000  # of the FactorVAE score: rows behind a vote, votes to learn from and as many to judge by


@dataclass(frozen=True, eq=False)
class _Factors:
    """Codes and factors, checked: (N, L) codes, (N, K) values and their levels from 0, and which have no order."""

    codes: np.ndarray
    values: np.ndarray
    levels: np.ndarray
    categorical: list[bool]

    @property
    def counts(self) -> np.ndarray:
        """(K,) numbers of levels."""
        return self.levels.max(0) + 1


def mutual_information(codes: Any, factors: Any, bins: int = 20) -> np.ndarray:
    r"""Mutual information of each unit and each factor, by counting.

    .. math:: I(z_l; v_k) = \sum_{b, v} p(b, v) \log \frac{p(b, v)}{p(b)\,p(v)}

    over equal bins b of the unit's range and the factor's levels v. Counting overestimates it: about
    (bins - 1)(levels - 1) / 2N nats for a unit that knows nothing of the factor.

    Args:
        codes: (N, L).
        factors: (N, K).
        bins: of each unit.

    Returns:
        (L, K) nats.

    Raises:
        DataError: codes or factors are NaN, infinite or of another shape; or a factor does not vary, or has levels with
            fewer than two rows on average.
        OptionError: fewer than two bins.

    >>> mutual_information([[0.0], [0.1], [5.0], [5.1]], [[0], [0], [1], [1]]).round(3)
    array([[0.693]])
    """
    found = _checked(codes, factors)
    check_number("bins", bins, low=2, integer=True)
    return _information(found, bins)


def mig(codes: Any, factors: Any, bins: int = 20) -> float:
    r"""Mutual information gap (Chen et al. 2018, eq. 6), on binned codes as in Locatello et al. (2019).

    .. math:: \frac1K \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    with z_(1) and z_(2) the units that know most and second most of factor k. 0 where two units share each factor,
    as after a rotation.

    Args, raises: as `mutual_information`.

    >>> levels = np.indices((4, 4)).reshape(2, -1).T
    >>> mig(levels, levels), round(mig(levels @ [[1, 1], [1, -1]], levels), 12)
    (1.0, 0.0)
    """
    found = _checked(codes, factors)
    check_number("bins", bins, low=2, integer=True)
    first, second = _two_largest(_information(found, bins))
    shares = [np.bincount(column) / len(column) for column in found.levels.T]
    entropy = [-(share[share > 0] * np.log(share[share > 0])).sum() for share in shares]
    return float(((first - second) / entropy).mean())


def sap(codes: Any, factors: Any, categorical: Collection[int] = (), seed: int = 0) -> float:
    r"""Separated attribute predictability (Kumar et al. 2018, section 3).

    .. math:: \frac1K \sum_k S_{(1)k} - S_{(2)k}

    the gap between the two units that predict factor k best, each by itself: S is the squared correlation with an
    ordered factor; for a categorical one the balanced accuracy of thresholds, found on half of the rows, on the
    other half. That is about 1/C for a unit that knows nothing of C categories, so SAP hardly exceeds 1 - 1/C there.
    Inactive units (variance of at most 0.01) score 0.

    Args:
        codes: (N, L), on the scale of posterior means.
        factors: (N, K).
        categorical: numbers of the columns without order.
        seed: of the split into halves.

    Raises:
        DataError: as `mutual_information`, or `categorical` names a column that is not there.
        OptionError: `seed` is no seed.

    >>> levels = np.indices((4, 4)).reshape(2, -1).T
    >>> round(sap(levels, levels), 12), round(sap(levels @ [[1, 1], [1, -1]], levels), 12)
    (1.0, 0.0)
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    found = _checked(codes, factors, categorical)
    fit, rest = _halves(len(found.codes), seed)
    scores = np.zeros((found.codes.shape[1], found.values.shape[1]))
    for unit in np.flatnonzero(active_units(found.codes)):
        code = found.codes[:, unit : unit + 1]
        for factor, (values, levels) in enumerate(zip(found.values.T, found.levels.T, strict=True)):
            if not found.categorical[factor]:
                scores[unit, factor] = np.corrcoef(code[:, 0], values)[0, 1] ** 2
                continue
            leaves = int(found.counts[factor])
            tree = DecisionTreeClassifier(max_leaf_nodes=leaves, class_weight="balanced", random_state=seed)
            guesses = tree.fit(code[fit], levels[fit]).predict(code[rest])
            scores[unit, factor] = balanced_accuracy_score(levels[rest], guesses)
    first, second = _two_largest(scores)
    return float((first - second).mean())


def dci(codes: Any, factors: Any, categorical: Collection[int] = (), seed: int = 0) -> dict[str, float]:
    r"""Disentanglement, completeness and informativeness (Eastwood and Williams 2018, section 2).

    .. math::
        D = \sum_l \rho_l\, \Big[1 - H_K\Big(\frac{R_{l\cdot}}{\sum_k R_{lk}}\Big)\Big], \qquad
        C = \frac1K \sum_k \Big[1 - H_L\Big(\frac{R_{\cdot k}}{\sum_l R_{lk}}\Big)\Big]

    R_lk is the importance of unit l to a random forest that predicts factor k from the code, H_n the entropy to base
    n, and rho_l the share of all importance that unit l has. D is 1 where each unit matters to one factor only, C where
    each factor needs one unit only. Informativeness is how well the forests predict the half of the rows that they were
    not fitted to, the mean over the factors of R^2 (ordered) or accuracy (categorical). With a single factor D is 1,
    and with a single unit C, whatever the code: neither says anything then.

    Args, raises: as `sap`.

    Returns:
        ``disentanglement``, ``completeness`` and ``informativeness``.

    >>> levels = np.repeat(np.indices((4, 4)).reshape(2, -1).T, 20, axis=0)
    >>> dci(levels, levels)
    {'disentanglement': 1.0, 'completeness': 1.0, 'informativeness': 1.0}
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    found = _checked(codes, factors, categorical)
    fit, rest = _halves(len(found.codes), seed)
    importance, scores = [], []
    for factor, unordered in enumerate(found.categorical):
        kind: Any = RandomForestClassifier if unordered else RandomForestRegressor
        target = (found.levels if unordered else found.values)[:, factor]
        forest = kind(_TREES, max_features=None, min_samples_leaf=_LEAF, random_state=seed)
        forest.fit(found.codes[fit], target[fit])
        importance.append(forest.feature_importances_)
        scores.append(forest.score(found.codes[rest], target[rest]))
    R = np.stack(importance, 1)  # (L, K)
    share = R.sum(1) / R.sum() if R.any() else np.zeros(len(R))
    return {
        "disentanglement": float(share @ _concentration(R)),
        "completeness": float(_concentration(R.T).mean()),
        "informativeness": float(np.mean(scores)),
    }


def factor_vae_score(codes: Any, factors: Any, seed: int = 0) -> float:
    """The metric of Kim and Mnih (2018, section 4): the unit that varies least tells which factor was held fixed.

    A vote is drawn so: a factor, one of its levels, and 100 rows that have this level; of the active units (variance
    above 0.01) the one whose variance over these rows is the smallest share of its variance over all. A factor is named
    for each unit by the majority of 2,000 votes; the score is how often it is right in 2,000 others. Chance is 1/K; no
    active unit scores 0. Several units for a factor may score 1 too, and so may mixtures in which each factor has a
    unit that it moves most: with spare units even some rotations do.

    Args:
        codes: (N, L), on the scale of posterior means.
        factors: (N, K).
        seed: of the votes.

    Raises:
        DataError: as `mutual_information`.
        OptionError: `seed` is no seed.

    >>> levels = np.repeat(np.indices((4, 4)).reshape(2, -1).T, 20, axis=0)
    >>> factor_vae_score(levels, levels)
    1.0
    """
    found = _checked(codes, factors)
    active = found.codes[:, active_units(found.codes)]
    if active.shape[1] == 0:
        return 0.0
    check_seed(seed)
    rng, scaled = np.random.default_rng(seed), active / active.std(0)
    kept_fixed = rng.integers(0, found.levels.shape[1], 2 * _VOTES)
    least = np.empty(2 * _VOTES, dtype=np.int64)
    for factor, levels in enumerate(found.levels.T):
        votes = np.flatnonzero(kept_fixed == factor)
        order, counts = np.argsort(levels, kind="stable"), np.bincount(levels)
        level = levels[rng.integers(0, len(levels), len(votes))]
        place = (rng.random((len(votes), _ROWS)) * counts[level, None]).astype(np.int64)
        rows = order[np.cumsum(counts)[level, None] - counts[level, None] + place]
        for vote, row in zip(votes, rows, strict=True):
            least[vote] = scaled[row].var(0).argmin()
    named = np.zeros((active.shape[1], found.levels.shape[1]), dtype=np.int64)
    np.add.at(named, (least[:_VOTES], kept_fixed[:_VOTES]), 1)
    return float((named.argmax(1)[least[_VOTES:]] == kept_fixed[_VOTES:]).mean())


def disentanglement_scores(
    codes: Any, factors: Any, categorical: Collection[int] = (), seed: int = 0
) -> dict[str, float]:
    """All measures of this page: `mig`, `sap`, `factor_vae_score` and the three of `dci`.

    Args, raises: as `sap`.

    >>> levels = np.repeat(np.indices((4, 4)).reshape(2, -1).T, 20, axis=0)
    >>> list(disentanglement_scores(levels, levels))
    ['mig', 'sap', 'factor_vae_score', 'disentanglement', 'completeness', 'informativeness']
    """
    return {
        "mig": mig(codes, factors),
        "sap": sap(codes, factors, categorical, seed),
        "factor_vae_score": factor_vae_score(codes, factors, seed),
        **dci(codes, factors, categorical, seed),
    }


def _information(found: _Factors, bins: int) -> np.ndarray:
    table = np.empty((found.codes.shape[1], found.levels.shape[1]))
    for unit, code in enumerate(found.codes.T):
        low, high = code.min(), code.max()
        place = np.minimum(((code - low) / ((high - low) or 1.0) * bins).astype(np.int64), bins - 1)
        for factor, levels in enumerate(found.levels.T):
            count = int(found.counts[factor])
            joint = np.bincount(place * count + levels, minlength=bins * count).reshape(bins, count) / len(levels)
            apart = joint.sum(1, keepdims=True) * joint.sum(0)
            held = joint > 0
            table[unit, factor] = (joint[held] * np.log(joint[held] / apart[held])).sum()
    return table


def _two_largest(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest and second largest of each column (L, K); a single row has a second of 0."""
    ordered = np.sort(np.vstack([table, np.zeros(table.shape[1])]), axis=0)
    return ordered[-1], ordered[-2]


def _concentration(table: np.ndarray) -> np.ndarray:
    """One less the entropy of each row's shares, to the base of their number; 0 for a row of zeros."""
    total = table.sum(1, keepdims=True)
    shares = table / np.where(total > 0, total, 1.0)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(1) / np.log(max(2, table.shape[1]))
    return np.where(total[:, 0] > 0, 1 - entropy, 0.0)


def _halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    check_seed(seed)
    order = np.random.default_rng(seed).permutation(n)
    return order[: n // 2], order[n // 2 :]


def _checked(codes: Any, factors: Any, categorical: Collection[int] = ()) -> _Factors:
    arrays = []
    for what, given, shape in (("codes", codes, "(N, L)"), ("factors", factors, "(N, K)")):
        values = np.asarray(given)
        if values.ndim != 2 or 0 in values.shape:
            raise DataError(f"The {what} have the shape {values.shape}, but {shape} is needed.")
        if values.dtype.kind not in "biuf":
            raise DataTypeError(f"The {what} are of type {values.dtype} where numbers belong.")
        if not np.isfinite(values).all():
            raise DataError(f"The {what} hold NaN or infinity.")
        arrays.append(values.astype(np.float64))
    codes, values = arrays
    if len(codes) != len(values):
        raise DataError(f"There are {len(values):,} rows of factors for {len(codes):,} codes.")
    levels = np.stack([np.unique(column, return_inverse=True)[1] for column in values.T], 1)
    for factor, count in enumerate(levels.max(0) + 1):
        if count == 1:
            raise DataError(f"Factor {factor} does not vary, so no code can be scored by it.")
        if 2 * count > len(levels):
            raise DataError(f"Factor {factor} has {count:,} levels in {len(levels):,} rows; cut it into fewer.")
    numbers = isinstance(categorical, Collection) and all(
        isinstance(column, (int, np.integer)) and not isinstance(column, bool) for column in categorical
    )
    if not numbers:
        raise DataError(f"categorical must hold numbers of columns, such as [0], but is {categorical!r}.")
    outside = [column for column in categorical if column not in range(values.shape[1])]
    if outside:
        raise DataError(f"categorical names the column {outside[0]}, but the factors are 0 to {values.shape[1] - 1}.")
    return _Factors(codes, values, levels, [factor in categorical for factor in range(values.shape[1])])
