"""The report on a model of vectors or images."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaekit.errors import count
from vaekit.likelihoods import LIKELIHOODS
from vaekit.report.frame import source_line, training_part, write_parts
from vaekit.report.markdown import bullets, line, plus_minus, table
from vaekit.runs import read_metrics

_MODELS = {
    "VAE": "variational autoencoder",
    "Autoencoder": "deterministic autoencoder",
    "ConditionalVAE": "conditional variational autoencoder",
    "PixelCNN": "PixelCNN, a density without a latent code",
}


def write_report(
    folder: str | Path,
    *,
    title: str,
    config: dict[str, Any],
    summary: dict[str, Any],
    pictures: Sequence[tuple[str, str]],
) -> None:
    """Write report.md, whole, into a RUN.

    Args:
        folder: the RUN; its metrics.jsonl is read for the facts of training.
        title: of the report.
        config: the RUN's, with what is known of the data under "data".
        summary: what `evaluate` of the estimator gave on the test rows.
        pictures: file name under plots/ and caption of each, in order.

    Raises:
        WriteError: the folder is missing or cannot be written.
    """
    scores = _error_part(summary) if summary.get("log_likelihood") is None else _scores(config, summary)
    write_parts(
        folder,
        title=title,
        config=config,
        scores=[_opening(config, summary), *scores],
        pictures=pictures,
        training=row_training_part(folder, config),
        data=data_part(config),
        use=_use(folder, config),
    )


def row_training_part(folder: str | Path, config: dict[str, Any]) -> str:
    """How long training on rows took and which weights were kept."""
    return training_part(
        config,
        read_metrics(folder),
        held="held-out objective",
        chosen="The held-out rows here are a part of the training rows; the test rows had no say.",
        unchosen="Every row was trained on, so the last epoch was kept.",
    )


def _opening(config: dict[str, Any], summary: dict[str, Any]) -> str:
    data, params, fitted = config["data"], config["params"], config.get("fitted") or {}
    shape = fitted.get("schema", {}).get("shape")
    what = f" of {_shape(shape)}" if shape else ""
    likelihood = f", {fitted['likelihood'].replace('_', ' ')} likelihood" if "likelihood" in fitted else ""
    return (
        f"A {_MODELS.get(config['model'], config['model'])} ({networks(params)}{likelihood}) of "
        f"{line(data['source'])}: trained on {_rows(data['n_train'])}{what}, scored on "
        f"{_rows(summary['n'])} that neither training nor the choice of the weights has seen."
    )


def networks(params: dict[str, Any]) -> str:
    """What a model is made of, in words."""
    if "latent_dim" not in params:
        return f"{count(params['layers'], 'gated layer')} of {params['channels']} channels"
    units, hidden = count(params["latent_dim"], "latent unit"), params.get("hidden") or ()
    if params.get("encoder") or params.get("decoder"):
        layers = "own networks"
    elif params.get("network") == "conv":
        layers = f"convolutions of {', '.join(map(str, params['channels']))} channels"
    elif params.get("network") == "ladder":
        units = f"{count(params['stochastic_layers'], 'layer')} of {params['latent_dim']} latent maps"
        layers = f"convolutions of {', '.join(map(str, params['channels']))} channels"
    else:
        layers = (
            f"{count(len(hidden), 'hidden layer')} of {', '.join(map(str, hidden))}" if hidden else "linear networks"
        )
    if params.get("masked_layers"):
        layers += f", {count(params['masked_layers'], 'masked layer')} of {params['masked_channels']} channels"
    prior = params.get("prior", "normal")
    if prior != "normal":
        layers += f", {prior if isinstance(prior, str) else 'own'} prior"
    return f"{units}, {layers}"


def _scores(config: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    if LIKELIHOODS[config["fitted"]["likelihood"]].discrete:
        return likelihood_part(config, summary, "probability", None)
    units = (
        "The values are continuous, so p(x) is a density per unit of each column: log p(x) changes with the units "
        "(and may be positive), the gain does not. Bits per dimension have no meaning here."
    )
    return likelihood_part(config, summary, "probability density", units)


def likelihood_part(
    config: dict[str, Any], summary: dict[str, Any], density: str, units: str | None, what: str = "feature"
) -> list[str]:
    """The scores of a model with a likelihood, and how to read them.

    Args:
        config: the RUN's.
        summary: what `evaluate` of the estimator gave.
        density: "probability" or "probability density".
        units: what is to be said of the units of densities, or None.
        what: "feature" or "column".
    """
    exact = summary["samples"] is None
    how = "exact" if exact else f"importance-weighted bound, {count(summary['samples'], 'sample')}"
    gain, se = summary["gain_over_independent"], summary.get("gain_over_independent_se")
    headline = (
        f"**Held-out log p(x) = {_scored(summary, 'log_likelihood')} nats a row** ({how}, {_rows(summary['n'])}) "
        f"against {_scored(summary, 'independent')} for independent {what}s under the same likelihood: "
        f"**a gain of {_scored(summary, 'gain_over_independent')} nats a row**."
    )
    if se is None:
        worth = "One row has no standard error: whether the gain is more than chance cannot be said."
    elif gain <= 2 * se:
        worth = (
            "**The gain is not positive by two standard errors: there is no evidence that this model knows more of the "
            "data than each column's own distribution.** Train it longer, or change its size or likelihood."
        )
    else:
        worth = (
            f"The gain is what the model knows of how the {what}s hang together: a held-out row typically gets "
            f"e^{gain:.{1 if gain < 100 else 0}f} times the {density} it has when each {what} is guessed on its own."
        )
    rows = [
        (
            "log p(x), exact" if exact else "log p(x), importance-weighted bound",
            _scored(summary, "log_likelihood"),
            f"log-{density} of a row in nats; higher is better",
        ),
        (f"the same, independent {what}s", _scored(summary, "independent"), "the trivial model: no latent units"),
        (f"gain over independent {what}s", _scored(summary, "gain_over_independent"), "the difference, row by row"),
    ]
    if not exact:
        params = config["params"]
        plain = params.get("objective") == "elbo" and params.get("beta", 1) == 1 and not params.get("free_bits")
        raised = "what training raises: " if plain else ""
        many = params.get("objective") in ("iwae", "dreg", "stl") and params["samples"] > 1
        other = f"; training raised that of {params['samples']} samples, which may leave this far below" if many else ""
        rows += [
            ("ELBO", _scored(summary, "elbo"), f"{raised}reconstruction minus KL; a looser bound{other}"),
            (
                "reconstruction",
                _scored(summary, "reconstruction"),
                "E log p(x\\|z): how well a row's code gives it back",
            ),
            ("KL", _scored(summary, "kl"), "what the code tells of a row, in nats: the price of the code"),
            (
                "active units",
                f"{summary['active_units']} of {summary['latent_units']}",
                "units whose posterior mean varies over the rows (variance above 0.01); the rest are unused",
            ),
        ]
    if summary.get("bits_per_dim") is not None:
        shape = config["fitted"]["schema"]["shape"]
        scale = math.prod(shape) * math.log(2)
        error = summary.get("log_likelihood_se")
        bits = plus_minus(summary["bits_per_dim"], None if error is None else error / scale)
        rows.append(("bits per dimension", bits, "-log p(x) in bits per value: the length of a lossless code"))
    intro = f"Means over the {count(summary['n'], 'test row')}, in nats where no other unit is named."
    return [
        headline,
        worth,
        "## Scores",
        intro,
        table(("score", "value", "what it says"), rows),
        _bounds(config, exact, units, what),
    ]


def _bounds(config: dict[str, Any], exact: bool, units: str | None, what: str) -> str:
    fitted, params = config["fitted"], config["params"]
    lines = [
        "± is the standard error of the mean over the rows; it does not cover another start or another split.",
    ]
    if exact:
        lines.append("The model's density is tractable: log p(x) is exact, and so is that of independent features.")
    else:
        closed = params.get("prior", "normal") in ("normal", "conditional") and params.get("network") != "ladder"
        kl = "KL is in closed form; reconstruction is an average" if closed else "KL and reconstruction are averages"
        lines.append(
            "ELBO ≤ importance-weighted bound ≤ log p(x), in expectation: the true log p(x) is at least what stands "
            "here, and more samples (`vaekit evaluate RUN --samples 5000`) come closer. The value for independent "
            f"{what}s is exact, so the gain too is a lower bound. {kl} over samples."
        )
    if units is not None:
        lines.append(units)
    if fitted.get("grey_max") is not None:
        how = {"dynamic": "drawn anew at each visit", "static": "drawn once", "threshold": "cut at half the largest"}
        test = "cut the same way" if params["binarize"] == "threshold" else "one fixed draw of each row"
        lines.append(
            f"Grey levels from 0 to {fitted['grey_max']:g} were made binary for training, {how[params['binarize']]} "
            f'(`binarize="{params["binarize"]}"`); the scores are of binary test rows, {test}, and compare only with '
            "scores of rows made binary in that way."
        )
    if config["model"] == "ConditionalVAE":
        lines.append(
            "Every row is scored given its label: read p(x) as p(x\\|y). The independent features know no labels, so "
            "the gain counts what the labels tell too."
        )
    if params.get("beta", 1) != 1 or params.get("free_bits"):
        lines.append("Training weighted the KL otherwise than the bound does; the scores above do not.")
    return bullets(lines)


def _error_part(summary: dict[str, Any]) -> list[str]:
    error, se, trivial = (summary[f"mean_squared_error{end}"] for end in ("", "_se", "_of_mean"))
    share = f" ({1 - error / trivial:.1%} less)" if 0 < error < trivial else ""
    headline = (
        f"**Held-out mean squared error = {plus_minus(error, se)}** ({_rows(summary['n'])}) against {trivial:.4g} for "
        f"predicting the training mean{share}."
    )
    lines = [
        "The error is per value, in the data's units squared; lower is better. ± is the standard error over the rows.",
        "A deterministic autoencoder has **no likelihood**: it cannot tell how probable a row is, nor draw new ones. "
        "`--model vae` fits a model that can.",
        f"Active units: {summary['active_units']} of {summary['latent_units']} (those whose code varies over the rows, "
        "variance above 0.01).",
    ]
    if error + 2 * (se or 0) >= trivial:
        lines.insert(
            0,
            "**The error is not below that of the mean by two standard errors: the code says nothing of use.** Train "
            "it longer, or change its size.",
        )
    return [headline, bullets(lines)]


def data_part(config: dict[str, Any]) -> str:
    """Where the data came from and how they were split."""
    data, fraction = config["data"], config["params"].get("validation_fraction")
    seed = data.get("split_seed")
    split = f"{_rows(data['n_train'])} for training and {data['n_test']:,} for the test ({data['test']}"
    split += ")." if seed is None else f", drawn with seed {seed})."
    if fraction is not None:
        start = (config.get("fitted") or {}).get("seed")
        split += f" Of the training rows, {fraction:.0%} were held out to choose the epoch"
        split += "." if start is None else f" (seed {start})."
    return bullets([source_line(data), split, f"Fingerprint of the values: `{data['fingerprint']}`."])


def _use(folder: str | Path, config: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Lines of Python and of the shell."""
    run, source, params = str(folder), shlex.quote(str(config["data"]["source"])), config["params"]
    sparse = (config.get("fitted") or {}).get("schema", {}).get("container") == "sparse"
    draws, codes, end = (
        config["model"] != "Autoencoder",
        config["model"] != "PixelCNN",
        ".csv" if config["data"]["kind"] == "table" else ".npz" if sparse else ".npy",
    )
    own = "".join(f", {part}={part}" for part in ("encoder", "decoder", "prior") if isinstance(params.get(part), dict))
    python = [
        "import vaekit",
        "",
        f"model = vaekit.load({run!r}{own})",
    ]
    conditional = config["model"] == "ConditionalVAE"
    label = config["fitted"]["condition"]["classes"][0] if conditional else None
    rows, given = ("X, y", f", y={label!r}") if conditional else ("X", "")
    if codes:
        python.append(f"{f'codes = model.transform({rows})':37s} # latent codes, one row each")
        python.append(f"{f'rebuilt = model.reconstruct({rows})':37s} # each row, encoded and decoded")
    if draws:
        python.append(f"{f'new = model.sample(10{given})':37s} # rows drawn from the model")
        python.append(f"{f'log_px = model.score_samples({rows})':37s} # log p(x) in nats: low where a row is unusual")
    names: Any = config["data"].get("label_names") or []
    named = names[label] if label in range(len(names)) else label
    quoted, option = shlex.quote(run), f" --label {shlex.quote(str(named))}" if conditional else ""
    shell = [
        f"vaekit evaluate {quoted}{' --samples 5000' if draws and codes else ''}",
    ]
    if codes:
        shell += [
            f"vaekit encode {quoted} {source} -o codes.csv",
            f"vaekit reconstruct {quoted} {source} -o rebuilt{end}",
        ]
    if draws:
        shell += [
            f"vaekit sample {quoted} -n 100{option} -o samples{end}",
            f"vaekit score {quoted} {source} -o scores.csv",
        ]
    return python, shell


def _scored(summary: dict[str, Any], name: str) -> str:
    return plus_minus(summary[name], summary.get(f"{name}_se"))


def _rows(n: int) -> str:
    return count(n, "row")


def _shape(shape: Sequence[int]) -> str:
    if len(shape) == 1:
        return count(shape[0], "column")
    return f"{' × '.join(str(length) for length in shape)} values"
