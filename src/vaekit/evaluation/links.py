r"""How well scores tell edges from absent pairs, and what the spectrum of the graph alone would score.

For scores p_1..p_m of edges and n_1..n_n of absent pairs, a positive stands among all the given negatives at

.. math::
    r_i = 1 + \#\{j : n_j > p_i\} + \tfrac12 \#\{j : n_j = p_i\}, \qquad
    \mathrm{MRR} = \tfrac1m \sum_i \tfrac1{r_i}, \qquad
    \mathrm{Hits@}k = \tfrac1m \#\{i : r_i \le k\}

Ties count at mid-rank, as they do in the AUC: the mean of the best and the worst rank among equals (Berrendorf et al.
2020). Without ties Hits@k is the share of positives above the k-th best negative, as in the Open Graph Benchmark (Hu et
al. 2020), which counts a tie with that one as a miss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vaekit.errors import DataError, DataTypeError, Faults, check_number
from vaekit.schema import Graph
from vaekit.schema.conversion import as_array, checked_pairs

_DENSE = 500  # components of up to so many nodes are decomposed as dense matrices
HITS = (10, 50, 100)  # k of the share of edges among the first k
LINK_SCORES = ("auc", "ap", "mrr", *(f"hits@{k}" for k in HITS))
_ZERO = 1e-8  # eigenvalues up to here are rounding


def link_scores(positive: Any, negative: Any, ks: Sequence[int] = HITS) -> dict[str, float | None]:
    """AUC, average precision, mean reciprocal rank and Hits@k of scores, higher for likelier edges.

    Only the order of the scores matters. The numbers belong to their negatives: MRR and Hits@k fall as more are drawn,
    and average precision with their share. Average precision is scikit-learn's: pairs of one score are one step of
    the curve, so a model that gives many pairs the same score is not credited for an order among them.

    Args:
        positive: (m,) scores of edges.
        negative: (n,) scores of absent pairs.
        ks: the k of Hits@k.

    Returns:
        ``auc``, ``ap``, ``mrr`` and ``hits@k`` for each k, all from 0 to 1; ``hits@k`` is None where there are fewer
        than k negatives, since every positive would be a hit.

    Raises:
        DataError: there are no scores, or they are NaN, infinite or not one-dimensional.
        OptionError: a k that is no whole number above 0.

    >>> scores = link_scores([3.0, 1.0], [2.0, 1.0, 0.0], ks=(1, 2, 10))
    >>> {name: value and round(value, 3) for name, value in scores.items()}
    {'auc': 0.75, 'ap': 0.75, 'mrr': 0.7, 'hits@1': 0.5, 'hits@2': 0.5, 'hits@10': None}
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    positive, negative = _checked(positive, "positive"), _checked(negative, "negative")
    faults = Faults()
    for k in ks:
        faults.number("k", k, low=1, integer=True)
    faults.raise_if_any()
    truth = np.repeat([1, 0], [len(positive), len(negative)])
    both = np.concatenate([positive, negative])
    ordered = np.sort(negative)
    below, not_above = (np.searchsorted(ordered, positive, side) for side in ("left", "right"))
    ranks = 1 + len(ordered) - (below + not_above) / 2
    scores: dict[str, float | None] = {
        "auc": float(roc_auc_score(truth, both)),
        "ap": float(average_precision_score(truth, both)),
        "mrr": float((1 / ranks).mean()),
    }
    for k in ks:
        scores[f"hits@{k}"] = float((ranks <= k).mean()) if k <= len(negative) else None
    return scores


def _checked(scores: Any, what: str) -> np.ndarray:
    """Scores as (n,) float64."""
    values = np.asarray(scores)
    if values.ndim != 1:
        raise DataError(f"The {what} scores have the shape {values.shape}, but one number a pair is needed.")
    if len(values) == 0:
        raise DataError(f"There are no {what} scores.")
    if values.dtype.kind not in "biuf":
        raise DataTypeError(f"The {what} scores are of type {values.dtype} where numbers belong.")
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise DataError(f"{bad:,} of the {len(values):,} {what} scores {'is' if bad == 1 else 'are'} NaN or infinite.")
    return values.astype(np.float64)


def spectral_embedding(graph: Graph, dim: int = 128, seed: int = 0) -> np.ndarray:
    r"""The nodes by the leading eigenvectors of the graph's normalised Laplacian, of unit length.

    .. math::
        L = I - D^{-1/2} A D^{-1/2}, \qquad L v_l = \lambda_l v_l, \qquad 0 < \lambda_1 \le \lambda_2 \le \dots < 1,
        \qquad Z = [v_1, \dots, v_L]

    with A the weighted adjacency and D its degrees (Ng, Jordan and Weiss 2002): the baseline "spectral clustering" of
    Kipf and Welling (2016, table 1), who take 128 dimensions after Tang and Liu (2011). The trivial vector of
    eigenvalue 0 is dropped, as scikit-learn's ``drop_first=True`` does; so that many components do not fill the
    embedding with it, it is dropped in each, and the smallest eigenvalues of all components together are taken. Nodes
    of different components then have the inner product 0, and isolated nodes stand at the origin. Where
    :math:`\lambda \ge 1` nodes that are not linked are alike, so such vectors are left out: all N - 1 vectors of a
    connected graph would give every pair the product that its degrees alone decide.

    scikit-learn's ``spectral_embedding`` divides the rows by the square root of their degree; here they are as they
    come, which ranked the validation edges of Pubmed better. Figures beside the published ones are made by
    ``reproduce/vgae_table1.py``. Where many held-out edges join parts that the training edges do not connect, as in
    Citeseer, those pairs all score 0, and average precision counts them as one step.

    Args:
        graph: any; it may fall into parts.
        dim: most dimensions L.
        seed: of the iteration's start.

    Returns:
        (N, L) float64; fewer columns where fewer eigenvalues lie between 0 and 1.

    Raises:
        OptionError: `dim` is no whole number above 0.

    >>> from vaekit import Graph
    >>> two_triangles = Graph.from_edges([[0, 1], [1, 2], [0, 2], [2, 3], [3, 4], [4, 5], [3, 5]])
    >>> side = spectral_embedding(two_triangles, dim=1)[:, 0]
    >>> bool((side[:3] * side[0] > 0).all() and (side[3:] * side[0] < 0).all())
    True
    """
    check_number("dim", dim, low=1, integer=True)
    found = list(_eigenvectors(graph, dim, seed))
    found.sort(key=lambda each: -each[0])  # stable: equal values stay in the order of the components
    codes = np.zeros((graph.n_nodes, min(dim, len(found))))
    for column, (_, nodes, vector) in enumerate(found[:dim]):
        codes[nodes, column] = vector
    return codes


def _eigenvectors(graph: Graph, dim: int, seed: int) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Of each component, up to `dim` times: an eigenvalue 1 - lambda, the component's nodes and the vector on them."""
    import scipy.linalg
    import scipy.sparse
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import eigsh

    adjacency = graph.adjacency.astype(np.float64)
    degrees = np.asarray(adjacency.sum(1)).reshape(-1)
    root = scipy.sparse.diags_array(1 / np.sqrt(np.where(degrees > 0, degrees, 1)))
    normalised = scipy.sparse.csr_array(root @ adjacency @ root)
    _, component = connected_components(adjacency, directed=False)
    sizes = np.bincount(component)
    for nodes in np.split(np.argsort(component, kind="stable"), sizes.cumsum()[:-1]):
        size = len(nodes)
        if size < 3:  # nothing between 0 and 1
            continue
        block: Any = normalised[nodes][:, nodes]
        if size <= max(_DENSE, 3 * dim):
            values, vectors = scipy.linalg.eigh(block.toarray())
        else:
            start = np.random.default_rng(seed).uniform(-1, 1, size)
            values, vectors = eigsh(block, k=dim + 1, which="LA", v0=start)
        for place in np.argsort(-values)[1 : dim + 1]:
            if values[place] > _ZERO:
                yield float(values[place]), nodes, vectors[:, place]


def spectral_scores(
    train_graph: Graph, edges: Any, negatives: Any, dim: int | None = None, seed: int = 0
) -> dict[str, float | None]:
    """`link_scores` of the inner products of `spectral_embedding`: what the links alone predict of held-out ones.

    Args:
        train_graph: the graph without the edges to be scored.
        edges: (m, 2) held-out edges, by number, as in an `EdgeSplit`, or name.
        negatives: (n, 2) absent pairs.
        dim: as in `spectral_embedding`; None: 128, but at most one for twenty nodes, about the share of Cora. With as
            many vectors as a small graph has, held-out edges would score below absent pairs.
        seed: as in `spectral_embedding`.

    Raises:
        DataError: a node does not exist, or there are no edges or no negatives.

    >>> from vaekit import Graph
    >>> graph = Graph.from_edges([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [3, 5]])
    >>> spectral_scores(graph, [[0, 2]], [[0, 4], [1, 5]])["auc"]
    1.0
    """
    if dim is None:
        dim = min(128, max(1, train_graph.n_nodes // 20))
    codes = spectral_embedding(train_graph, dim, seed)
    scores = []
    for pairs, what in ((edges, "edges"), (negatives, "negatives")):
        array = as_array(pairs, what)
        if array.dtype.kind in "iu" and array.size:
            first, second = checked_pairs(array, train_graph.n_nodes, what).T
        else:
            first, second = train_graph.pairs(pairs, what).T
        scores.append((codes[first] * codes[second]).sum(1))
    return link_scores(*scores)
