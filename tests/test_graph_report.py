"""The report of a graph's model: its numbers are the summary's, and it says plainly what they are worth."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vaekit
from vaekit import GAE, VGAE, Graph
from vaekit.data import load_dataset, split_edges
from vaekit.report import plus_minus, write_graph_report
from vaekit.report.graphscores import auc_se

QUICK: dict[str, Any] = {"latent_dim": 3, "hidden": (8,), "epochs": 4, "random_state": 0, "verbose": 0}
KARATE = load_dataset("karate").X
SPLIT = split_edges(KARATE)
DATA: dict[str, Any] = {
    "source": "some_friends.txt",
    "kind": "graph",
    "note": "34 nodes and 78 edges",
    "n_nodes": 34,
    "n_edges": 78,
    "n_train_edges": 68,
    "n_validation_edges": 3,
    "epoch_chosen": True,
    "n_test_edges": 7,
    "test": "10% of the edges",
    "split_seed": 11,
    "fingerprint": "abc123",
}
WHOLE = {"n_train_edges": 78, "n_validation_edges": 0, "epoch_chosen": False, "n_test_edges": 0, "split_seed": None}
WHOLE |= {"test": "no edges: 78 are too few to set some aside"}
MANY: dict[str, Any] = {"auc": 0.9, "ap": 0.88, "mrr": 0.1, "hits@10": 0.3, "hits@50": 0.6, "hits@100": 0.8}
MANY |= {"n_scored_edges": 500, "spectral_auc": 0.8, "spectral_ap": 0.79}
NONE: dict[str, Any] = {"n_scored_edges": 0, "auc": None, "ap": None, "spectral_auc": None, "spectral_ap": None}
LABELS: dict[str, Any] = {"nmi": 0.61, "ari": 0.55, "accuracy": 0.81, "accuracy_se": 0.02, "majority": 0.31}
PICTURES = [("curves.png", "Curves | of *training*."), ("latent.png", "Codes.")]


def report(
    folder: Path, estimator: Any, changes: dict[str, Any] | None = None, **data: Any
) -> tuple[str, dict[str, Any]]:
    """Fit, save, write the report and give it with the summary."""
    estimator.fit(SPLIT.train, validation=SPLIT).save(folder)
    summary = estimator.evaluate(SPLIT) | {"spectral_auc": 0.9, "spectral_ap": 0.8} | dict.fromkeys(LABELS)
    summary |= changes or {}
    config = estimator._config() | {"data": DATA | data}
    write_graph_report(folder, title="A graph", config=config, summary=summary, pictures=PICTURES)
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "None" not in text and "nan" not in text.replace("finance", "") and "  " not in text.split("## Use")[0]
    return text, summary


def value(text: str, name: str) -> str:
    """What stands in a row of a table."""
    (found,) = re.findall(rf"^\| {re.escape(name)} \| ([^|]+) \|", text, flags=re.MULTILINE)
    return found


@pytest.mark.parametrize("model", [GAE, VGAE])
def test_the_numbers_are_the_summarys(model: Any, tmp_path: Path) -> None:
    text, summary = report(tmp_path, model(**QUICK), MANY | LABELS)
    assert value(text, "AUC") == plus_minus(0.9, auc_se(0.9, 500, 500))
    for name, key in {"AP": "ap", "MRR": "mrr", "Hits@10": "hits@10", "Hits@50": "hits@50"}.items():
        assert value(text, name) == f"{MANY[key]:.3f}"
    assert value(text, "AUC, spectral baseline") == "0.800" and value(text, "AP, spectral baseline") == "0.790"
    assert value(text, "NMI") == "0.610" and value(text, "ARI") == "0.550"
    assert value(text, "accuracy") == "0.810 ± 0.020" and value(text, "accuracy, commonest class") == "0.310"
    assert "of rank 100 or better" in text and "would need more than" not in text
    if model is VGAE:
        assert value(text, "ELBO") == f"{summary['elbo']:,.1f} nats"
        assert value(text, "ELBO in bits") == f"{-summary['elbo'] / math.log(2) / 68:.1f} bits an edge"
    else:
        assert "| ELBO" not in text and "has no bound on log p(A) and draws no graphs" in text


def test_the_first_lines_say_what_it_is_and_what_it_is_worth(tmp_path: Path) -> None:
    text, summary = report(tmp_path, VGAE(**QUICK))
    se = auc_se(summary["auc"], 7, 7)
    assert text.splitlines()[:5] == [
        "# A graph",
        "",
        "A variational graph auto-encoder (3 latent units a node, 1 hidden graph convolution of 8, inner product "
        "decoder) of some\\_friends.txt, a graph of 34 nodes and 78 edges (no node features used): trained on 68 edges, "
        "the epoch chosen by 3 others, scored on 7 test edges that neither training nor the choice of the epoch has "
        "seen.",
        "",
        f"**Held-out links: AUC {plus_minus(summary['auc'], se)}, AP {summary['ap']:.3f}** (7 test edges against as many "
        "pairs without an edge; guessing gives 0.5 in both) beside AUC 0.900, AP 0.800 of a spectral embedding of the "
        "same training edges.",
    ]


NOISE = (
    "**With 7 test edges the score is nearly noise**: by two standard errors the AUC may be anything from 0.78 to 1.00."
)
GUESS = "**The AUC is not above that of guessing by two standard errors.**"
WORSE = "**The model is not better than the baseline, which needs no training**"
DRAW = "**The model is better than the baseline by AP, not by AUC: a draw.**"
CHANCE = "The model leads the baseline by 0.010 in AUC, within two standard errors (0.029, the two scores taken as independent): **it may be chance.**"
LEAD = "The model leads the baseline by 0.100 in AUC, more than two standard errors (0.035, the two scores taken as independent)."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (MANY, [LEAD]),
        (MANY | {"spectral_auc": 0.89}, [CHANCE]),
        (MANY | {"spectral_auc": 0.9}, [DRAW]),
        (MANY | {"spectral_auc": 0.95, "spectral_ap": 0.95}, [WORSE]),
        (MANY | {"auc": 0.51}, [GUESS, DRAW]),
        (MANY | {"auc": 0.4, "ap": 0.4, "n_scored_edges": 29}, ["**With 29 test edges", GUESS, WORSE]),
        ({"auc": 0.93, "ap": 0.9, "spectral_auc": None, "spectral_ap": None}, [NOISE]),
        ({"auc": 1.0, "ap": 1.0}, ["nearly noise**, even at an AUC of 1.", "in AUC, within two standard errors"]),
    ],
)
def test_what_the_scores_are_worth_is_said_plainly(changes: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    text, _ = report(tmp_path, GAE(**QUICK), changes)
    for sentence in said:
        assert sentence in text
    for sentence in {NOISE, GUESS, WORSE, DRAW, CHANCE, LEAD} - set(said):
        assert sentence not in text
    assert ("the spectral baseline was not computed for a graph of this size." in text) == (said == [NOISE])


def test_few_pairs_have_no_hits(tmp_path: Path) -> None:
    text, _ = report(tmp_path, GAE(**QUICK))
    assert (
        "mid-rank in MRR and Hits. Hits@10, Hits@50 and Hits@100 would need more than 7 pairs without an edge." in text
    )
    assert "| Hits@" not in text


@pytest.mark.parametrize("model", [GAE, VGAE])
def test_a_graph_too_small_to_split_has_no_score(model: Any, tmp_path: Path) -> None:
    for name in ("mrr", *(f"hits@{k}" for k in (10, 50, 100))):
        assert name not in NONE  # `evaluate` leaves these out
    estimator = model(**QUICK).fit(KARATE)
    estimator.save(tmp_path)
    summary = {"elbo": -100.0 if model is VGAE else None, "n_nodes": 34, "n_edges": 78} | NONE | dict.fromkeys(LABELS)
    config = estimator._config() | {"data": DATA | WHOLE}
    write_graph_report(tmp_path, title="t", config=config, summary=summary, pictures=[])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (
        "78 edges (no node features used): trained on 78 edges.\n\n**There is no score of held-out edges**: of 78 edges "
        "none could be set aside, so that all were trained on. How well the model predicts links cannot be said.\n\n## "
        "Scores\n\n"
    ) in text
    assert "had no say in which epoch" not in text
    assert "All edges were trained on; for the test no edges: 78 are too few to set some aside." in text
    assert "No edges were held out to choose the epoch, so the last one was kept." in text
    assert "AUC" not in text and "None" not in text and "## Labels" not in text and "## Pictures" not in text


def test_the_bound_of_all_pairs_alike_is_exact(tmp_path: Path) -> None:
    text, _ = report(tmp_path, VGAE(**QUICK))
    upper = SPLIT.train.adjacency.toarray()[np.triu_indices(34, 1)]
    p = upper.mean()
    exact = (upper * np.log(p) + (1 - upper) * np.log(1 - p)).sum()
    assert value(text, "the same, all pairs alike") == f"{exact:,.1f} nats"
    assert f"every pair an edge with probability {p:.3g}" in text


def test_the_objective_says_what_the_bound_is_worth(tmp_path: Path) -> None:
    costly = "what the codes tell of the edges is worth less than they cost.**"
    text, _ = report(tmp_path / "a", VGAE(**QUICK), {"elbo": -300.0})
    assert "held-out edges. It had no say in which epoch was kept: AUC and AP of the validation edges chose." in text
    assert "Training weighted each edge 7.5 times" in text and "**are not calibrated**" in text
    assert "Nor was the ELBO trained on" in text and costly not in text
    text, _ = report(tmp_path / "b", VGAE(objective="elbo", edge_bias=False, **QUICK), {"elbo": -300.0})
    assert f"{costly} Without a bias the model cannot be as sparse as the data: leave edge_bias=false out." in text
    assert "calibrated" not in text
    text, _ = report(tmp_path / "c", VGAE(objective="elbo", beta=0.5, **QUICK), {"elbo": -150.0})
    assert "Training weighted the KL otherwise" in text and costly not in text
    text, _ = report(tmp_path / "e", VGAE(objective="elbo", **QUICK), {"elbo": -300.0})
    assert f"{costly}\n" in text
    text, _ = report(tmp_path / "f", GAE(**QUICK), n_train_edges=400)
    assert "weighted each edge 0.445 times" in text and "they lie below the share" in text
    text, _ = report(tmp_path / "d", GAE(**QUICK))
    assert "**are not calibrated**" in text and "Nor was the ELBO" not in text


@pytest.mark.parametrize(("accuracy", "plainly"), [(0.34, True), (0.36, False)])
def test_codes_without_labels_in_them_are_said_plainly(accuracy: float, plainly: bool, tmp_path: Path) -> None:
    text, _ = report(tmp_path, GAE(**QUICK), LABELS | {"accuracy": accuracy})
    assert (
        "**The accuracy is not above that of naming the commonest class by two standard errors**" in text
    ) == plainly
    assert "The encoder saw the training edges, never a label." in text


def test_labels_of_one_class_alone_have_no_part(tmp_path: Path) -> None:
    text, _ = report(tmp_path / "a", GAE(**QUICK))
    assert "## Labels" not in text
    text, _ = report(tmp_path / "b", GAE(**QUICK), {"nmi": 0.2, "ari": 0.1})
    assert value(text, "NMI") == "0.200" and "| accuracy" not in text


def test_how_it_came_about(tmp_path: Path) -> None:
    estimator = VGAE(**QUICK)
    text, _ = report(tmp_path, estimator)
    best = estimator.history_[estimator.best_epoch_ - 1]
    assert (
        f"Kept: the weights of epoch {best['epoch']} (training objective {best['train']:.6g}, held-out score "
        f"{best['validation']:.6g}).\n- The held-out score is the mean of AUC and AP of 3 validation edges against as "
        "many pairs without an edge; the test edges had no say."
    ) in text
    assert (
        "- 68 edges for training, 3 for validation, 7 for the test (10% of the edges, drawn with seed 11); to each "
        "of the latter two as many pairs that are no edges of the whole graph.\n"
    ) in text
    assert text.count("34 nodes and 78 edges.") == 1
    assert "![curves](plots/curves.png)\n\n*Curves \\| of \\*training\\*.*" in text
    assert "`abc123`" in text and f"vaekit {vaekit.__version__}" in text
    for name in estimator.get_params():
        assert f"| `{name}` | `" in text or name == "callbacks"


def test_features_are_named(tmp_path: Path) -> None:
    split = split_edges(Graph(KARATE, np.eye(34)[:, :5]))
    estimator = VGAE(**(QUICK | {"hidden": ()})).fit(split.train)
    summary = estimator.evaluate(split) | MANY | LABELS
    config = estimator._config() | {"data": DATA}
    write_graph_report(tmp_path, title="t", config=config, summary=summary, pictures=[])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "(3 latent units a node, no hidden layer, inner product decoder)" in text and "(5 features a node)" in text
    assert "of a spectral embedding of the same training edges, which sees no features." in text
    assert "The encoder saw the training edges and the nodes' features, never a label." in text
    assert "No epoch was completed." in text


@pytest.mark.parametrize("model", [GAE, VGAE])
def test_the_python_in_it_runs(model: Any, tmp_path: Path) -> None:
    options = {"objective": "elbo"} if model is VGAE else {}
    text, _ = report(tmp_path / "a 'run'", model(**QUICK, **options))
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["codes"].shape == (34, 3) and names["p"].shape == (1,) and names["links"].shape == (10, 2)
    assert (model is VGAE) == ("new" in names) == ("vaekit sample" in text)


@pytest.mark.parametrize(("auc", "positives", "negatives"), [(0.7, 40, 40), (0.9, 15, 60)])
def test_the_standard_error_of_an_auc_is_exact_for_exponential_scores(
    auc: float, positives: int, negatives: int
) -> None:
    rng, draws = np.random.default_rng(0), 4000
    up = rng.exponential(auc / (1 - auc), (draws, positives))  # P(up > down) = auc
    down = np.sort(rng.exponential(1.0, (draws, negatives)), axis=1)
    found = [np.searchsorted(d, u).mean() / negatives for d, u in zip(down, up, strict=True)]
    assert np.mean(found) == pytest.approx(auc, abs=5 * np.std(found) / math.sqrt(draws))
    se = auc_se(auc, positives, negatives)
    assert se == pytest.approx(np.std(found), rel=5 / math.sqrt(2 * draws))
    assert auc_se(1.0, 5, 5) is None and auc_se(0.0, 5, 5) is None
