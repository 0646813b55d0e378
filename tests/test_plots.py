"""The pictures: what they show is what the model says, for every kind of data, and nothing of the caller's changes."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from PIL import Image
from scipy.stats import norm
from sklearn.datasets import load_digits, load_wine

from vaekit import GAE, VAE, VGAE, Autoencoder, Graph, PixelCNN
from vaekit.data import EdgeSplit, load_dataset, split_edges
from vaekit.errors import WriteError
from vaekit.plots import curves, draw_all, draw_graph, links, nodes
from vaekit.plots.canvas import figure, save, tile
from vaekit.plots.curves import draw_curves
from vaekit.plots.labels import classes_of
from vaekit.plots.latent import manifold_axes, projection
from vaekit.plots.nodes import MOST_NODES, node_classes, sampled_nodes, tsne
from vaekit.plots.traversals import traversal_codes
from vaekit.plots.view import View
from vaekit.runs import PICTURES

QUICK: dict[str, Any] = {"hidden": (16,), "epochs": 3, "random_state": 0, "verbose": 0}
ALWAYS = ["curves.png", "reconstructions.png", "latent.png", "traversals.png"]

digits = load_digits()
IMAGES, LABELS = digits.images.astype(np.uint8)[:300], digits.target[:300]
wine = load_wine(as_frame=True)
WINE = wine.data.sample(frac=1, random_state=0)


@pytest.fixture(scope="module")
def image_vae() -> VAE:
    return VAE(latent_dim=2, **QUICK).fit(IMAGES)


@pytest.fixture(scope="module")
def wine_vae() -> VAE:
    return VAE(latent_dim=5, **(QUICK | {"epochs": 40})).fit(WINE)


def check_files(folder: Path, drawn: list[tuple[str, str]]) -> list[str]:
    """Every picture is there, whole, of a sensible size and not blank; nothing else is. Give the names."""
    names = [name for name, _ in drawn]
    assert sorted(names) == sorted(path.name for path in folder.iterdir()) and {*names} <= {*PICTURES}
    for name, caption in drawn:
        assert caption.endswith(".") and "\n" not in caption
        with Image.open(folder / name) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert 200 <= picture.width <= 1400 and 100 <= picture.height <= 1800, (name, picture.size)
            low, high = picture.convert("L").getextrema()
            assert low < 120 and high == 255, name  # pyright: ignore[reportOperatorIssue]
    return names


def test_the_pictures_of_images(image_vae: VAE, tmp_path: Path) -> None:
    drawn = draw_all(image_vae, IMAGES[:250], IMAGES[250:], LABELS[250:], tmp_path / "plots")
    order = ["curves.png", "samples.png", "reconstructions.png", "latent.png", "manifold.png", "traversals.png"]
    assert check_files(tmp_path / "plots", drawn) == [*order, "interpolations.png"]
    assert dict(drawn)["latent.png"].startswith("Codes of 50 test rows, coloured by label")


def test_the_pictures_of_a_hierarchy(tmp_path: Path) -> None:
    options = QUICK | {"network": "ladder", "channels": (4, 6), "latent_dim": 1, "stochastic_layers": 2}
    ladder = VAE(**options).fit(IMAGES)
    drawn = draw_all(ladder, IMAGES[:250], IMAGES[250:], None, tmp_path)
    assert {"interpolations.png", "layers.png"} <= set(check_files(tmp_path, drawn))


def test_the_pictures_of_a_pixelcnn(tmp_path: Path) -> None:
    model = PixelCNN(layers=1, channels=4, kernel_size=3, epochs=1, random_state=0, verbose=0).fit(IMAGES)
    drawn = draw_all(model, IMAGES[:250], IMAGES[250:], LABELS[250:], tmp_path)
    assert check_files(tmp_path, drawn) == ["curves.png", "samples.png", "completions.png"]


def test_the_pictures_where_pixels_know_each_other(tmp_path: Path) -> None:
    vae = VAE(latent_dim=2, masked_layers=1, masked_channels=4, **QUICK).fit(IMAGES)
    drawn = dict(draw_all(vae, IMAGES[:250], IMAGES[250:], None, tmp_path))
    assert "straight line, each" in drawn["interpolations.png"]  # a mean of draws has no gradient: no geodesic


def cases() -> dict[str, tuple[Any, Any, Any, list[str]]]:
    rng = np.random.RandomState(0)
    numbers = rng.normal(size=(60, 5)).astype(np.float32)
    numbers[:, 2] = 7  # a column that never varies
    counts = scipy.sparse.csr_array(rng.poisson(0.4, (60, 50)))
    frame = pd.DataFrame({"price $_a$": numbers[:, 0], "_b": numbers[:, 1], "日本": numbers[:, 2], "n" * 90: 1.0})
    vae, flat = ["samples.png", *ALWAYS], ["samples.png", "manifold.png", *ALWAYS]
    return {
        "vectors": (VAE(latent_dim=3, **QUICK), numbers, None, vae),
        "one latent unit": (VAE(latent_dim=1, **QUICK), numbers, np.arange(60) % 3, vae),
        "one column": (VAE(latent_dim=1, **QUICK), numbers[:, :1], None, vae),
        "constant": (VAE(latent_dim=2, **QUICK), np.ones((20, 3)), None, flat),
        "sparse counts": (VAE(latent_dim=2, **QUICK), counts, np.array(list("abc") * 20), flat),
        "awkward names": (VAE(latent_dim=2, **QUICK), frame, ["_x", "$a$", None] * 20, flat),
        "polars": (VAE(latent_dim=2, **QUICK), pl.DataFrame({"a": numbers[:, 0], "b": numbers[:, 1] > 0}), None, flat),
        "colour images": (VAE(latent_dim=2, **QUICK), rng.randint(0, 256, (40, 3, 6, 7), np.uint8), None, flat),
        "real images": (Autoencoder(latent_dim=2, **QUICK), rng.normal(size=(40, 1, 9, 5)), None, flat[1:]),
        "large images": (VAE(latent_dim=1, likelihood="bernoulli", **QUICK), rng.rand(8, 300, 160), None, vae),
        "sequences": (Autoencoder(latent_dim=3, **QUICK), rng.normal(size=(40, 2, 3, 4)), None, ALWAYS),
        "autoencoder of a table": (Autoencoder(latent_dim=2, **QUICK), WINE.iloc[:, :3], wine.target, flat[1:]),
        "no held-out rows": (VAE(latent_dim=2, validation_fraction=None, **QUICK), numbers, np.arange(60), flat),
        "one epoch": (VAE(latent_dim=25, **(QUICK | {"epochs": 1})), numbers, None, vae),
    }


@pytest.mark.parametrize(("case", "n_test"), [(case, (1, 8)[i % 2]) for i, case in enumerate(cases())])
def test_every_kind_of_data(case: str, n_test: int, tmp_path: Path) -> None:
    estimator, X, y, names = cases()[case]
    estimator.fit(X)
    test = X[-n_test:]
    y = None if y is None else y[-n_test:]
    if case in ("colour images", "large images") and n_test > 1:  # pictures to go between
        names = [*names, "interpolations.png"]
    assert sorted(check_files(tmp_path, draw_all(estimator, X, test, y, tmp_path))) == sorted(names)


def test_the_manifold_lies_at_the_quantiles_of_the_prior(image_vae: VAE) -> None:
    across, up = manifold_axes(View.of(image_vae, IMAGES, IMAGES[:50]))
    np.testing.assert_allclose(across, norm.ppf(np.linspace(0.025, 0.975, 20)))
    np.testing.assert_array_equal(across, up)
    np.testing.assert_allclose(across, -across[::-1], atol=1e-12)


def test_an_autoencoders_manifold_spans_the_training_codes() -> None:
    estimator = Autoencoder(latent_dim=2, **QUICK).fit(IMAGES)
    codes = estimator.transform(IMAGES)
    across, up = manifold_axes(View.of(estimator, IMAGES, IMAGES[:5]))
    for side, unit in ((across, 0), (up, 1)):
        np.testing.assert_allclose(side[[0, -1]], np.quantile(codes[:, unit], [0.01, 0.99]), rtol=1e-6)


def test_the_manifold_draws_what_the_codes_decode_to(image_vae: VAE, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from vaekit.plots import latent

    seen = []
    monkeypatch.setattr(
        latent, "tile", lambda pictures, columns: seen.append((pictures, columns)) or tile(pictures, 20)
    )
    view = View.of(image_vae, IMAGES, IMAGES[:50])
    latent.draw_manifold(view, tmp_path / "manifold.png")
    ((pictures, columns),) = seen
    assert pictures.shape == (400, 8, 8) and columns == 20
    low, high = norm.ppf(0.025), norm.ppf(0.975)
    corners = image_vae.inverse_transform([[low, high], [high, high], [low, low], [high, low]]) / 16
    np.testing.assert_allclose(pictures[[0, 19, 380, 399]], corners, atol=1e-5)


def test_units_are_ordered_by_their_kl(wine_vae: VAE) -> None:
    view = View.of(wine_vae, WINE[:100], WINE[100:])
    mu, sigma = wine_vae.posterior(WINE[100:])
    kl = (0.5 * (mu**2 + sigma**2 - 1) - np.log(sigma)).mean(0)
    np.testing.assert_allclose(view.importance, kl, rtol=1e-4)
    assert view.importance.sum() == pytest.approx(wine_vae.evaluate(WINE[100:], 2)["kl"], rel=1e-4)
    active = np.flatnonzero(mu.var(0) > 0.01)
    assert len(active) > 1
    np.testing.assert_array_equal(view.units, active[np.argsort(-kl[active])])


def test_a_traversal_moves_one_unit_of_the_first_test_row(wine_vae: VAE) -> None:
    view = View.of(wine_vae, WINE[:100], WINE[100:])
    z = traversal_codes(view)
    assert z.shape == (len(view.units), 11, 5)
    for walk, unit in zip(z, view.units, strict=True):
        np.testing.assert_allclose(walk[:, unit], np.linspace(-3, 3, 11))
        rest = np.delete(np.arange(5), unit)
        np.testing.assert_allclose(
            walk[:, rest], np.tile(wine_vae.transform(WINE[100:101])[:, rest], (11, 1)), rtol=1e-5
        )


def test_an_autoencoders_traversal_spans_its_codes() -> None:
    estimator = Autoencoder(latent_dim=3, **QUICK).fit(WINE)
    view, codes = View.of(estimator, WINE, WINE[:60]), estimator.transform(WINE[:60])
    np.testing.assert_allclose(view.importance, codes.var(0), rtol=1e-4)
    assert list(view.units) == list(np.argsort(-codes.var(0)))
    top = view.units[0]
    ends = codes[:, top].mean() + np.array([-3, 3]) * codes[:, top].std()
    np.testing.assert_allclose(traversal_codes(view)[0, [0, -1], top], ends, rtol=1e-4)


def test_few_test_rows_leave_the_judgement_to_the_training_rows(wine_vae: VAE) -> None:
    view = View.of(wine_vae, WINE[:100], WINE[100:101])
    assert view.judged_by == "training"
    assert list(view.units) == list(View.of(wine_vae, WINE[:100], WINE[:100]).units)


def test_the_projection_is_the_pca_of_the_active_units(wine_vae: VAE) -> None:
    view = View.of(wine_vae, WINE[:100], WINE)
    points, labels = projection(view)
    active = view.codes[:, np.sort(view.units)]
    values = np.linalg.eigvalsh(np.cov(active.T))[::-1]
    np.testing.assert_allclose(points.var(0, ddof=1), values[:2], rtol=1e-4)
    share = values / values.sum()
    assert labels == [
        f"1st principal component of {active.shape[1]} active units ({share[0]:.0%})",
        f"2nd principal component of {active.shape[1]} active units ({share[1]:.0%})",
    ]


def test_two_active_units_are_shown_themselves(image_vae: VAE) -> None:
    view = View.of(image_vae, IMAGES, IMAGES)
    points, labels = projection(view)
    spread = view.codes.var(0)
    order = np.argsort(-spread)
    np.testing.assert_allclose(points, view.codes[:, order])
    assert labels == [f"unit {u} (variance of the posterior means {spread[u]:.2g})" for u in order]


def test_classes_take_their_names() -> None:
    names, classes = classes_of(np.array([1, 0, 2]), ("no", "yes", "maybe"))
    assert names == ["no", "yes", "maybe"] and list(classes) == [1, 0, 2]
    assert classes_of(np.array([5.0, 7.0, 9.0]), ("no", "yes"))[0] == ["5", "7", "9"]
    assert classes_of(np.array([1_000_001, 1_000_002]), None)[0] == ["1000001", "1000002"]
    assert classes_of(pd.Series(["b", "a", "b"]), None)[0] == ["a", "b"]
    for nothing in (np.arange(21), None, []):
        assert classes_of(nothing, None)[0] == []


def test_columns_are_chosen_by_spread_where_they_share_a_unit() -> None:
    counts = np.random.RandomState(0).poisson(np.linspace(0, 9, 30), (80, 30))
    view = View.of(VAE(latent_dim=1, **QUICK).fit(counts), counts, counts)
    chosen, how = view.choose(12)
    assert list(chosen) == sorted(np.argsort(-counts.std(0))[:12])
    assert how == "; of 30 columns the 12 that vary most"


def test_columns_of_several_units_are_evenly_spaced(wine_vae: VAE) -> None:
    view = View.of(wine_vae, WINE, WINE)
    chosen, how = view.choose(7)
    assert list(chosen) == [0, 2, 4, 6, 8, 10, 12] and how == "; 7 of 13 columns, evenly spaced"
    assert list(view.choose(13)[0]) == list(range(13)) and view.choose(13)[1] == ""
    assert view.name(12) == "proline"


def test_pixels_span_the_range_of_the_training_rows() -> None:
    X = np.random.RandomState(0).randint(3, 200, (30, 3, 5, 4)).astype(np.uint8)
    view = View.of(VAE(latent_dim=1, **QUICK).fit(X), X, X[:2])
    low, high = float(X.min()), float(X.max())
    assert view.pixels(X.astype(float)).shape == (30, 5, 4, 3)
    np.testing.assert_allclose(view.pixels(X.astype(float))[7, :, :, 1], (X[7, 1] - low) / (high - low), rtol=1e-6)
    assert view.pixels(np.full((1, 3, 5, 4), 999.0)).max() == 1


def test_tiles_lie_in_rows() -> None:
    sheet = tile(np.arange(3).reshape(3, 1, 1) / 4 * np.ones((3, 8, 8)), columns=2)
    assert sheet.shape == (17, 17)
    assert sheet[0, 0] == 0 and sheet[0, 9] == 0.25 and sheet[9, 0] == 0.5
    assert (sheet[8] == 1).all() and (sheet[:, 8] == 1).all() and (sheet[9:, 9:] == 1).all()


def test_at_most_a_thousand_rows_are_looked_at(image_vae: VAE) -> None:
    many = np.tile(IMAGES, (5, 1, 1))
    view = View.of(image_vae, many, many)
    assert len(view.train) == len(view.codes) == 1000
    assert view.index[0] == 0 and view.index[-1] == len(many) - 1
    np.testing.assert_array_equal(view.test, many[view.index])


def test_the_epoch_that_was_kept_is_named_after_a_warm_start(tmp_path: Path) -> None:
    estimator = VAE(latent_dim=1, warm_start=True, **QUICK)
    estimator.fit(WINE).fit(WINE)
    caption = draw_curves(estimator, tmp_path / "curves.png")
    assert caption is not None
    assert f"the weights of epoch {estimator.best_epoch_} were kept" in caption


def test_without_an_epoch_there_are_no_curves(wine_vae: VAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wine_vae, "history_", [])
    assert draw_curves(wine_vae, tmp_path / "curves.png") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("generators_untouched")
def test_pictures_are_reproducible_and_leave_the_callers_state(image_vae: VAE, tmp_path: Path) -> None:
    before, X = dict(matplotlib.rcParams), IMAGES.copy()
    for name in ("a", "b"):
        draw_all(image_vae, X, X[:20], LABELS[:20], tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    assert dict(matplotlib.rcParams) == before
    np.testing.assert_array_equal(X, IMAGES)


def test_pyplot_is_never_imported(tmp_path: Path) -> None:
    code = """
        import sys
        import numpy as np
        from vaekit import VAE
        from vaekit.plots import draw_all
        X = np.random.RandomState(0).rand(20, 3)
        draw_all(VAE(latent_dim=2, hidden=(4,), epochs=1, verbose=0).fit(X), X, X, None, sys.argv[1])
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"a\.png' cannot be written"):
        save(figure(2, 2), tmp_path / "file" / "a.png")


# -- graphs ------------------------------------------------------------------------------------------------------------

karate = load_dataset("karate")
SPLIT = split_edges(karate.X)
MODELS: list[Any] = [GAE, VGAE]


def whole(graph: Graph) -> EdgeSplit:
    """A split that sets nothing aside."""
    none = np.zeros((0, 2), np.int64)
    return EdgeSplit(graph, none, none, none, none)


def drawn_figure(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[Any]:
    """What a module saves from now on."""
    figures: list[Any] = []
    monkeypatch.setattr(module, "save", lambda fig, path: figures.append(fig) or save(fig, path))
    return figures


@pytest.mark.parametrize("model", MODELS)
def test_the_pictures_of_a_graph(model: Any, tmp_path: Path) -> None:
    estimator = model(latent_dim=3, **QUICK).fit(SPLIT.train, validation=SPLIT)
    drawn = draw_graph(estimator, SPLIT, tmp_path / "plots", karate.label_names)
    assert check_files(tmp_path / "plots", drawn) == ["curves.png", "latent.png", "scores.png"]
    what = "Posterior means" if model is VGAE else "Codes"
    assert dict(drawn) == {
        "curves.png": "Training objective by epoch (reweighted, in no unit) and, below, the mean of AUC and AP of the "
        f"3 validation edges, both higher is better; the weights of epoch {estimator.best_epoch_} were kept.",
        "latent.png": f"{what} of the 34 nodes coloured by label, lines for the training edges: left by t-SNE "
        "(perplexity 11; only who is near whom has a meaning); right by their principal components, in brackets the "
        "share of the variance.",
        "scores.png": "Log-odds that the model gives to the 7 held-out test edges and as many pairs that are none; AUC "
        f"{estimator.evaluate(SPLIT)['auc']:.3f}: so often an edge stands above a pair that is none.",
    }


def graph_cases() -> dict[str, tuple[dict[str, Any], Graph, str]]:
    rng = np.random.default_rng(0)
    friends, features = karate.X, scipy.sparse.csr_array(rng.poisson(0.3, (34, 9)))
    text = np.array([["left", "", "$a$", "_b"][i % 4] for i in range(34)])
    path = Graph.from_edges([[0, 1], [1, 2]], n_nodes=4, names=["a" * 40, "$x_1$", "日本", "_"])
    return {
        "one unit": ({"latent_dim": 1}, friends, "coloured by label."),
        "one unit, no labels": ({"latent_dim": 1}, Graph(friends.adjacency), "of the 34 nodes."),
        "two units": ({"latent_dim": 2, "objective": "elbo"}, friends, "right by the two latent units themselves."),
        "bernoulli_poisson": ({"decoder": "bernoulli_poisson"}, Graph(friends, features), "share of the variance."),
        "some without a label": ({"latent_dim": 2}, Graph(friends, labels=text), "coloured by label, lines for"),
        "none with a label": ({}, Graph(friends, labels=np.full(34, -1)), "34 nodes, lines for the training edges"),
        "too many labels": (
            {},
            Graph(friends, labels=np.arange(34)),
            "(more than 20 labels, which colours cannot tell",
        ),
        "few nodes": ({}, path, "the 4 nodes, lines for the training edges: by their principal components"),
        "two nodes": ({"latent_dim": 5}, Graph.from_edges([[0, 1]]), "the 2 nodes, lines for the training edges: by"),
        "two nodes, one unit": ({"latent_dim": 1}, Graph.from_edges([[0, 1]], labels=[-1, 3]), "coloured by label."),
    }


@pytest.mark.parametrize("case", graph_cases())
def test_every_kind_of_graph(case: str, tmp_path: Path) -> None:
    params, graph, said = graph_cases()[case]
    split = whole(graph) if graph.n_edges < 20 else split_edges(graph, val=0.0)
    drawn = draw_graph(VGAE(**(QUICK | params)).fit(split.train), split, tmp_path)
    names = ["curves.png", "latent.png", "scores.png"][: 3 if len(split.test_edges) else 2]
    assert check_files(tmp_path, drawn) == names
    assert said in dict(drawn)["latent.png"]
    assert "higher is better; no edges were held out; the weights of epoch 3 were kept." in dict(drawn)["curves.png"]


@pytest.mark.parametrize("latent_dim", [1, 2, 4])
def test_nodes_that_all_have_one_code(latent_dim: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = GAE(latent_dim=latent_dim, **QUICK).fit(SPLIT.train)
    monkeypatch.setattr(estimator, "transform", lambda graph: np.ones((34, latent_dim), np.float32))
    monkeypatch.setattr(estimator, "_log_odds", lambda pairs, graph: np.ones(len(pairs), np.float32))
    drawn = draw_graph(estimator, SPLIT, tmp_path)
    check_files(tmp_path, drawn)
    assert "t-SNE" not in dict(drawn)["latent.png"] and "AUC 0.500" in dict(drawn)["scores.png"]


@pytest.mark.parametrize(
    ("model", "params", "label"),
    [
        (VGAE, {}, "reweighted objective"),
        (VGAE, {"objective": "elbo", "beta": 0.5}, "bound (ELBO) / N², KL weighted 0.5, nats"),
        (GAE, {"objective": "log_likelihood"}, "log p(A|Z) / N², nats"),
    ],
)
def test_the_curves_of_a_graph_are_its_history(
    model: Any, params: dict[str, Any], label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = drawn_figure(monkeypatch, curves)
    estimator = model(**QUICK, **params).fit(SPLIT.train, validation=SPLIT)
    curves.draw_graph_curves(estimator, 3, tmp_path / "curves.png")
    (fig,) = figures
    assert [ax.get_ylabel() for ax in fig.axes] == [label, "mean of AUC and AP"]
    for ax, name in zip(fig.axes, ("train", "validation"), strict=True):
        values = [record[name] for record in estimator.history_]
        np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([[1, 2, 3], values], 1))
        best = estimator.best_epoch_
        np.testing.assert_array_equal(ax.lines[-1].get_xydata(), [[best, values[best - 1]]])


def test_without_an_epoch_a_graph_has_no_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = GAE(latent_dim=1, **QUICK).fit(SPLIT.train)
    monkeypatch.setattr(estimator, "history_", [])
    assert [name for name, _ in draw_graph(estimator, SPLIT, tmp_path)] == ["latent.png", "scores.png"]


def test_the_histograms_hold_every_test_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = drawn_figure(monkeypatch, links)
    estimator = VGAE(**QUICK).fit(SPLIT.train)
    links.draw_scores(estimator, SPLIT, tmp_path / "scores.png")
    (ax,) = figures[0].axes
    marks = [np.sort(line.get_xdata()) for line in ax.lines]
    for drawn, pairs in zip(marks, (SPLIT.test_negatives, SPLIT.test_edges), strict=True):
        np.testing.assert_allclose(drawn, np.sort(estimator.score_edges(pairs)), rtol=1e-6)


def test_at_most_two_thousand_nodes_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "tsne", lambda codes, perplexity: codes[:, :2])
    figures = drawn_figure(monkeypatch, nodes)
    ring = np.arange(2100)
    graph = Graph.from_edges(np.stack([ring, (ring + 1) % 2100], 1), features=np.eye(3)[ring % 3], labels=ring % 3)
    estimator = GAE(latent_dim=4, **QUICK).fit(graph)
    caption = nodes.draw_nodes(estimator, graph, ("a", "b", "c"), tmp_path / "latent.png")
    assert caption.startswith("Codes of 2,000 of the 2,100 nodes, drawn at random, coloured by label: left by t-SNE")
    assert [len(ax.collections[0].get_offsets()) for ax in figures[0].axes] == [2000, 2000]
    chosen = sampled_nodes(2100)
    assert len(np.unique(chosen)) == MOST_NODES and (np.diff(chosen) > 0).all() and chosen[-1] < 2100
    np.testing.assert_array_equal(chosen, sampled_nodes(2100))
    np.testing.assert_array_equal(sampled_nodes(5), np.arange(5))


def test_nodes_without_a_label_have_no_class() -> None:
    for labels in ([1, -1, 0], ["b", "", "a"], ["b", "-1", "a"], [1.0, np.nan, 0.0]):
        names, classes = node_classes(np.array(labels), None)
        assert names == (["a", "b"] if isinstance(labels[0], str) else ["0", "1"]) and list(classes) == [1, -1, 0]
    assert node_classes(np.array([-1, -1]), None)[0] == []


def test_t_sne_keeps_neighbours_together() -> None:
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(size=(20, 3)), 30 + rng.normal(size=(20, 3))])
    points = tsne(codes, 10.0)
    assert points is not None
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.diag(np.full(40, np.inf))
    np.testing.assert_array_equal(distances.argmin(1) < 20, np.arange(40) < 20)
    assert tsne(np.ones((40, 3)), 10.0) is None


@pytest.mark.usefixtures("generators_untouched")
def test_pictures_of_a_graph_are_reproducible(tmp_path: Path) -> None:
    estimator = VGAE(**QUICK).fit(SPLIT.train, validation=SPLIT)
    for name in ("a", "b"):
        draw_graph(estimator, SPLIT, tmp_path / name, karate.label_names)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
