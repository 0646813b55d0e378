"""What codes know of labels that they were not fitted to, by clusters and classifiers; and which units know anything.

Nodes without a label (-1, an empty string or NaN) are left out of every score.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vaekit.errors import DataError, DataTypeError, Faults, check_number
from vaekit.evaluation.likelihood import active_units, mean_and_se
from vaekit.schema.conversion import checked_labels

_DECIMALS = 6  # of codes for k-means, in units of their largest deviation: nearer ones are one point
_STEPS = 10_000  # most iterations of the classifier; it needs tens to hundreds


def cluster_scores(codes: Any, labels: Any, seed: int = 0, n_init: int = 10) -> dict[str, float]:
    r"""How far k-means on the codes finds the classes, with as many clusters as classes.

    .. math::
        \mathrm{NMI} = \frac{2\, I(C; Y)}{H(C) + H(Y)}, \qquad
        \mathrm{ARI} = \frac{\mathrm{RI} - \mathrm{E}[\mathrm{RI}]}{\max \mathrm{RI} - \mathrm{E}[\mathrm{RI}]}

    with C the clusters, Y the classes and RI the share of pairs on which both agree (Vinh et al. 2010; Hubert and
    Arabie 1985). Both are 1 for the classes themselves; ARI is 0 on average for clusters at random, NMI above
    that, and the more so the fewer nodes a class has.

    Args:
        codes: (N, L).
        labels: (N,), numbers or strings.
        seed: of the starts of k-means.
        n_init: its number of starts, of which the tightest clusters are kept.

    Returns:
        ``nmi`` and ``ari``; nothing where there are fewer than two classes, or fewer than two labelled nodes a class on
        average, which any clusters would seem to find. Where the codes are fewer different points
        than there are classes, each point is a cluster.

    Raises:
        DataError: the codes are NaN, infinite or not (N, L), or the labels are not one for each.
        OptionError: `n_init` is no whole number above 0.

    >>> cluster_scores([[0.0], [0.1], [5.0], [5.1], [9.0]], ["a", "a", "b", "b", ""])
    {'nmi': 1.0, 'ari': 1.0}
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    check_number("n_init", n_init, low=1, integer=True)
    codes, labels, known = _checked(codes, labels)
    points, truth = codes[known], labels[known]
    classes = len(np.unique(truth))
    if not 2 <= classes <= len(truth) / 2:
        return {}
    points = points - points.mean(0)
    points = np.round(points / (np.abs(points).max() or 1), _DECIMALS)
    clusters = min(classes, len(np.unique(points, axis=0)))
    starts: Any = n_init  # an annotation in scikit-learn's own code says str
    found = KMeans(clusters, n_init=starts, random_state=seed).fit_predict(points)
    return {
        "nmi": float(normalized_mutual_info_score(truth, found)),
        "ari": float(adjusted_rand_score(truth, found)),
    }


def classification_scores(
    codes: Any,
    labels: Any,
    train: Any = None,
    test: Any = None,
    seed: int = 0,
    folds: int = 5,
    neighbours: int | None = None,
) -> dict[str, float | int | None]:
    """How well a linear classifier, or the nearest neighbours, read the classes off the codes.

    Logistic regression on codes standardised by the training nodes (scikit-learn's, C = 1); or, with `neighbours`, the
    majority of that many nearest training nodes, by the Euclidean distance of the codes as they are. By default every
    labelled node is predicted once, by the classifier of the folds that do not hold it, the folds stratified by class;
    classes with fewer members than folds are left out with their nodes, as not every fold could hold one. With `train`
    and `test` all classes count, and a test node of a class that training does not have is predicted wrongly.

    Args:
        codes: (N, L).
        labels: (N,), numbers or strings.
        train: numbers of the nodes to fit to, or (N,) booleans; None: cross-validation.
        test: numbers of the nodes to predict, or (N,) booleans; none of them in `train`.
        seed: of the folds.
        folds: their number.
        neighbours: of a node; None: logistic regression.

    Returns:
        ``accuracy``; ``accuracy_se``, its standard error over the nodes predicted (None for one), which leaves out the
        spread over training sets; ``macro_f1``, the mean of F1 over the classes of these nodes; ``majority``, the
        accuracy of naming the commonest class of the training nodes; ``n`` nodes predicted; ``classes`` among them.
        Nothing where training would have fewer than two classes or there is no node to predict.

    Raises:
        DataError: the codes are NaN, infinite or not (N, L); the labels are not one for each; of `train` and `test`
            one is missing, names no node, or shares nodes with the other; there are fewer training nodes than
            `neighbours`.
        OptionError: `folds` or `neighbours` cannot be used.

    >>> codes, labels = [[0.0], [0.1], [0.3], [5.0], [5.1]], [0, 0, 0, 1, 1]
    >>> classification_scores(codes, labels, folds=2)["accuracy"]
    1.0
    >>> classification_scores(codes, labels, train=[0, 1, 3], test=[2, 4])["majority"]
    0.5
    """
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedKFold

    faults = Faults()
    faults.number("folds", folds, low=2, integer=True)
    faults.number("neighbours", neighbours, low=1, integer=True, optional=True)
    faults.raise_if_any()
    codes, labels, known = _checked(codes, labels)
    if (train is None) != (test is None):
        raise DataError("train and test go together: give both, or neither for cross-validation.")
    if train is None:
        names, place, members = np.unique(labels[known], return_inverse=True, return_counts=True)
        kept = np.flatnonzero(known)[members[place] >= folds]
        if (members >= folds).sum() < 2:
            return {}
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        splits = [(kept[fit], kept[rest]) for fit, rest in splitter.split(kept, labels[kept])]
    else:
        fit, rest = _places(train, known, "train"), _places(test, known, "test")
        shared = len(np.intersect1d(fit, rest))
        if shared:
            raise DataError(f"train and test share {shared:,} node{'' if shared == 1 else 's'}.")
        if len(np.unique(labels[fit])) < 2 or len(rest) == 0:
            return {}
        splits = [(fit, rest)]
    truth = np.concatenate([labels[rest] for _, rest in splits])
    fewest = min(len(fit) for fit, _ in splits)
    if neighbours is not None and fewest < neighbours:
        raise DataError(f"neighbours={neighbours} are more than the {fewest:,} nodes of training.")
    found = np.concatenate([_predict(codes, labels, fit, rest, neighbours) for fit, rest in splits])
    commonest = np.concatenate([np.repeat(_commonest(labels[fit]), len(rest)) for fit, rest in splits])
    names = np.unique(truth)
    never: Any = 0  # F1 of a class that was never predicted
    accuracy, error = mean_and_se((found == truth).astype(np.float64))
    return {
        "accuracy": accuracy,
        "accuracy_se": error,
        "macro_f1": float(f1_score(truth, found, labels=names, average="macro", zero_division=never)),
        "majority": float((commonest == truth).mean()),
        "n": len(truth),
        "classes": len(names),
    }


def unit_scores(means: Any, stddevs: Any, epsilon: float = 0.01) -> dict[str, np.ndarray]:
    r"""Which units of a code say something of the rows, and on how many rows a unit has collapsed onto N(0, 1).

    Args:
        means: (N, L) posterior means, the first of what `VAE.posterior` gives.
        stddevs: (N, L) their standard deviations, the second.
        epsilon: nats of KL below which a unit is at the prior.

    Returns:
        (L,) each: ``kl``, the mean over the rows of KL(q(z_l|x) || N(0, 1)) in nats; ``active``, whether the variance
        of the mean is above 0.01 (Burda et al. 2016); ``collapsed``, the share of rows with a KL below `epsilon`. A
        unit is (epsilon, delta)-collapsed where that is at least 1 - delta (Lucas et al. 2019, definition 1).

    Raises:
        DataError: the means or standard deviations hold NaN or infinity, or are not of one shape (N, L).

    >>> scores = unit_scores([[1.0, 0.0], [-1.0, 0.01]], [[0.1, 1.0], [0.1, 1.0]])
    >>> scores["kl"].round(2), scores["active"], scores["collapsed"]
    (array([2.31, 0.  ]), array([ True, False]), array([0., 1.]))
    """
    mu, sigma = np.asarray(means, dtype=np.float64), np.asarray(stddevs, dtype=np.float64)
    if mu.ndim != 2 or 0 in mu.shape or mu.shape != sigma.shape:
        raise DataError(f"Means of shape {mu.shape} and standard deviations of {sigma.shape} are not both (N, L).")
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        raise DataError("Means must be finite, and standard deviations finite and above 0.")
    kl = 0.5 * (mu**2 + sigma**2 - 1) - np.log(sigma)
    return {"kl": kl.mean(0), "active": active_units(mu), "collapsed": (kl < epsilon).mean(0)}


def _predict(
    codes: np.ndarray, labels: np.ndarray, fit: np.ndarray, rest: np.ndarray, neighbours: int | None
) -> np.ndarray:
    """Labels of the nodes `rest` by a classifier fitted to the nodes `fit`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if neighbours is not None:
        return KNeighborsClassifier(neighbours).fit(codes[fit], labels[fit]).predict(codes[rest])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS))
    return model.fit(codes[fit], labels[fit]).predict(codes[rest])


def _commonest(labels: np.ndarray) -> Any:
    """The commonest label, the first in order among equals."""
    names, counts = np.unique(labels, return_counts=True)
    return names[counts.argmax()]


def _checked(codes: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes as (N, L) float64, labels as (N,), and which nodes have a label."""
    values = np.asarray(codes)
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(f"The codes have the shape {values.shape}, but (N, L) is needed: a row for each node.")
    if values.dtype.kind not in "biuf":
        raise DataTypeError(f"The codes are of type {values.dtype} where numbers belong.")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values).all(1)).sum())
        raise DataError(f"The codes of {bad:,} node{'' if bad == 1 else 's'} hold NaN or infinity.")
    named = checked_labels(labels, len(values))
    without = np.isin(named, ["", "-1"]) if named.dtype.kind == "U" else (named == -1) | (named != named)  # NaN too
    return values.astype(np.float64), named, ~without


def _places(nodes: Any, known: np.ndarray, what: str) -> np.ndarray:
    """Numbers of the labelled ones among nodes given by number or as booleans."""
    values = np.asarray(nodes)
    if values.dtype.kind == "b" and values.shape == known.shape:
        return np.flatnonzero(values & known)
    if values.ndim != 1 or (len(values) and values.dtype.kind not in "iu"):
        raise DataError(f"{what} must hold numbers of nodes, or a boolean for each of the {len(known):,}.")
    values = np.unique(values).astype(np.int64)
    if len(values) and (values[0] < 0 or values[-1] >= len(known)):
        outside = values[0] if values[0] < 0 else values[-1]
        raise DataError(f"{what} names the node {outside}, but the nodes are 0 to {len(known) - 1}.")
    return values[known[values]]
