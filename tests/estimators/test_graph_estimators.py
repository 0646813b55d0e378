"""GAE and VGAE: scikit-learn's conventions, what is saved, validation, other graphs, links, and bad input."""

import copy
import dataclasses
import itertools
import pickle
import time
import warnings
from types import SimpleNamespace

import networkx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.metrics  # noqa: F401 (its import draws from `random`, through rich: not here, where that is watched)
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn

import vaekit
from vaekit import GAE, VGAE, Graph
from vaekit.data import split_edges
from vaekit.errors import DataError, DataTypeError, OptionError, TrainingError
from vaekit.evaluation.links import link_scores
from vaekit.training.checkpoint import Checkpoint
from vaekit.training.loop import Interrupted

SMALL = {"latent_dim": 3, "hidden": (8,), "epochs": 4, "verbose": 0, "random_state": 0}
OBJECTIVES = {GAE: ("reweighted", "log_likelihood"), VGAE: ("reweighted", "elbo")}
CASES = [
    pytest.param(cls, {**SMALL, "decoder": decoder, "objective": objective}, id=f"{cls.__name__}-{decoder}-{objective}")
    for cls, decoder in itertools.product((GAE, VGAE), ("inner_product", "bernoulli_poisson"))
    for objective in OBJECTIVES[cls]
]
EVERY = pytest.mark.parametrize(("cls", "options"), CASES)
BOTH = pytest.mark.parametrize("cls", [GAE, VGAE])
KINDS = pytest.mark.parametrize("kind", ["none", "dense", "sparse"])


def features(n, width=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 4, (n, width)) * (rng.random((n, width)) < 0.4)


def random_graph(kind="dense", n=30, density=0.2, seed=0, **known):
    """Weights, and an isolated node; features of the kind."""
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.random((n, n)) < density, 1) * rng.uniform(0.5, 3, (n, n))
    matrix[n - 1], matrix[:, n - 1] = 0, 0
    x = features(n, seed=seed)
    return Graph(matrix + matrix.T, {"none": None, "dense": x, "sparse": scipy.sparse.csr_matrix(x)}[kind], **known)


def named(kind="dense", n=30):
    names = [f"node {i} ü" for i in range(n)]
    return random_graph(kind, n, labels=[["red", "green", ""][i % 3] for i in range(n)], names=names)


def weights(estimator):
    return estimator.model_.state_dict()


def same_weights(a, b):
    return all(torch.equal(t, weights(b)[name]) for name, t in weights(a).items())


# -- conventions -------------------------------------------------------------------------------------------------------


@BOTH
def test_clone_params_and_repr(cls):
    estimator = cls(latent_dim=5, hidden=(8, 4), decoder="bernoulli_poisson", random_state=3)
    assert repr(estimator) == (
        f"{cls.__name__}(decoder='bernoulli_poisson', hidden=(8, 4), latent_dim=5, random_state=3)"
    )
    twin = clone(estimator)
    assert twin is not estimator and twin.get_params() == estimator.get_params()
    assert twin.set_params(epochs=7).epochs == 7 and estimator.epochs != 7
    with pytest.raises(ValueError, match="Invalid parameter 'epoch' for estimator"):
        twin.set_params(epoch=7)
    bad = cls(latent_dim="many", hidden=None)  # only assigned
    assert bad.latent_dim == "many" and not [name for name in vars(bad) if name.endswith("_")]
    fitted = cls(**SMALL).fit(random_graph())
    assert not hasattr(clone(fitted), "model_")
    assert fitted.get_feature_names_out().tolist() == [f"{cls.__name__.lower()}{i}" for i in range(3)]


@pytest.mark.usefixtures("generators_untouched")
@EVERY
def test_the_global_generators_are_left_as_they_were(cls, options):
    split = split_edges(random_graph(), val=0.1, test=0.2)
    estimator = cls(**{**options, "random_state": None}, dropout=0.3).fit(split.train, validation=split)
    estimator.transform()
    estimator.predict_links(3)
    estimator.evaluate(split)
    if cls is VGAE:
        estimator.sample()
        estimator.elbo(num_samples=2)


@EVERY
def test_a_fit_is_a_function_of_data_parameters_and_seed(cls, options):
    graph = random_graph()
    a, b = (cls(**options, dropout=0.2).fit(graph) for _ in range(2))
    assert same_weights(a, b) and np.array_equal(a.transform(), b.transform())
    other = cls(**{**options, "random_state": 1}).fit(graph)
    assert not np.allclose(a.transform(), other.transform())
    drawn = cls(**{**options, "random_state": np.random.RandomState(3)}, dropout=0.2).fit(graph)
    seed = np.random.RandomState(3).randint(2**31 - 1)
    assert drawn.fitted_["seed"] == seed
    assert same_weights(drawn, cls(**{**options, "random_state": int(seed)}, dropout=0.2).fit(graph))


@EVERY
def test_it_learns(cls, options):
    """A graph of two cliques: edges within score above pairs across."""
    graph = networkx.disjoint_union(networkx.complete_graph(16), networkx.complete_graph(16))
    estimator = cls(**{**options, "epochs": 200, "learning_rate": 0.03}).fit(graph)
    assert estimator.history_[-1]["train"] > estimator.history_[0]["train"]
    odds = estimator.score_edges([[i, j] for i in range(16) for j in range(16, 32)])
    assert estimator.score_edges(Graph(graph).edges).min() > odds.max()


@EVERY
def test_outputs_are_float32_and_probabilities_are_those_of_the_log_odds(cls, options):
    graph = random_graph()
    before = copy.deepcopy(graph)
    estimator = cls(**options).fit(graph)
    codes = estimator.transform()
    assert codes.shape == (30, 3) and codes.dtype == np.float32
    assert np.array_equal(codes, cls(**options).fit_transform(graph))
    pairs = np.array(list(itertools.combinations(range(30), 2)))
    odds, p = estimator.score_edges(pairs), estimator.predict_edges(pairs)
    assert odds.shape == p.shape == (435,) and odds.dtype == p.dtype == np.float32
    assert ((p > 0) & (p < 1)).all()
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-odds)), rtol=1e-6)
    dots = (codes[pairs[:, 0]] * codes[pairs[:, 1]]).sum(1)
    learned = estimator.model_.decoder.bias
    assert (learned is None) == (options["objective"] == "reweighted")
    bias = 0.0 if learned is None else learned.item()
    if options["decoder"] == "bernoulli_poisson":
        u = np.logaddexp(0, codes + bias)
        np.testing.assert_allclose(p, 1 - np.exp(-(u[pairs[:, 0]] * u[pairs[:, 1]]).sum(1)), rtol=1e-5)
    else:
        np.testing.assert_allclose(odds, dots + bias, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(estimator.predict_edges(pairs[:, ::-1]), p)
    assert estimator.predict_edges([]).shape == (0,)
    assert (graph.adjacency != before.adjacency).nnz == 0 and np.array_equal(graph.features, before.features)


@BOTH
def test_options_that_change_the_model_train(cls):
    split = split_edges(random_graph(), val=0.1, test=0.2)
    for options in (
        {"hidden": ()},
        {"hidden": (8, 6), "activation": "tanh"},
        {"unit_length": True, "unit_features": True},
        {"edge_bias": True, "average": 0.9},
        {"schedule": "cosine", "optimizer": "adamw", "weight_decay": 0.1, "clip_norm": 1.0},
        {"average": 0.9},
        {"use_features": False},
    ):
        estimator = cls(**{**SMALL, **options}).fit(split.train, validation=split)
        assert np.isfinite(estimator.transform()).all(), options
        assert estimator.evaluate(split, num_samples=1)["auc"] is not None
    if cls is VGAE:
        cls(**SMALL, samples=3, kl_warmup=2, beta=0.5).fit(split.train)


def test_rows_of_unit_length_or_features_unused_are_the_same_as_given_so():
    graph = random_graph()
    length = np.maximum(np.linalg.norm(graph.features, axis=1, keepdims=True), 1e-9)
    a = VGAE(**SMALL, unit_features=True).fit(graph)
    np.testing.assert_allclose(
        a.transform(), VGAE(**SMALL).fit(graph, features=graph.features / length).transform(), 1e-4
    )
    b = VGAE(**SMALL, use_features=False).fit(graph)
    assert np.array_equal(b.transform(), VGAE(**SMALL).fit(Graph(graph.adjacency)).transform())
    assert (a.n_features_in_, b.n_features_in_) == (7, 0)


def test_means_of_one_length():
    vgae = VGAE(**SMALL, unit_length=True).fit(random_graph())
    lengths = np.linalg.norm(vgae.transform()[:-1], axis=1)
    np.testing.assert_allclose(lengths, vgae.model_.means.length.item(), rtol=1e-5)


def test_sparse_features_give_the_codes_of_dense_ones():
    adjacency, shares = random_graph().adjacency, np.random.default_rng(4).random((30, 7))  # which are not standardised
    graphs = [Graph(adjacency, x) for x in (shares, scipy.sparse.csr_array(shares))]
    dense, sparse = (VGAE(**SMALL).fit(graph) for graph in graphs)
    np.testing.assert_allclose(dense.transform(), sparse.transform(), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(dense.transform(graphs[1]), dense.transform(), rtol=1e-4, atol=1e-6)


def test_the_karate_club_in_under_a_second():
    karate, took = networkx.karate_club_graph(), []
    for _ in range(2):
        began = time.process_time()
        VGAE(epochs=200, random_state=0, verbose=0).fit(karate)
        took.append(time.process_time() - began)
    assert min(took) < 1


# -- every form of graph -----------------------------------------------------------------------------------------------


def forms():
    """The same graph, and features of it, however it is given."""
    graph, x = random_graph("none"), features(30)
    weighted = graph.adjacency
    coo = scipy.sparse.coo_array(scipy.sparse.triu(weighted))
    made = networkx.Graph()
    made.add_nodes_from(f"n{i}" for i in range(30))
    made.add_weighted_edges_from((f"n{i}", f"n{j}", float(w)) for i, j, w in zip(*coo.coords, coo.data, strict=True))
    data = SimpleNamespace(
        edge_index=torch.from_numpy(np.stack(coo.coords)),
        edge_weight=torch.from_numpy(coo.data),
        num_nodes=30,
        x=torch.from_numpy(x),
    )
    return {
        "Graph": (Graph(weighted, x), None),
        "csr_array": (weighted, x),
        "csr_matrix": (scipy.sparse.csr_matrix(weighted), x),
        "coo, one way": (coo, x.astype(np.int16)),
        "array": (weighted.toarray(), x.tolist()),
        "networkx": (made, x.astype(float)),
        "torch_geometric": (data, None),
    }


@pytest.mark.parametrize("form", forms())
def test_every_form_of_graph_gives_the_same_codes(form):
    graph, x = forms()[form]
    expected = VGAE(**SMALL).fit(forms()["Graph"][0])
    vgae = VGAE(**SMALL).fit(graph, features=x)
    np.testing.assert_array_equal(vgae.transform(), expected.transform())
    if form == "networkx":
        assert vgae.graph_.names == tuple(f"n{i}" for i in range(30))
        by_name, by_number = vgae.score_edges([["n3", "n17"]]), vgae.score_edges([[3, 17]])
        assert by_name == by_number == expected.score_edges([[3, 17]])
        np.testing.assert_array_equal(vgae.predict_links(4, node="n9"), expected.predict_links(4, node=9))
    if x is None:
        np.testing.assert_array_equal(expected.transform(graph), expected.transform())


def test_what_the_rules_change_is_said_once(capsys):
    VGAE(**{**SMALL, "verbose": 1}).fit(networkx.DiGraph([("a", "b"), ("b", "c"), ("c", "c")]))
    err = capsys.readouterr().err
    assert err.count("1 self-loop dropped.") == 1
    assert err.count("2 edges pointed one way; an edge counts in both directions.") == 1


def test_weights_count_in_the_encoder_alone():
    graph = random_graph("none")
    assert graph.is_weighted
    plain = Graph(graph.adjacency > 0)
    vgae = VGAE(**SMALL).fit(plain)
    assert not np.allclose(vgae.transform(graph), vgae.transform())


@pytest.mark.parametrize(
    "graph",
    [
        networkx.path_graph(2),
        networkx.complete_graph(5),
        Graph.from_edges([[0, 1]], n_nodes=6),
        Graph.from_edges([[0, 1]], features=np.zeros((6, 2), int)),
        Graph.from_edges([[0, 1]], features=scipy.sparse.csr_array((6, 2))),
    ],
    ids=["two nodes", "complete", "isolated nodes", "zero features", "sparse zero features"],
)
@EVERY
def test_odd_graphs(cls, options, graph):
    estimator = cls(**options, unit_features=True, unit_length=True).fit(graph)
    assert np.isfinite(estimator.transform()).all()
    n, edges = estimator.graph_.n_nodes, estimator.graph_.n_edges
    assert len(estimator.predict_links(10**12)) == n * (n - 1) // 2 - edges


# -- saving and resuming -----------------------------------------------------------------------------------------------


@KINDS
@EVERY
def test_save_then_load_is_the_identity(cls, options, kind, tmp_path):
    split = split_edges(named(kind), val=0.1, test=0.2)
    fitted = cls(**options, edge_bias=options["decoder"] == "inner_product").fit(split.train, validation=split)
    fitted.save(tmp_path / "run")
    loaded = vaekit.load(tmp_path / "run")
    for twin in (loaded, pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        pairs = [["node 0 ü", "node 5 ü"], ["node 1 ü", "node 2 ü"]]
        assert np.array_equal(twin.transform(), fitted.transform())
        assert np.array_equal(twin.transform(named(kind)), fitted.transform(named(kind)))
        assert np.array_equal(twin.predict_edges(pairs), fitted.predict_edges(pairs))
        assert np.array_equal(twin.predict_links(5), fitted.predict_links(5))
        assert twin.evaluate(split) == fitted.evaluate(split)
        if cls is VGAE:
            assert np.array_equal(twin.sample(9, 0).edges, fitted.sample(9, 0).edges)
            assert twin.score() == fitted.score()
        graph = twin.graph_
        assert graph.names == split.train.names and graph.labels.tolist() == split.train.labels.tolist()
        assert (graph.adjacency != split.train.adjacency).nnz == 0 and graph.n_features == split.train.n_features
        assert scipy.sparse.issparse(graph.features) == (kind == "sparse")
        assert twin.history_ == fitted.history_ and twin.get_params() == fitted.get_params()
        assert (twin.best_epoch_, twin.n_iter_) == (fitted.best_epoch_, fitted.n_iter_)
    loaded.save(tmp_path / "again")
    saved = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("run", "again")]
    assert saved[0] == saved[1]


def test_labels_that_are_numbers_survive(tmp_path):
    for place, labels in enumerate((range(30), np.linspace(0, 1, 30), np.arange(30) % 2 == 0)):
        VGAE(**SMALL).fit(random_graph(labels=np.asarray(labels))).save(tmp_path / str(place))
        assert vaekit.load(tmp_path / str(place)).graph_.labels.tolist() == list(labels)


class StopAt(Checkpoint):
    """Asks for a stop at the n-th look at the clock."""

    def __init__(self, path, n):
        super().__init__(path)
        self.looks, self.n = itertools.count(1), n

    @property
    def due(self):
        self.stop_requested = next(self.looks) == self.n
        return self.stop_requested


@EVERY
def test_stopping_and_resuming_ends_in_the_same_bits(cls, options, tmp_path):
    split = split_edges(random_graph(), val=0.1, test=0.2)
    options = {**options, "epochs": 9, "dropout": 0.3, "average": 0.8, "schedule": "cosine"}
    if cls is VGAE:
        options["kl_warmup"] = 3
    whole = cls(**options).fit(split.train, validation=split)
    path = tmp_path / "state.safetensors"
    for n in (2, 4):
        with pytest.raises(Interrupted):
            cls(**options)._fit(split.train, validation=split, checkpoint=StopAt(path, n))
    resumed = cls(**options)._fit(split.train, validation=split, checkpoint=Checkpoint(path))
    assert same_weights(whole, resumed) and resumed.best_epoch_ == whole.best_epoch_
    assert np.array_equal(resumed.transform(), whole.transform())
    for a, b in zip(whole.history_, resumed.history_, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


# -- validation and test edges -----------------------------------------------------------------------------------------


@EVERY
def test_validation_edges_choose_the_epoch(cls, options):
    split = split_edges(random_graph(density=0.3), val=0.2, test=0.1)
    options = {**options, "epochs": 30, "learning_rate": 0.1}
    estimator = cls(**options).fit(split.train, validation=split)
    scores = [record["validation"] for record in estimator.history_]
    assert estimator.best_epoch_ == int(np.argmax(scores)) + 1
    found = estimator.evaluate(split, "val")
    assert (found["auc"] + found["ap"]) / 2 == scores[estimator.best_epoch_ - 1]
    short = cls(**{**options, "epochs": estimator.best_epoch_}).fit(split.train)
    assert same_weights(estimator, short) and short.history_[0]["validation"] is None
    patient = cls(**{**options, "epochs": 300}, patience=5).fit(split.train, validation=split)
    assert patient.n_iter_ < 300 and patient.n_iter_ - patient.best_epoch_ == 5


def test_test_edges_have_no_influence():
    graph = random_graph(density=0.3)
    split = split_edges(graph, val=0.2, test=0.2)
    others = dataclasses.replace(split, test_edges=split.test_negatives, test_negatives=split.test_edges)
    a, b = (VGAE(**SMALL).fit(split.train, validation=each) for each in (split, others))
    assert same_weights(a, b) and [r["validation"] for r in a.history_] == [r["validation"] for r in b.history_]
    assert a.evaluate(split)["auc"] == pytest.approx(1 - b.evaluate(others)["auc"])


def test_evaluate_scores_held_out_edges_of_the_training_graph():
    graph = random_graph(density=0.3)
    split = split_edges(graph, val=0.1, test=0.2)
    vgae = VGAE(**SMALL).fit(split.train)
    for part in ("test", "val"):
        positive, negative = getattr(split, f"{part}_edges"), getattr(split, f"{part}_negatives")
        expected = link_scores(vgae.score_edges(positive, split.train), vgae.score_edges(negative, split.train))
        found = vgae.evaluate(split, part, num_samples=3)
        assert {name: found[name] for name in expected} == expected
        assert found["elbo"] == vgae.elbo(num_samples=3) and found["n_scored_edges"] == len(positive)
        assert (found["n_nodes"], found["n_edges"]) == (30, graph.n_edges)
    assert GAE(**SMALL).fit(split.train).evaluate(split)["elbo"] is None
    none = split_edges(graph, val=0.1, test=0)
    scores = VGAE(**SMALL).fit(none.train).evaluate(none)
    assert scores.keys() == found.keys() and scores["n_scored_edges"] == 0
    assert {scores[name] for name in ("auc", "ap", "mrr", "hits@10", "hits@50", "hits@100")} == {None}


# -- other graphs ------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_other_graphs_with_the_same_features(cls, kind):
    """Nodes of two graphs side by side have the codes that they have in their own."""
    graph, other = random_graph(kind), random_graph(kind, n=17, seed=1)
    estimator = cls(**SMALL).fit(graph)
    stack = scipy.sparse.vstack if kind == "sparse" else np.vstack
    both = Graph(
        scipy.sparse.block_array([[graph.adjacency, None], [None, other.adjacency]]),
        stack([graph.features, other.features]),
    )
    codes = estimator.transform(both)
    np.testing.assert_allclose(codes[:30], estimator.transform(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(codes[30:], estimator.transform(other), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        estimator.score_edges([[0, 16]], other), estimator.score_edges([[30, 46]], both), rtol=1e-4, atol=1e-6
    )
    assert len(estimator.predict_links(10**6, graph=other)) == 17 * 16 // 2 - other.n_edges


def test_features_of_a_table_are_told_by_their_names(tmp_path):
    graph = random_graph("dense")
    table = pd.DataFrame(graph.features).add_prefix("word ")
    named = Graph(graph.adjacency, table)
    names = named.feature_names
    assert names == tuple(table.columns) and split_edges(named, random_state=0).train.feature_names == names
    estimator = VGAE(**SMALL).fit(graph.adjacency, features=table)
    estimator.save(tmp_path / "model")
    turned = table.iloc[:, ::-1]
    for model in (estimator, vaekit.load(tmp_path / "model")):
        np.testing.assert_array_equal(model.transform(graph), model.transform(named))
        np.testing.assert_array_equal(model.transform(named), model.transform())
        with pytest.raises(DataError, match=r"^The features stand in another order than at fit: column 1 is"):
            model.transform(Graph(graph.adjacency, turned))
        with pytest.raises(DataError, match=r"not those of fit: column 2 is 'x' where fit had 'word 1'\.$"):
            model.transform(Graph(graph.adjacency, table.rename(columns={"word 1": "x"})))


@BOTH
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_permuted_nodes_have_permuted_codes(cls, kind):
    graph = random_graph(kind)
    order = np.random.default_rng(1).permutation(30)
    estimator = cls(**SMALL).fit(graph)
    moved = Graph(graph.adjacency[order][:, order], graph.features[order])
    np.testing.assert_allclose(estimator.transform(moved), estimator.transform()[order], rtol=1e-5, atol=1e-6)


@BOTH
def test_without_features_other_nodes_are_refused_but_other_edges_are_not(cls):
    estimator = cls(**SMALL).fit(named("none"))
    more = Graph(random_graph("none", density=0.5, seed=4), names=named().names)
    assert estimator.transform(more).shape == (30, 3)
    assert estimator.transform(Graph(more.adjacency)).shape == (30, 3)
    knows = f"This {cls.__name__} was fitted without features, so it knows only the 30 nodes it was fitted on; "
    advice = " Fit with features to embed nodes not seen in training."
    assert said(DataError, lambda: estimator.transform(random_graph("none", n=31))) == (
        f"{knows}the graph given has 31.{advice}"
    )
    assert said(DataError, lambda: estimator.transform(Graph(more, names=range(30)))) == (
        f"{knows}the graph given has 30 under other names, or in another order.{advice}"
    )
    ignoring = cls(**SMALL, use_features=False).fit(random_graph())
    assert said(DataError, lambda: ignoring.transform(random_graph(n=31))).startswith(knows)


NUMBERS = networkx.relabel_nodes(networkx.karate_club_graph(), {i: (i * 5) % 34 for i in range(34)})


@BOTH
def test_nodes_that_are_numbers_in_another_order_are_refused(cls):
    estimator = cls(**SMALL).fit(networkx.karate_club_graph())
    shuffled = Graph(NUMBERS)
    assert sorted(shuffled.names, key=int) == [str(i) for i in range(34)] != list(shuffled.names)
    for use in (estimator.transform, lambda graph: estimator.score_edges([[0, 1]], graph)):
        assert "in another order" in said(DataError, lambda use=use: use(shuffled))
    rows = Graph(shuffled.adjacency)  # of which nothing is known but their order
    np.testing.assert_array_equal(
        cls(**SMALL).fit(shuffled).transform(rows), cls(**SMALL).fit(rows).transform(shuffled)
    )
    back = cls(**SMALL).fit(shuffled)
    assert "in another order" in said(DataError, lambda: back.transform(estimator.graph_))


@BOTH
def test_pairs_to_leave_out_of_numbered_nodes(cls):
    estimator = cls(**SMALL).fit(networkx.karate_club_graph())
    top = estimator.predict_links(3)
    other = networkx.Graph()
    other.add_nodes_from(NUMBERS)
    other.add_edges_from(top.tolist())
    assert not {*map(tuple, estimator.predict_links(9, exclude=other).tolist())} & {*map(tuple, top.tolist())}
    named = cls(**SMALL).fit(NUMBERS)
    pairs = named.predict_links(3)
    by_name = networkx.Graph(np.array(named.graph_.names)[pairs].astype(int).tolist())
    as_rows = Graph.from_edges(pairs, n_nodes=34)
    bare = cls(**SMALL).fit(Graph(NUMBERS).adjacency)
    for model, exclude in (
        (named, by_name),
        (named, as_rows),
        (named, as_rows.adjacency),
        (named, as_rows.adjacency.toarray()),
        (bare, networkx.Graph(pairs.tolist())),
    ):
        assert not {*map(tuple, model.predict_links(9, exclude=exclude).tolist())} & {*map(tuple, pairs.tolist())}


@BOTH
def test_saved_models_know_nodes_by_number(cls, tmp_path):
    cls(**SMALL).fit(networkx.karate_club_graph()).save(tmp_path / "numbered")
    cls(**SMALL).fit(Graph(networkx.karate_club_graph()).adjacency).save(tmp_path / "rows")
    assert "in another order" in said(DataError, lambda: vaekit.load(tmp_path / "numbered").transform(NUMBERS))
    assert vaekit.load(tmp_path / "rows").transform(NUMBERS).shape == (34, 3)


def test_larger_graphs_of_one_form_are_others():
    ring = [Graph(networkx.cycle_graph(n), np.ones((n, 2))) for n in (100, 60)]
    split = split_edges(ring[1], random_state=0)
    assert VGAE(**SMALL).fit(ring[0]).evaluate(split)["auc"] is not None
    assert "are in the graph" in said(DataError, lambda: VGAE(**SMALL).fit(ring[1]).evaluate(split))
    rows = split_edges(Graph(Graph(NUMBERS).adjacency, np.ones((34, 2))), random_state=0)
    assert "are in the graph" in said(
        DataError, lambda: VGAE(**SMALL).fit(Graph(NUMBERS, np.ones((34, 2)))).evaluate(rows)
    )


def test_scores_of_a_split_do_not_warn():
    split = split_edges(Graph(NUMBERS), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert VGAE(**SMALL).fit(split.train).evaluate(split)["auc"] is not None


# -- links -------------------------------------------------------------------------------------------------------------


@EVERY
def test_links_are_the_likeliest_absent_pairs(cls, options):
    graph = named()
    estimator = cls(**options).fit(graph)
    absent = [pair for pair in itertools.combinations(range(30), 2) if not graph.adjacency[pair]]
    odds = estimator.score_edges(absent)
    links = estimator.predict_links(7)
    assert links.shape == (7, 2) and links.dtype == np.int64
    assert len({tuple(pair) for pair in links.tolist()} & set(absent)) == 7
    np.testing.assert_allclose(estimator.score_edges(links), np.sort(odds)[::-1][:7], rtol=1e-5)
    assert len(estimator.predict_links(10**12)) == len(absent)
    of_one = estimator.predict_links(10**12, node="node 4 ü")
    assert (of_one[:, 0] == 4).all() and np.array_equal(of_one, estimator.predict_links(10**12, node=4))
    assert set(of_one[:, 1].tolist()) == set(range(30)) - {4} - set(graph.adjacency[[4]].indices.tolist())
    assert (np.diff(estimator.score_edges(of_one)) <= 1e-6).all()


def test_links_to_leave_out_in_every_form():
    graph = named()
    vgae = VGAE(**SMALL).fit(graph)
    ranked = vgae.predict_links(10**6)
    out = ranked[:4]
    rest = ranked[4:]
    by_name = [[graph.names[i], graph.names[j]] for i, j in out]
    other = networkx.Graph([(b, a) for a, b in by_name[::-1]])  # its nodes stand in another order, and are fewer
    assert tuple(other.nodes) != graph.names[: len(other)]
    for exclude in (
        out,
        out[:, ::-1].tolist(),
        by_name,
        Graph.from_edges(out, n_nodes=30),
        Graph.from_edges(out, names=graph.names),
        other,
        Graph.from_edges(out, n_nodes=30).adjacency,
        Graph.from_edges(out, n_nodes=30).adjacency.toarray(),
        SimpleNamespace(edge_index=torch.from_numpy(out.T), num_nodes=30),
    ):
        np.testing.assert_array_equal(vgae.predict_links(10**6, exclude=exclude), rest)
        assert not {tuple(p) for p in vgae.predict_links(99, node=out[0, 0], exclude=exclude).tolist()} & {
            tuple(out[0])
        }
    np.testing.assert_array_equal(vgae.predict_links(10**6, exclude=[]), ranked)


# -- the bound and samples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", ["inner_product", "bernoulli_poisson"])
def test_the_bound_by_hand(decoder):
    graph = random_graph()
    vgae = VGAE(**SMALL, decoder=decoder, edge_bias=decoder == "inner_product", beta=0.3).fit(graph)
    mu, sigma = (part.astype(np.float64) for part in vgae.posterior())
    linked, (i, j) = graph.adjacency.toarray() > 0, np.triu_indices(30, 1)
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma)).sum()
    torch.manual_seed(7)
    values = []
    for _ in range(4):
        z = mu + sigma * torch.randn(1, 1, 90, dtype=torch.float64).numpy().reshape(30, 3)
        if decoder == "inner_product":
            s = z @ z.T + vgae.model_.decoder.bias.item()
        else:
            u = np.logaddexp(0, z)
            s = np.log(np.expm1(u @ u.T))
        values.append((linked * s - np.logaddexp(0, s))[i, j].sum() - kl)  # KL weight 1, whatever beta
    bound = vgae.elbo(num_samples=4, random_state=7)
    assert isinstance(bound, float) and bound == pytest.approx(np.mean(values), rel=1e-6)
    assert vgae.elbo(graph, 4, 7) == bound and vgae.elbo(num_samples=4, random_state=8) != bound
    assert vgae.score() == vgae.elbo()


def test_training_on_the_bound_maximises_it():
    graph = random_graph()
    few, many = (VGAE(**{**SMALL, "epochs": n}, objective="elbo").fit(graph).elbo(num_samples=50) for n in (1, 60))
    assert many > few
    record = VGAE(**{**SMALL, "epochs": 60}, objective="elbo", samples=20).fit(graph).history_[-1]
    assert record["train"] * 30**2 == pytest.approx(many, rel=0.1)  # a graph's nats, divided by N^2 in training


def test_sampled_graphs():
    vgae = VGAE(**SMALL).fit(random_graph())
    a, b = vgae.sample(random_state=0), vgae.sample(random_state=0)
    assert isinstance(a, Graph) and a.n_nodes == 30 and np.array_equal(a.edges, b.edges)
    assert not np.array_equal(a.edges, vgae.sample(random_state=1).edges)
    assert vgae.sample(1).n_edges == 0 and vgae.sample(50, 0).n_nodes == 50
    density = np.mean([vgae.sample(30, seed).n_edges for seed in range(50)]) / 435
    assert 0.4 < density < 0.6  # inner products of N(0, I) are symmetric about 0


# -- own encoders ------------------------------------------------------------------------------------------------------


class Convolved(nn.Module):
    """adjacency @ x, with the batch statistics that make training differ from use."""

    def __init__(self, width=6):
        super().__init__()
        self.linear, self.norm = nn.Linear(7, width), nn.BatchNorm1d(width)

    def forward(self, features, adjacency):
        return torch.relu(self.norm(adjacency @ self.linear(features)))


class Summed(nn.Module):
    """A sum over `edge_index`, into zeros of torch's default type."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(7, 5)

    def forward(self, features, adjacency):
        start, end = adjacency.edge_index
        messages = self.linear(features)[start] * adjacency.edge_weight[:, None]
        return torch.tanh(torch.zeros(len(features), 5).index_add_(0, end, messages))


class Table(nn.Module):
    """A vector a node, where there are no features."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.ones(30, 4))

    def forward(self, features, adjacency):
        assert features is None
        return adjacency @ self.table


@BOTH
@pytest.mark.parametrize(
    ("own", "kind"), [(Convolved, "dense"), (Convolved, "sparse"), (Summed, "dense"), (Table, "none")]
)
def test_own_encoders(cls, own, kind, tmp_path):
    split = split_edges(random_graph(kind), val=0.1, test=0.2)
    encoder = own()
    untouched = copy.deepcopy(encoder.state_dict())
    fitted = cls(**SMALL, encoder=encoder).fit(split.train, validation=split)
    assert all(torch.equal(t, untouched[name]) for name, t in encoder.state_dict().items()) and encoder.training
    assert fitted.transform().shape == (30, 3) and fitted.evaluate(split)["auc"] is not None
    assert same_weights(fitted, clone(fitted).fit(split.train, validation=split))
    fitted.save(tmp_path)
    assert said(OptionError, lambda: vaekit.load(tmp_path)) == (
        f"{tmp_path} was fitted with its own encoder ({own.__name__}), of which only the weights are saved: "
        "pass encoder=<such a module> to load."
    )
    loaded = vaekit.load(tmp_path, encoder=own())
    assert np.array_equal(loaded.transform(), fitted.transform())
    assert loaded.evaluate(split) == fitted.evaluate(split)
    message = said(OptionError, lambda: vaekit.load(tmp_path, encoder=Convolved(9)))
    assert message.startswith(
        (f"The networks given do not fit the weights in {tmp_path}: ", "encoder=Convolved cannot")
    )


class Flat(nn.Module):
    def forward(self, features, adjacency):
        return features.sum(1)


class Short(nn.Module):
    def forward(self, features, adjacency):
        return features[:4]


class Two(nn.Module):
    def forward(self, features, adjacency):
        return features, features


class Wide(nn.Module):
    def forward(self, features, adjacency):
        return torch.ones(3, 2) @ features


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Flat(), "encoder=Flat must give (N, F) features, here (30, F), not (30,)."),
        (Short(), "encoder=Short must give (N, F) features, here (30, F), not (4, 7)."),
        (Two(), "encoder=Two must give (N, F) features, here (30, F), not tuple."),
        (Wide(), "encoder=Wide cannot take (features, adjacency): mat1 and mat2 shapes cannot be multiplied"),
        (nn.Linear(7, 2), "encoder=Linear cannot take (features, adjacency): Linear.forward() takes 2 positional"),
    ],
    ids=["one dimension", "rows missing", "a tuple", "a torch error", "another signature"],
)
def test_own_encoders_that_do_not_fit_are_refused(encoder, message):
    found = said(OptionError, lambda: VGAE(**SMALL, encoder=encoder).fit(random_graph()))
    assert found == message or (not message.endswith(".") and found.startswith(message))


# -- bad input ---------------------------------------------------------------------------------------------------------


def said(error, call) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


PATH = np.eye(4, k=1) + np.eye(4, k=-1)
ABCD = Graph(PATH, np.eye(4, 3), names="abcd")


@pytest.mark.parametrize(
    ("graph", "more", "message"),
    [
        (np.zeros((2, 3)), {}, "The adjacency has the shape (2, 3), but it must be square, (N, N)."),
        (
            scipy.sparse.csr_array((3, 2)),
            {},
            "The adjacency has the shape (3, 2), but it must be square, (N, N); Graph.from_edges takes a list of edges.",
        ),
        (np.zeros((0, 0)), {}, "The graph has no nodes."),
        (networkx.Graph(), {}, "The graph has no nodes."),
        (np.zeros((4, 4)), {}, "The graph has 4 nodes but no edges: there is nothing to learn from."),
        (np.eye(4), {}, "The graph has 4 nodes but no edges: there is nothing to learn from."),
        (-PATH, {}, "6 edge weights are below 0: weights must be finite and at least 0."),
        (np.where(PATH, np.nan, 0), {}, "6 edge weights are NaN or infinite: weights must be finite and at least 0."),
        (np.where(PATH, np.inf, 0), {}, "6 edge weights are NaN or infinite: weights must be finite and at least 0."),
        (PATH, {"features": np.ones((3, 2))}, "features has 3 rows, but the graph has 4 nodes."),
        (PATH, {"features": scipy.sparse.eye_array(5)}, "features has 5 rows, but the graph has 4 nodes."),
        (PATH, {"features": np.ones(4)}, "features has the shape (4,), but (N, F) is needed: a row for each node."),
        (PATH, {"features": [[1, np.nan]] * 4}, "features hold NaN or infinity in column 1."),
        (PATH, {"features": [["a"]] * 4}, "features hold values of type <U1 where numbers belong."),
        (
            "karate",
            {},
            "A graph is given by a scipy.sparse or numpy adjacency, a networkx graph, a torch_geometric Data or a "
            "vaekit.Graph, not by values of type <U6.",
        ),
        (PATH, {"validation": 0.1}, "validation must be an EdgeSplit of vaekit.data.split_edges, not a float."),
    ],
)
@BOTH
def test_graphs_that_cannot_be_fitted(cls, graph, more, message):
    estimator = cls(**SMALL)
    assert said(DataError, lambda: estimator.fit(graph, **more)) == message
    assert not hasattr(estimator, "model_")


def test_validation_edges_that_leak_are_refused():
    graph = networkx.karate_club_graph()
    split = split_edges(graph, val=0.1, test=0.1)
    assert said(DataError, lambda: VGAE(**SMALL).fit(graph, validation=split)) == (
        "The graph holds 14 of the edges that validation holds out: fit split.train."
    )
    tested = Graph.from_edges(np.vstack([split.train.edges, split.test_edges[:1]]), n_nodes=34)
    assert said(DataError, lambda: VGAE(**SMALL).fit(tested, validation=split)) == (
        "The graph holds 1 of the edges that validation holds out: fit split.train."
    )
    assert said(DataError, lambda: VGAE(**SMALL).fit(random_graph(), validation=split)) == (
        "validation is a split of 34 nodes, but the graph has 30."
    )


def test_validation_edges_of_nodes_in_another_order_are_refused():
    names = [f"v{i}" for i in range(34)]
    graph = Graph(networkx.karate_club_graph(), names=names)
    split, order = split_edges(graph, val=0.1, test=0.1), np.roll(np.arange(34), 5)
    train = split.train
    again = Graph(train.adjacency[order][:, order], names=[names[i] for i in order])
    assert said(DataError, lambda: VGAE(**SMALL).fit(again, validation=split)) == (
        "The graph has other nodes than validation, or in another order: fit split.train."
    )
    assert VGAE(**SMALL).fit(Graph(train.adjacency, names=names), validation=split).history_
    assert VGAE(**SMALL).fit(train.adjacency, validation=split).history_


@BOTH
def test_parameters_set_after_a_fit_are_of_the_next(cls, tmp_path):
    graph = Graph(networkx.karate_club_graph(), np.random.default_rng(0).normal(size=(34, 3)))
    estimator = cls(**SMALL).fit(graph)
    codes = estimator.transform()
    estimator.set_params(unit_features=True, use_features=False)
    assert np.array_equal(estimator.transform(), codes)
    estimator.save(tmp_path / "run")
    assert np.array_equal(vaekit.load(tmp_path / "run").transform(), codes)
    assert not np.array_equal(estimator.set_params(use_features=True).fit(graph).transform(), codes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda e: e.score_edges([["a", "x"]]), DataError, "There is no node named 'x'."),
        (lambda e: e.predict_edges([["a", "bb"]]), DataError, "There is no node named 'bb' (did you mean 'b'?)."),
        (lambda e: e.predict_edges([[0, 4]]), DataError, "pairs row 0 is (0, 4), but the nodes are 0 to 3."),
        (lambda e: e.predict_edges([[0, 1], [-1, 2]]), DataError, "pairs row 1 is (-1, 2), but the nodes are 0 to 3."),
        (
            lambda e: e.score_edges([0, 1, 2]),
            DataError,
            "pairs has the shape (3,), but (m, 2) is needed: two nodes a row.",
        ),
        (
            lambda e: e.score_edges([[0.0, 1.0]]),
            DataTypeError,
            "Nodes are given by number or name, not by values of type float64.",
        ),
        (
            lambda e: e.score_edges([["a", "b"]], PATH),
            DataError,
            "The graph has 0 features, but VGAE was fitted with 3. Give them as vaekit.Graph(graph, features).",
        ),
        (
            lambda e: e.transform(Graph(PATH, np.eye(4, 2))),
            DataError,
            "The graph has 2 features, but VGAE was fitted with 3.",
        ),
        (
            lambda e: e.score_edges([["a", "b"]], Graph(PATH, np.eye(4, 3))),
            DataError,
            "The nodes of this graph have no names: give numbers from 0 to 3.",
        ),
        (
            lambda e: e.transform(np.zeros((2, 3))),
            DataError,
            "The adjacency has the shape (2, 3), but it must be square, (N, N).",
        ),
        (lambda e: e.predict_links(0), OptionError, "k=0 must be a whole number of at least 1."),
        (lambda e: e.predict_links(2.5), OptionError, "k=2.5 must be a whole number of at least 1."),
        (lambda e: e.predict_links(1, node="e"), DataError, "There is no node named 'e'."),
        (lambda e: e.predict_links(1, node=4), DataError, "There is no node 4: the nodes are 0 to 3."),
        (lambda e: e.predict_links(1, node=-1), DataError, "There is no node -1: the nodes are 0 to 3."),
        (
            lambda e: e.predict_links(1, node=["a", "b"]),
            DataError,
            "node must be one node, by number or name, not ['a', 'b'].",
        ),
        (
            lambda e: e.predict_links(1, node=True),
            DataTypeError,
            "Nodes are given by number or name, not by values of type bool.",
        ),
        (
            lambda e: e.predict_links(1, exclude=[[0, 9]]),
            DataError,
            "exclude row 0 is (0, 9), but the nodes are 0 to 3.",
        ),
        (lambda e: e.predict_links(1, exclude=[["a", "z"]]), DataError, "There is no node named 'z'."),
        (
            lambda e: e.predict_links(1, exclude=Graph(np.ones((3, 3)))),
            DataError,
            "exclude has 3 nodes, but the graph has 4.",
        ),
        (lambda e: e.predict_links(1, exclude=networkx.Graph([("a", "y")])), DataError, "There is no node named 'y'."),
        (
            lambda e: e.predict_links(1, exclude=3),
            DataError,
            "exclude has the shape (), but (m, 2) is needed: two nodes a row.",
        ),
        (lambda e: e.elbo(num_samples=0), OptionError, "num_samples=0 must be a whole number of at least 1."),
        (
            lambda e: e.elbo(random_state=-1),
            OptionError,
            "random_state=-1 must be a whole number of at least 0 and at most 4294967295.",
        ),
        (lambda e: e.sample(0), OptionError, "n=0 must be a whole number of at least 1."),
        (
            lambda e: e.evaluate({"a": 1}),
            DataTypeError,
            "split must be an EdgeSplit of vaekit.data.split_edges, not a dict.",
        ),
    ],
)
def test_questions_that_have_no_answer(call, error, message):
    vgae = VGAE(**SMALL).fit(ABCD)
    assert said(error, lambda: call(vgae)) == message


def test_parts_of_a_split_that_do_not_exist():
    split = split_edges(random_graph())
    vgae = VGAE(**SMALL).fit(split.train)
    assert said(OptionError, lambda: vgae.evaluate(split, "train", num_samples=0)) == (
        "part='train' is not one of 'test', 'val'. num_samples=0 must be a whole number of at least 1."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0 must be a whole number of at least 1."),
        ({"latent_dim": 2.0}, "latent_dim=2.0 must be a whole number of at least 1."),
        ({"hidden": 32}, "hidden=32 must be a tuple of layer widths, such as (512,)."),
        ({"hidden": (0,)}, "hidden=0 must be a whole number of at least 1."),
        ({"use_features": 1}, "use_features=1 is not one of False, True."),
        (
            {"objective": "reweigted"},
            "objective='reweigted' is not one of 'reweighted', OTHER (did you mean 'reweighted'?).",
        ),
        (
            {"decoder": "inner"},
            "decoder='inner' is not one of 'inner_product', 'bernoulli_poisson'.",
        ),
        ({"decoder": nn.Identity()}, "decoder=Identity() is not one of 'inner_product', 'bernoulli_poisson'."),
        (
            {"activation": "rel"},
            "activation='rel' is not one of 'elu', 'gelu', 'leaky_relu', 'relu', 'sigmoid', 'silu', 'softplus', 'tanh' "
            "(did you mean 'relu'?).",
        ),
        ({"encoder": "gcn"}, "encoder='gcn' must be a torch.nn.Module, or None."),
        ({"dropout": 1}, "dropout=1 must be a number of at least 0 and below 1."),
        ({"dropout": -0.1}, "dropout=-0.1 must be a number of at least 0 and below 1."),
        ({"unit_features": "yes"}, "unit_features='yes' is not one of False, True."),
        ({"unit_length": None}, "unit_length=None is not one of False, True."),
        ({"edge_bias": 2}, "edge_bias=2 is not one of None, False, True."),
        ({"epochs": 0}, "epochs=0 must be a whole number of at least 1."),
        ({"learning_rate": 0}, "learning_rate=0 must be a number above 0."),
        ({"learning_rate": float("nan")}, "learning_rate=nan must be a number above 0."),
        ({"schedule": "step"}, "schedule='step' is not one of 'constant', 'cosine', 'linear'."),
        ({"optimizer": "sgd"}, "optimizer='sgd' is not one of 'adam', 'adamw'."),
        ({"epsilon": 0}, "epsilon=0 must be a number above 0."),
        ({"weight_decay": -1}, "weight_decay=-1 must be a number of at least 0."),
        ({"clip_norm": 0}, "clip_norm=0 must be a number above 0, or None."),
        ({"average": 1}, "average=1 must be a number above 0 and below 1, or None."),
        ({"patience": 0}, "patience=0 must be a whole number of at least 1, or None."),
        ({"device": "gpu"}, "device='gpu' is not 'auto', 'cpu', 'cuda' or another device of torch."),
        ({"callbacks": 3}, "callbacks must be a list of functions of an epoch's record, or None."),
        (
            {"random_state": -1},
            "random_state=-1 must be a whole number of at least 0 and at most 4294967295.",
        ),
        ({"verbose": -1}, "verbose=-1 must be a number of at least 0."),
        (
            {"latent_dim": 0, "epochs": -1, "decoder": None},
            "latent_dim=0 must be a whole number of at least 1. epochs=-1 must be a whole number of at least 1. "
            "decoder=None is not one of 'inner_product', 'bernoulli_poisson'.",
        ),
    ],
)
@BOTH
def test_options_out_of_range(cls, options, message):
    estimator = cls(**{**SMALL, **options})
    assert said(OptionError, lambda: estimator.fit(ABCD)) == message.replace("OTHER", repr(OBJECTIVES[cls][1]))
    assert not hasattr(estimator, "graph_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": -1}, "beta=-1 must be a number of at least 0."),
        ({"samples": 0}, "samples=0 must be a whole number of at least 1."),
        ({"kl_warmup": -1}, "kl_warmup=-1 must be a number of at least 0."),
    ],
)
def test_options_of_the_variational_model_out_of_range(options, message):
    assert said(OptionError, lambda: VGAE(**SMALL, **options).fit(ABCD)) == message


@pytest.mark.parametrize(
    "use", ["transform", "predict_links", "score_edges", "evaluate", "posterior", "elbo", "sample"]
)
def test_what_needs_a_fit_says_so(use, tmp_path):
    arguments = {"predict_links": [3], "score_edges": [[[0, 1]]], "evaluate": [None]}.get(use, [])
    with pytest.raises(NotFittedError, match="This VGAE instance is not fitted yet"):
        getattr(VGAE(), use)(*arguments)
    with pytest.raises(NotFittedError, match="This GAE instance is not fitted yet"):
        GAE().save(tmp_path / "run")


@EVERY
def test_a_loss_that_is_no_number_keeps_usable_weights(cls, options, tmp_path):
    estimator = cls(**{**options, "epochs": 50, "learning_rate": 1e30})
    message = said(TrainingError, lambda: estimator.fit(random_graph()))
    assert message.startswith(
        "The objective was no longer a finite number at step 1 (epoch 1): training has stopped and "
    )
    assert message.endswith("Try a smaller learning_rate (now 1e+30) or clip_norm=1.")
    assert np.isfinite(estimator.transform()).all() and len(estimator.predict_links(3)) == 3
    estimator.save(tmp_path)
    assert np.array_equal(vaekit.load(tmp_path).transform(), estimator.transform())


@BOTH
def test_a_model_that_saw_a_test_edge_is_not_scored_on_it(cls):
    graph = random_graph(n=40)
    split = split_edges(graph, random_state=0)
    leaky = Graph.from_edges(np.concatenate([split.train.edges, split.test_edges[:1]]), features=graph.features)
    estimator = cls(**SMALL).fit(leaky)
    assert said(DataError, lambda: estimator.evaluate(split)) == (
        f"1 of the {len(split.test_edges)} edges to be scored are in the graph that the model was fitted on: fit "
        "split.train."
    )


@pytest.mark.parametrize("names", [None, [f"n{i}" for i in range(40)]])
def test_a_test_edge_is_seen_where_the_graph_grew(names):
    graph = random_graph(n=40, names=names)
    more = Graph.from_edges(graph.edges[::-1] + 1, n_nodes=41, features=np.vstack([graph.features[:1], graph.features]))
    if names is None:
        more = Graph.from_edges(graph.edges, n_nodes=41, features=np.vstack([graph.features, graph.features[:1]]))
    else:
        more = Graph(more, names=["new", *names])
    vgae = VGAE(**SMALL).fit(graph)
    split = split_edges(more, random_state=0)
    assert "are in the graph that the model was fitted on" in said(DataError, lambda: vgae.evaluate(split))


def test_a_split_is_no_y():
    split = split_edges(random_graph(n=40), random_state=0)
    assert said(OptionError, lambda: VGAE(**SMALL).fit(split.train, split)) == (
        "A split goes by its name: fit(split.train, validation=split)."
    )


@BOTH
def test_patience_needs_validation_edges(cls):
    graph = random_graph(n=40)
    sentence = "patience=3 needs validation edges: fit(graph, validation=split)."
    estimator = cls(**{**SMALL, "patience": 3})
    assert said(OptionError, lambda: estimator.fit(graph)) == sentence
    split = split_edges(graph, val=0.0, random_state=0)
    assert said(OptionError, lambda: estimator.fit(split.train, validation=split)) == sentence


MEASURES = np.random.default_rng(3).normal(size=(34, 3))


@pytest.mark.parametrize("cls", [GAE, VGAE])
def test_units_of_dense_features_do_not_matter(cls, tmp_path):
    karate, other = networkx.karate_club_graph(), networkx.star_graph(5)
    factor, shift = np.array([1000.0, 1.0, 0.01]), np.array([5.0, -3.0, 40.0])
    models = [cls(**SMALL).fit(Graph(karate, x)) for x in (MEASURES, MEASURES * factor + shift)]
    few = MEASURES[:6]
    plain, scaled = (model.transform() for model in models)
    np.testing.assert_allclose(plain, scaled, rtol=1e-3, atol=1e-4)
    new = [model.transform(Graph(other, x)) for model, x in zip(models, (few, few * factor + shift), strict=True)]
    np.testing.assert_allclose(*new, rtol=1e-3, atol=1e-4)
    assert not np.allclose(new[0], models[1].transform(Graph(other, few)), atol=0.1)
    models[1].save(tmp_path / "model")
    np.testing.assert_array_equal(vaekit.load(tmp_path / "model").transform(), scaled)


SPAN = np.arange(34.0)[:, None]


@pytest.mark.parametrize(
    ("features", "options", "expected"),
    [
        (np.eye(34), {}, np.eye(34)),
        (scipy.sparse.csr_array(3 * np.eye(34)), {}, 3 * np.eye(34)),
        (np.full((34, 1), 4.0), {"unit_features": True}, np.ones((34, 1))),
        (np.full((34, 2), [4.0, -1e6]), {}, np.full((34, 2), [1.0, -1.0])),
        (np.hstack([np.eye(34), SPAN]), {}, np.hstack([np.eye(34), (SPAN - 16.5) / SPAN.std()])),
    ],
)
def test_which_features_are_standardised(features, options, expected):
    graph = Graph(networkx.karate_club_graph(), features)
    model = VGAE(**SMALL, **options).fit(graph)
    found = model._tensors_of(graph, torch.device("cpu")).features.dense()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_sparse_features_of_another_graph_are_standardised_as_those_of_fit():
    karate = networkx.karate_club_graph()
    model = VGAE(**SMALL).fit(Graph(karate, MEASURES))
    found = model.transform(Graph(karate, scipy.sparse.csr_array(MEASURES)))
    np.testing.assert_allclose(found, model.transform(), rtol=1e-5, atol=1e-6)


def test_own_encoders_get_features_as_they_are():
    class Kept(nn.Module):
        def forward(self, features, adjacency):
            self.seen = features
            return features

    graph = Graph(networkx.karate_club_graph(), MEASURES)
    model = VGAE(**SMALL, encoder=Kept()).fit(graph)
    model.transform()
    np.testing.assert_allclose(model.model_.encoder.body.seen, MEASURES, rtol=1e-6)


def test_that_features_are_standardised_is_said(capsys):
    VGAE(**{**SMALL, "verbose": 1}).fit(Graph(networkx.karate_club_graph(), np.hstack([np.eye(34), MEASURES])))
    said = "features: 3 of 37 columns rescaled, as they do not lie from 0 to 1"
    assert said in capsys.readouterr().err
