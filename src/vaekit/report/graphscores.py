"""What the report says of the scores of a graph's model."""

from __future__ import annotations

import math
from typing import Any

from vaekit.errors import count
from vaekit.report.markdown import bullets, plus_minus, table

FEW = 30  # edges, below which the standard error of their AUC is near 0.1
_HITS = ("hits@10", "hits@50", "hits@100")
_HEAD = ("score", "value", "what it says")


def auc_se(auc: float, positives: int, negatives: int) -> float | None:
    r"""Standard error of an AUC (Hanley and McNeil 1982), from the counts alone.

    .. math:: \mathrm{SE}^2 = \frac{A (1 - A) + (m - 1) (Q_1 - A^2) + (n - 1) (Q_2 - A^2)}{m n}, \qquad
              Q_1 = \frac{A}{2 - A}, \quad Q_2 = \frac{2 A^2}{1 + A}

    for m positives and n negatives: exact where both scores are exponentially distributed, near it for many others.

    Returns:
        The standard error; None for an A of 0 or 1, where the formula gives zero, which is no certainty.

    >>> round(auc_se(0.893, 51, 58), 3)
    0.033
    """
    if not 0 < auc < 1:
        return None
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (two - auc**2)
    return math.sqrt(spread / (positives * negatives))


def headline(config: dict[str, Any], summary: dict[str, Any]) -> str:
    """The scores of the test edges beside the baseline's, and what they are worth."""
    n, auc, ap = summary["n_scored_edges"], summary["auc"], summary["ap"]
    if auc is None:
        return (
            f"**There is no score of held-out edges**: of {count(summary['n_edges'], 'edge')} none could be set aside, "
            "so that all were trained on. How well the model predicts links cannot be said."
        )
    se = auc_se(auc, n, n)
    said = (
        f"**Held-out links: AUC {plus_minus(auc, se)}, AP {ap:.3f}** ({count(n, 'test edge')} against as many pairs "
        "without an edge; guessing gives 0.5 in both)"
    )
    base, base_ap = summary["spectral_auc"], summary["spectral_ap"]
    if base is None:
        said += "; the spectral baseline was not computed for a graph of this size."
    else:
        blind = ", which sees no features" if config["fitted"]["n_features_in"] else ""
        said += f" beside AUC {base:.3f}, AP {base_ap:.3f} of a spectral embedding of the same training edges{blind}."
    return f"{said}\n\n{' '.join(_worth(summary, se))}".rstrip()


def _worth(summary: dict[str, Any], se: float | None) -> list[str]:
    """What the score of the test edges is worth, in sentences."""
    n, auc, ap = summary["n_scored_edges"], summary["auc"], summary["ap"]
    base, base_ap = summary["spectral_auc"], summary["spectral_ap"]
    said = []
    if n < FEW:
        noise = f"**With {count(n, 'test edge')} the score is nearly noise**"
        if se is None:
            said.append(f"{noise}, even at an AUC of {auc:g}.")
        else:
            low, high = max(0.0, auc - 2 * se), min(1.0, auc + 2 * se)
            said.append(f"{noise}: by two standard errors the AUC may be anything from {low:.2f} to {high:.2f}.")
    if auc <= 0.5 or (se is not None and auc <= 0.5 + 2 * se):
        said.append("**The AUC is not above that of guessing by two standard errors.**")
    if base is None:
        return said
    if auc <= base and ap <= base_ap:
        said.append(
            "**The model is not better than the baseline, which needs no training**: these scores give no reason to "
            "use it for finding links. Train it longer, or change its size or its objective."
        )
    elif auc <= base or ap <= base_ap:
        better, worse = ("AP", "AUC") if auc <= base else ("AUC", "AP")
        said.append(f"**The model is better than the baseline by {better}, not by {worse}: a draw.**")
    else:
        error = math.hypot(se or 0.0, auc_se(base, n, n) or 0.0)
        lead = auc - base
        within = lead <= 2 * error
        said.append(
            f"The model leads the baseline by {lead:.3f} in AUC, {'within' if within else 'more than'} two standard "
            f"errors ({2 * error:.3f}, the two scores taken as independent)"
            + (": **it may be chance.**" if within else ".")
        )
    return said


def score_part(config: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """The table of scores, and how to read them."""
    rows, notes = [], []
    if summary["auc"] is not None:
        n = summary["n_scored_edges"]
        auc = plus_minus(summary["auc"], auc_se(summary["auc"], n, n))
        rows += [
            ("AUC", auc, "how often a test edge outranks a pair without an edge"),
            ("AP", f"{summary['ap']:.3f}", "average precision down the ranking of both"),
            ("MRR", f"{summary['mrr']:.3f}", f"mean of 1 / rank of a test edge among the {n:,} without an edge"),
        ]
        for name in _HITS:
            if summary.get(name) is not None:
                k = name.partition("@")[2]
                rows.append((f"Hits@{k}", f"{summary[name]:.3f}", f"share of the test edges of rank {k} or better"))
        if summary["spectral_auc"] is not None:
            how = "inner products of leading eigenvectors of the training graph's Laplacian (N / 20, at most 128)"
            rows.append(("AUC, spectral baseline", f"{summary['spectral_auc']:.3f}", how))
            rows.append(("AP, spectral baseline", f"{summary['spectral_ap']:.3f}", "the same"))
        notes += _link_notes(summary)
    bound_rows, bound_notes = _bound(config, summary["elbo"])
    rows += bound_rows
    parts = [table(_HEAD, rows)] if rows else []
    return ["## Scores", *parts, bullets([*notes, *bound_notes])]


def _link_notes(summary: dict[str, Any]) -> list[str]:
    n, left = summary["n_scored_edges"], [name.capitalize() for name in _HITS if summary.get(name) is None]
    ties = "Ties count half in the AUC and at mid-rank in MRR and Hits."
    if left:
        named = " and ".join(part for part in (", ".join(left[:-1]), left[-1]) if part)
        ties += f" {named} would need more than {count(n, 'pair')} without an edge."
    return [
        "± is the standard error of an AUC by the formula of Hanley and McNeil (1982), from the AUC and the number of "
        "pairs. It takes the pairs as independent and covers neither another start nor another split.",
        ties,
        "MRR and Hits fall as more pairs without an edge are drawn: they compare only with scores against as many. "
        "Among all pairs of the graph, of which few are edges, precision is far lower than AP.",
    ]


def _bound(config: dict[str, Any], elbo: float | None) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Rows and notes on the bound of the training graph, and on the probabilities."""
    n, edges = config["data"]["n_nodes"], config["data"]["n_train_edges"]
    is_reweighted = config["params"]["objective"] == "reweighted"
    weight = (n * n - 2 * edges) / (2 * edges)
    where = "far above" if weight > 2 else "above" if weight > 1 else "below"
    uncalibrated = (
        f'Training weighted each edge {weight:.3g} times (`objective="reweighted"`), so the probabilities rank pairs '
        f"but **are not calibrated**: they lie {where} the share of pairs that have an edge."
    )
    if elbo is None:
        none = "A deterministic graph auto-encoder has no bound on log p(A) and draws no graphs; `--model vgae` does."
        return [], [none, *([uncalibrated] if is_reweighted else [])]
    pairs = n * (n - 1) // 2
    alike = sum(part * math.log(part / pairs) for part in (edges, pairs - edges) if part)
    bits = -elbo / math.log(2) / edges
    rows = [
        ("ELBO", f"{elbo:,.1f} nats", "normalised bound on log p(A) of the training graph, over all pairs i < j"),
        ("the same, all pairs alike", f"{alike:,.1f} nats", f"every pair an edge with probability {edges / pairs:.3g}"),
        ("ELBO in bits", f"{bits:.1f} bits an edge", "length of a code for the training graph; lower is better"),
    ]
    notes = ["The ELBO is of the graph that was trained on, in nats a graph; it says nothing of held-out edges."]
    if config["data"]["epoch_chosen"]:
        notes[0] += " It had no say in which epoch was kept: AUC and AP of the validation edges chose."
    if is_reweighted:
        notes.append(
            f"{uncalibrated} Nor was the ELBO trained on, and it may lie below that of all pairs alike; `--set "
            "objective=elbo` trains on it."
        )
    elif config["params"].get("beta", 1) != 1:
        notes.append("Training weighted the KL otherwise than the bound does; the ELBO above does not.")
    if elbo <= alike and not is_reweighted:
        costly = (
            "**The ELBO is not above that of all pairs alike: what the codes tell of the edges is worth less than they "
            "cost.**"
        )
        if config["params"]["edge_bias"] is False:
            costly += " Without a bias the model cannot be as sparse as the data: leave edge_bias=false out."
        notes.append(costly)
    return rows, notes


def label_part(config: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """What the codes tell of the labels; nothing where there are none."""
    rows, blunt = [], []
    if summary["nmi"] is not None:
        rows += [
            (
                "NMI",
                f"{summary['nmi']:.3f}",
                "k-means, one cluster a class: information shared; chance gives more than 0",
            ),
            ("ARI", f"{summary['ari']:.3f}", "the same clusters: agreement on pairs of nodes, 0 is chance"),
        ]
    accuracy, se = summary["accuracy"], summary["accuracy_se"]
    if accuracy is not None:
        rows += [
            ("accuracy", plus_minus(accuracy, se), "logistic regression on the codes, 5-fold cross-validated"),
            ("accuracy, commonest class", f"{summary['majority']:.3f}", "naming one class for every node"),
        ]
        if accuracy <= summary["majority"] + 2 * (se or 0.0):
            blunt.append(
                "**The accuracy is not above that of naming the commonest class by two standard errors**: a linear "
                "classifier finds nothing of the labels in the codes."
            )
    if not rows:
        return []
    seen = "the training edges" + (" and the nodes' features" if config["fitted"]["n_features_in"] else "")
    intro = f"What the codes of the nodes tell of their labels, from 0 to 1. The encoder saw {seen}, never a label."
    return ["## Labels", intro, table(_HEAD, rows), *blunt]
