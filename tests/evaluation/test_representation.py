"""Scores of codes against labels: by hand, against scikit-learn, and where there is little to score."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, f1_score, normalized_mutual_info_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaekit import Graph
from vaekit.errors import DataError, DataTypeError, OptionError
from vaekit.evaluation import classification_scores, cluster_scores, spectral_embedding, unit_scores

IRIS, SPECIES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]


# -- clusters ----------------------------------------------------------------------------------------------------------


def test_clusters_by_hand():
    """Clusters of two and of three points, one of the three labelled against its cluster."""
    codes, labels = [[0.0], [0.1], [9.0], [9.1], [9.2]], [0, 0, 1, 1, 0]
    scores, clusters = cluster_scores(codes, labels), [0, 0, 1, 1, 1]
    assert scores["nmi"] == pytest.approx(normalized_mutual_info_score(labels, clusters))
    p = np.array([[2, 0], [1, 2]]) / 5
    mutual = scipy.stats.entropy(p.sum(0)) + scipy.stats.entropy(p.sum(1)) - scipy.stats.entropy(p.ravel())
    mean_entropy = (scipy.stats.entropy(p.sum(0)) + scipy.stats.entropy(p.sum(1))) / 2
    assert scores["nmi"] == pytest.approx(mutual / mean_entropy)
    # pairs: 10; together in both 2, in the clusters 4, in the classes 4; expected 4 * 4 / 10
    assert scores["ari"] == pytest.approx((2 - 1.6) / (4 - 1.6)) == adjusted_rand_score(labels, clusters)


@pytest.mark.usefixtures("generators_untouched")
def test_iris_clusters_are_the_known_ones():
    scores = cluster_scores(IRIS, SPECIES)
    assert scores["nmi"] == pytest.approx(0.758, abs=1e-3) and scores["ari"] == pytest.approx(0.730, abs=1e-3)
    assert cluster_scores(IRIS, NAMES) == scores == cluster_scores(IRIS, SPECIES, seed=3)
    assert cluster_scores(1e-30 * IRIS + 4, SPECIES)["nmi"] == 0  # all rounded away
    assert cluster_scores(1e-30 * IRIS, SPECIES) == pytest.approx(scores)
    assert cluster_scores(1e8 * IRIS.astype(np.float32), SPECIES) == pytest.approx(scores)


ONE_OF_THREE = scipy.stats.entropy([1, 2])  # of two clusters that hold one class and two


@pytest.mark.parametrize(
    ("codes", "labels", "nmi"),
    [
        (np.zeros((6, 2)), [0, 0, 1, 1, 2, 2], 0),  # one point
        ([[0], [0], [1], [1], [1], [1]], [0, 0, 1, 1, 2, 2], 2 * ONE_OF_THREE / (ONE_OF_THREE + np.log(3))),
        ([[0], [1e-12], [1], [1 + 1e-12], [5], [5]], [0, 0, 1, 1, 2, 2], 1),  # three points but for rounding
        ([[0]] * 4 + [[1], [1 + 1e-12]] * 2, [0] * 4 + [1, 1, 2, 2], 0.8),  # three different rows, two but for rounding
    ],
)
def test_fewer_points_than_classes(codes, labels, nmi):
    assert cluster_scores(codes, labels)["nmi"] == pytest.approx(nmi)


# -- labels that are none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("none", [-1, "", None, np.nan], ids=repr)
def test_nodes_without_a_label_do_not_count(none):
    rng = np.random.default_rng(0)
    codes = np.concatenate([IRIS, rng.normal(0, 9, (20, 4))])
    labels = np.array([*SPECIES, *[-1] * 20])
    if none in ("", None):
        labels = [*NAMES, *[none] * 20]
    elif none != none:
        labels = np.where(labels < 0, np.nan, labels)
    assert cluster_scores(codes, labels) == cluster_scores(IRIS, SPECIES)
    assert classification_scores(codes, labels) == classification_scores(IRIS, SPECIES)
    with_split = classification_scores(codes, labels, train=np.arange(0, 170, 2), test=np.arange(1, 170, 2))
    assert with_split["n"] == 75


def test_classes_of_a_node_or_so_have_no_scores():
    codes = np.random.default_rng(0).normal(size=(40, 3))
    assert cluster_scores(codes, np.arange(40)) == cluster_scores(codes, [*range(21), *range(19)]) == {}
    assert cluster_scores(codes, np.arange(40) % 20)["ari"] < 0.2


def test_fewer_than_two_classes_have_no_scores():
    for labels in ([0] * 6, [-1] * 6, [""] * 6, [-1, -1, 2, 2, 2, 2]):
        assert cluster_scores(np.arange(6)[:, None], labels) == {}
        assert classification_scores(np.arange(6)[:, None], labels, folds=2) == {}
    # two classes, but one of them too small for five folds, or not among the training nodes
    codes, labels = np.arange(12.0)[:, None], [0] * 8 + [1] * 4
    assert classification_scores(codes, labels) == {}
    assert classification_scores(codes, labels, train=range(8), test=range(8, 12)) == {}
    assert classification_scores(codes, labels, train=range(12), test=[]) == {}


# -- classification ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("generators_untouched")
def test_cross_validation_equals_scikit_learn():
    labels = np.where(np.arange(150) < 20, "", NAMES)  # 30, 50 and 50
    kept = labels != ""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))
    folds = StratifiedKFold(5, shuffle=True, random_state=7)
    predicted = cross_val_predict(model, IRIS[kept], labels[kept], cv=folds)
    right = predicted == labels[kept]
    scores = classification_scores(IRIS, labels, seed=7)
    assert scores["accuracy"] == pytest.approx(right.mean())
    assert scores["accuracy_se"] == pytest.approx(scipy.stats.sem(right))
    assert scores["macro_f1"] == pytest.approx(f1_score(labels[kept], predicted, average="macro"))
    assert scores["majority"] == pytest.approx(50 / 130)
    assert (scores["n"], scores["classes"]) == (130, 3)


def test_a_split_that_is_given():
    """Class 2 is not in training: its test nodes are wrong; class 0 is never in the test."""
    codes = np.array([[0.0], [0.1], [5.0], [5.1], [5.2], [5.3], [9.0]])
    labels = ["a", "a", "b", "b", "b", "b", "c"]
    scores = classification_scores(codes, labels, train=[0, 1, 2, 3, 4], test=[5, 6])
    assert scores == {"accuracy": 0.5, "accuracy_se": 0.5, "macro_f1": pytest.approx((2 / 3 + 0) / 2), "majority": 0.5, "n": 2, "classes": 2}  # fmt: skip
    mask = np.arange(7) < 5
    assert classification_scores(codes, labels, train=mask, test=~mask) == scores
    one = classification_scores(codes, labels, train=[0, 1, 2], test=[5])
    assert (one["accuracy"], one["accuracy_se"], one["majority"], one["n"]) == (1, None, 0, 1)


def test_small_classes_are_left_out_of_cross_validation():
    codes = np.concatenate([IRIS, IRIS[:4]])
    assert classification_scores(codes, [*SPECIES, 3, 3, 3, 3]) == classification_scores(IRIS, SPECIES)
    assert classification_scores(codes, [*SPECIES, 3, 3, 3, 3], folds=4)["classes"] == 4


def test_codes_that_say_nothing_score_as_the_majority():
    rng = np.random.default_rng(0)
    labels = rng.permutation([0] * 300 + [1] * 100)
    scores = classification_scores(rng.normal(size=(400, 3)), labels)
    assert scores["majority"] == 0.75 and abs(scores["accuracy"] - 0.75) < 3 * scores["accuracy_se"]
    still = classification_scores(np.ones((400, 3)), labels)
    assert still["accuracy"] == still["majority"] and still["macro_f1"] == pytest.approx(6 / 7 / 2)


def test_the_unit_of_a_code_does_not_matter():
    expected = classification_scores(IRIS, SPECIES)
    assert classification_scores(IRIS * [1e6, 1e-6, 1, 100] + 5, SPECIES) == pytest.approx(expected)


def test_hard_codes_converge():
    """Separable, collinear, many and far: no warning escapes, as warnings are errors here."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 6
    codes = np.concatenate([np.eye(6)[labels], rng.standard_cauchy((300, 40))], 1)
    assert classification_scores(np.concatenate([codes, codes], 1), labels)["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"codes": np.zeros(5)},
            DataError,
            "The codes have the shape (5,), but (N, L) is needed: a row for each node.",
        ),
        (
            {"codes": np.zeros((5, 0))},
            DataError,
            "The codes have the shape (5, 0), but (N, L) is needed: a row for each node.",
        ),
        ({"codes": [["a"]] * 5}, DataTypeError, "The codes are of type <U1 where numbers belong."),
        ({"codes": [[0.0], [1], [2], [np.nan], [4]]}, DataError, "The codes of 1 node hold NaN or infinity."),
        ({"labels": [0, 1]}, DataError, "labels has the shape (2,), but (5,) is needed: one for each node."),
        ({"test": None}, DataError, "train and test go together: give both, or neither for cross-validation."),
        ({"test": [2, 3]}, DataError, "train and test share 1 node."),
        ({"test": [3, 5]}, DataError, "test names the node 5, but the nodes are 0 to 4."),
        ({"train": [-1, 2]}, DataError, "train names the node -1, but the nodes are 0 to 4."),
        ({"train": [0.5, 1]}, DataError, "train must hold numbers of nodes, or a boolean for each of the 5."),
        ({"folds": 1}, OptionError, "folds=1 must be a whole number of at least 2."),
    ],
)
def test_what_cannot_be_scored(arguments, kind, message):
    given = {
        "codes": np.arange(5.0)[:, None],
        "labels": [0, 0, 1, 1, 1],
        "train": [0, 1, 2],
        "test": [3, 4],
        **arguments,
    }
    with pytest.raises(kind) as caught:
        classification_scores(**given)
    assert str(caught.value) == message


def test_clusters_check_their_options():
    with pytest.raises(OptionError, match="n_init=0 must be a whole number of at least 1"):
        cluster_scores(IRIS, SPECIES, n_init=0)


# -- graphs ------------------------------------------------------------------------------------------------------------


def test_the_two_sides_of_the_karate_club():
    club = nx.karate_club_graph()
    sides = [club.nodes[node]["club"] for node in club]
    codes = spectral_embedding(Graph(club), 1)
    assert cluster_scores(codes, sides)["nmi"] > 0.7
    assert classification_scores(codes, sides)["accuracy"] > 0.9


def test_cora_has_seven_classes(vaekit_data):
    with np.load(vaekit_data("cora") / "cora.npz", allow_pickle=False) as file:
        parts = [file[f"adj_{part}"] for part in ("data", "indices", "indptr", "shape")]
        labels, train, test = file["labels"], file["train_idx"], file["test_idx"]
    codes = spectral_embedding(Graph(scipy.sparse.csr_array(tuple(parts[:3]), shape=tuple(parts[3]))), 16)
    public = classification_scores(codes, labels, train, test)
    assert (public["n"], public["classes"]) == (1000, 7) and public["accuracy"] > public["majority"] + 0.2
    folds = classification_scores(codes, labels)
    assert (
        folds["n"] == 2708 and folds["accuracy"] > public["accuracy"] and folds["majority"] == pytest.approx(818 / 2708)
    )
    assert cluster_scores(codes, labels, n_init=2)["nmi"] > 0.2


# -- neighbours and units ----------------------------------------------------------------------------------------------


def test_neighbours_by_hand():
    codes, labels = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [4.0]]), ["a", "a", "a", "b", "b", "b"]
    scores = classification_scores(codes, labels, train=[0, 1, 2, 3, 4], test=[5], neighbours=3)
    assert scores["accuracy"] == 0  # 2, 1 and 0 are nearer than 10
    assert classification_scores(IRIS, SPECIES, neighbours=5)["accuracy"] > 0.95
    with pytest.raises(DataError) as caught:
        classification_scores(codes, labels, train=[0, 3], test=[5], neighbours=3)
    assert str(caught.value) == "neighbours=3 are more than the 2 nodes of training."


def test_units_by_hand():
    """KL by torch, and a unit at the prior on one row in four."""
    rng = np.random.default_rng(0)
    means, stddevs = rng.normal(size=(40, 3)), rng.uniform(0.2, 2, size=(40, 3))
    means[:10, 2], stddevs[:10, 2], means[:, 1] = 0.0, 1.0, 0.7
    scores = unit_scores(means, stddevs)
    q = torch.distributions.Normal(torch.tensor(means), torch.tensor(stddevs))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).numpy()
    np.testing.assert_allclose(scores["kl"], kl.mean(0))
    assert scores["active"].tolist() == [True, False, True]
    assert scores["collapsed"].tolist() == [(kl[:, 0] < 0.01).mean(), (kl[:, 1] < 0.01).mean(), 0.25]


@pytest.mark.parametrize(
    ("means", "stddevs", "message"),
    [
        ([[0.0]], [[1.0, 1.0]], "Means of shape (1, 1) and standard deviations of (1, 2) are not both (N, L)."),
        ([[0.0]], [[0.0]], "Means must be finite, and standard deviations finite and above 0."),
    ],
)
def test_units_that_cannot_be_scored(means, stddevs, message):
    with pytest.raises(DataError) as caught:
        unit_scores(means, stddevs)
    assert str(caught.value) == message
