"""`TabularVAE`: tables with mixed columns and missing cells."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.coding import code_given, make_table, point_values, score_table, values_of
from vaekit.data.columns import infer_schema
from vaekit.data.filling import fill_table, filling, with_own
from vaekit.data.frames import as_frame, finish
from vaekit.data.rows import Rows
from vaekit.data.streams import TableRows, as_lazy, infer_lazy, lazily, typed
from vaekit.errors import OptionError, check_choice
from vaekit.estimators.bound import BoundEstimator
from vaekit.estimators.imputer import VAEImputer
from vaekit.estimators.inputs import read_table
from vaekit.estimators.options import check_draws
from vaekit.evaluation.anomalies import anomaly_scores, reference_numbers
from vaekit.evaluation.imputation import DRAWS, cell_scores, draws_given, fill_rows
from vaekit.evaluation.likelihood import fit_independent, independent_features
from vaekit.models import LatentVariableModel
from vaekit.models.base import Terms
from vaekit.models.building import Architecture
from vaekit.models.tabular import build_tabular, hide_cells
from vaekit.priors import Prior
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ColumnStats, TableSchema
from vaekit.training.loop import TrainingSettings


class TabularVAE(BoundEstimator):
    r"""Variational autoencoder of a table: numbers, counts, yes or no, categories and times, with holes.

    The kind of each column is told from its values, or given by `schema`, and decides its likelihood (see
    `vaekit.likelihoods.table.TableColumns`); log-densities are in the columns' own units. Missing cells are
    unobserved: the encoder sees a mask, and the bound counts observed cells x_o only (Mattei and Frellsen 2019):

    .. math:: \log p(x_o) \ge E \log \frac1K \sum_k \frac{p(x_o|z_k) p(z_k)}{q(z_k|x_o)}, \qquad z_k \sim q(z|x_o)

    Tables larger than memory are given as a polars LazyFrame or as the path of a .parquet or .csv file.

    This is sound where cells are missing at random, that is where what is missing depends on observed cells alone.

    Args:
        latent_dim: number L of latent units.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse. Both have a linear map beside
            them. () makes both linear.
        schema: kinds of columns that the rules would tell otherwise: a dict from names to "real", "positive", "count",
            "binary", "ordinal", "categorical", "datetime", "constant", "text" or "identifier" (the last two are set
            aside), or to the list of the levels of an ordinal column in order.
        activation: "silu", "relu", "tanh", "gelu", "elu", "leaky_relu", "sigmoid" or "softplus".
        mixture: normal distributions in the likelihood of a number.
        prior: "normal", N(0, I), "mixture" of Gaussians, "flow" (extra `flows`), or a `vaekit.priors.Prior`.
        components: of prior="mixture".
        objective: "iwae", the bound above with K = `samples` (MIWAE); "dreg", the same with gradients of less variance
            (Tucker et al. 2019); "elbo", its K = 1 with the KL in closed form; "stl" or "tc", as of `VAE`.
        kl, samples, beta, kl_warmup, free_bits: as of `VAE`.
        hide: in training the encoder sees each row without a share of its observed cells, drawn from 0 to `hide`, anew
            at each visit; all observed cells are still explained. Any q gives a bound, so this is one too.
        epochs: as of `VAE`.
        batch_size: rows a step; None takes a twenty-fifth of the rows, but 16 at least and 1,024 at most.
        learning_rate, schedule, optimizer, epsilon, weight_decay, clip_norm, average: as of `VAE`.
        validation_fraction: as of `VAE`, but None, as of a small table a part is too few rows to tell when to stop.
        validation_samples, validation_every, patience, warm_start, device, callbacks, random_state, verbose: the same.

    Attributes:
        schema_: the columns: `schema_.all_columns` says of each what it is and what was learned of it.
        model_: the trained `vaekit.models.VAE`.
        history_, n_iter_, best_epoch_: as of `VAE`.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"height": [1.6, 1.8, None, 1.7] * 10, "sex": ["f", "m", "m", None] * 10})
    >>> vae = TabularVAE(latent_dim=2, hidden=(8,), epochs=3, random_state=0, verbose=0).fit(table)
    >>> filled = vae.impute(table)
    >>> int(filled.isna().sum().sum()), list(vae.sample(2, random_state=0).columns)
    (0, ['height', 'sex'])
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden: Sequence[int] = (128, 128),
        *,
        schema: Mapping[str, str | Sequence[Any]] | None = None,
        activation: str = "silu",
        mixture: int = 2,
        prior: str | Prior = "normal",
        components: int = 100,
        objective: Literal["elbo", "iwae", "dreg", "stl", "tc"] = "dreg",
        kl: Literal["auto", "analytic", "monte_carlo"] = "auto",
        samples: int = 10,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        free_bits: float = 0.0,
        hide: float = 0.2,
        epochs: int = 100,
        batch_size: int | None = None,
        learning_rate: float = 3e-3,
        schedule: str = "cosine",
        optimizer: str = "adam",
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        average: float | None = 0.99,
        validation_fraction: float | None = None,
        validation_samples: int | None = None,
        validation_every: int = 1,
        patience: int | None = 40,
        warm_start: bool = False,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.schema = schema
        self.activation = activation
        self.mixture = mixture
        self.prior = prior
        self.components = components
        self.objective = objective
        self.kl = kl
        self.samples = samples
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.hide = hide
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.average = average
        self.validation_fraction = validation_fraction
        self.validation_samples = validation_samples
        self.validation_every = validation_every
        self.patience = patience
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    _schema_type = TableSchema
    schema_: TableSchema
    reference_: Tensor | None

    # -- fitting ---------------------------------------------------------------------------------------------------

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def _take_in(self, X: Any, *, reset: bool) -> tuple[Rows, Any]:
        lazy = as_lazy(X)
        schema = None if reset else self.schema_
        if schema is None:
            asked = self.schema
            schema, notes = infer_schema(*as_frame(X), asked) if lazy is None else infer_lazy(lazy, asked)
            for note in notes:
                self._say(note)
            self.n_features_in_ = len(schema.columns)
            self._set_feature_names(schema)
        return read_table(self, X if lazy is None else lazy, schema), schema

    def _settings(self) -> TrainingSettings:
        return dataclasses.replace(super()._settings(), batch_size=self.fitted_["batch_size"])

    def _build(self, stats: ColumnStats, rows: Rows | None) -> LatentVariableModel:
        how = Architecture(
            latent_dim=self.latent_dim,
            hidden=self.hidden,
            activation=self.activation,
            prior=copy.deepcopy(self.prior),
            components=self.components,
        )
        model = build_tabular(self.schema_.modelled, how, self.mixture)
        self.independent_, self.reference_ = independent_features(model.likelihood, stats), None
        return model

    def _terms(self, model: LatentVariableModel, x: Tensor, num_samples: int | None) -> Terms:
        return model.terms(x, num_samples, posterior=model.posterior(hide_cells(x, self.hide)))

    def _value(self, model: LatentVariableModel, n: int) -> Callable[[Tensor, float], Tensor]:
        self.fitted_["batch_size"] = int(self.batch_size or 0) or min(1024, max(16, n // 25))
        return super()._value(model, n)

    def _finish(self, rows: Rows) -> None:
        self.independent_ = fit_independent(self.model_.likelihood, rows, most_rows=10_000)
        self.reference_ = reference_numbers(self.model_, self.independent_, rows)

    def _tensors(self) -> dict[str, Tensor]:
        return super()._tensors() | ({} if self.reference_ is None else {"reference": self.reference_})

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        super()._load_tensors(tensors)
        self.reference_ = tensors.get("reference")  # none in older folders

    # -- using -----------------------------------------------------------------------------------------------------

    @property
    def encoder_(self) -> nn.Module:
        """Not there: the encoder reads coded cells, not raw rows."""
        raise AttributeError("A TabularVAE has no encoder_, as a module takes no tables: build on its `transform`.")

    def _decode(self, z: Tensor) -> Tensor:
        return self.model_.decode(z).points()

    def inverse_transform(self, Z: Any) -> Any:
        """As of `VAE`, a table: of each cell the mean of p(x|z), or its mode where it is binary or categorical."""
        parts = self._cut(self._means(Z))
        values = [point_values(part, column) for part, column in zip(parts, self.schema_.modelled, strict=True)]
        return finish(make_table(self.schema_, len(parts[0]), values), self.schema_.container)

    def _rebuilt(self, X: Any, codes: np.ndarray) -> Any:
        """Rows decoded, with their own values in the columns that are set aside."""
        return finish(with_own(X, super()._rebuilt(X, codes), self.schema_), self.schema_.container)

    def _cut(self, points: np.ndarray) -> list[np.ndarray]:
        """The points of each modelled column: (n,) means, or (n, C) probabilities."""
        return self.model_.likelihood.cut_points(points)

    def impute(
        self,
        X: Any,
        draws: int | None = None,
        *,
        statistic: Literal["mean", "median"] = "mean",
        num_samples: int = 200,
        random_state: int | np.random.RandomState | None = 0,
    ) -> Any:
        r"""Fill the missing cells of a table, given the observed ones of their row.

        By self-normalised importance sampling with codes z_k ~ q(z|x_o) (Mattei and Frellsen 2019, section 3.3):

        .. math:: E[x_m|x_o] \approx \sum_k \bar w_k E[x_m|z_k], \qquad \bar w_k \propto p(x_o|z_k) p(z_k) / q(z_k|x_o)

        Args:
            X: a table with the columns of the fit; of a polars LazyFrame, or the path of a .parquet or .csv file, the
                result is a LazyFrame that imputes when it is read, a batch at a time.
            draws: None gives one table, with the conditional mean of numbers, times and ordinal cells within their
                column's range at fit, and the likeliest level of others. A number m gives a list of m tables for
                Rubin's rules, all missing cells of a row drawn together from p(x_m|x_o), variances of numbers, times
                and ordinal cells by up to 1 + 2 min(L, D) / n_d larger, as n_d observed cells make them too small.
            statistic: "mean" or "median" of numbers, times and ordinal cells. A column whose type holds whole numbers
                only gets the nearest one; an ordinal column whose levels are no numbers the nearest level.
            num_samples: K.
            random_state: of the codes, and of draws.

        Returns:
            A new table of the same kind, with the same columns in the same order and of the same types. A constant
            column gets its value; columns that are set aside, or held no value at fit, are as they were.

        Raises:
            DataError: columns are missing or too many, or of another type than at fit, or hold infinity.
            OptionError: an argument cannot be used; `draws` cannot with a LazyFrame, nor with a `statistic`.
        """
        check_draws("num_samples", num_samples, random_state)
        check_choice("statistic", statistic, ["mean", "median"])
        if draws is not None:
            check_draws("draws", draws)
            if statistic != "mean":
                raise OptionError("statistic= has no use beside draws=, which fills in draws: leave one of them out.")
        lazy, seed = as_lazy(X), resolve_seed(random_state)
        if lazy is not None:
            check_is_fitted(self, "model_")
            if draws is not None:
                raise OptionError("draws= needs a table in memory; of a LazyFrame the means and modes are imputed.")
            how: dict[str, Any] = {"statistic": statistic, "num_samples": num_samples, "random_state": seed}
            return lazily(typed(lazy, self.schema_), lambda batch: self.impute(batch, **how))
        coded = self._read(X).raw(slice(None))
        frame, container = as_frame(X)
        missing = torch.isnan(coded)
        holed = missing.any(1).nonzero()[:, 0]
        found: list[Tensor | None] = [None] * (draws or 1)
        if len(holed):
            found = [*fill_rows(self.model_, TableRows(coded[holed]), draws, statistic, num_samples, seed)]
        tables = []
        for values in found:
            filled = {}
            if values is not None:
                cells = self._cut(values.numpy()) if draws is None else list(values.numpy().T)
                where = (holed.numpy(), missing[holed].numpy())
                filled = filling(self.schema_.modelled, cells, *where, drawn=draws is not None)
            tables.append(finish(fill_table(frame, self.schema_, filled), container))
        return tables[0] if draws is None else tables

    def as_imputer(self, **options: Any) -> VAEImputer:
        """A scikit-learn transformer whose `fit` fits a copy of this estimator and whose `transform` is `impute`.

        Args:
            options: `statistic`, `num_samples` and `random_state` of `impute`.
        """
        return VAEImputer(self, **options)

    def sample(
        self,
        n: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        given: Mapping[str, Any] | None = None,
        prior: Literal["model", "fitted"] = "model",
    ) -> Any:
        """Draw n rows: a table like that of the fit.

        Identifiers of whole numbers count from 0, other columns that are set aside are missing.

        Args:
            n: number of rows.
            random_state: of the draws.
            given: values of some columns, which every row gets; the others are drawn given them, by importance
                resampling of codes from q(z|given).
            prior: "model"; "fitted" takes the codes from the mixture of `fit_prior` instead.

        Raises:
            OptionError: `given` names a column that is not there, or comes with prior="fitted".
            DataError: a value of `given` was not there at fit, or is none of its column.
        """
        check_is_fitted(self, "model_")
        check_draws("n", n, random_state)
        check_choice("prior", prior, ["model", "fitted"])
        if given is not None and prior == "fitted":
            raise OptionError("given= needs the model's own prior: prior='model'.")
        model, device, seed = self.model_, next(self.model_.parameters()).device, resolve_seed(random_state)
        with isolated_rng(seed), torch.no_grad():
            if given is not None:
                codes = draws_given(model, torch.from_numpy(code_given(given, self.schema_)), n, seed)
            else:
                parts = []
                for start in range(0, n, DRAWS):
                    count = min(DRAWS, n - start)
                    if prior == "fitted":
                        x = model.decode(self._fitted_codes(count).to(device)).sample()
                    else:
                        x, _ = model.dream(count)
                    parts.append(x.cpu())
                codes = torch.cat(parts)
        values = [values_of(part, column) for part, column in zip(codes.numpy().T, self.schema_.modelled, strict=True)]
        return finish(make_table(self.schema_, n, values, given), self.schema_.container)

    def cell_scores(self, X: Any, num_samples: int = 100) -> Any:
        r"""log p(x_d | x_{-d}) of each cell given the other observed cells of its row, in nats.

        Low values stand out: a cell that the rest of its row makes unlikely. Numbers have densities per unit of their
        column, so compare cells of one column with each other, or a column's cells with their median. Each column is
        left out in turn and scored by `num_samples` codes of the rest, so the work grows with the square of the number
        of columns.

        Args:
            X: a table in memory with the columns of the fit.
            num_samples: K.

        Returns:
            A table of the same kind with a number for each cell, NaN where it is missing or its column is no part of
            the model.
        """
        check_draws("num_samples", num_samples)
        if as_lazy(X) is not None:
            raise OptionError("cell_scores needs a table in memory: collect the LazyFrame, or some rows of it.")
        rows = self._read(X)
        scores = cell_scores(self.model_, rows, num_samples).double().numpy()
        frame, container = as_frame(X)
        return finish(score_table(frame, self.schema_, scores), container)

    def anomaly_scores(self, X: Any) -> np.ndarray:
        r"""How odd each row is: how its cells go together, how rare and how far out they are; higher is odder.

        .. math:: \sqrt{\tfrac13 (\log^2 p_{\text{together}} + \log^2 p_{\text{rare}} + \log^2 p_{\text{far}})}

        with p the share of training rows that are at least as odd: in how rarely cells are so unlikely given their row,
        in how rare they are by themselves, and in how far from the median. See `vaekit.evaluation.anomalies`.

        Args:
            X: a table with the columns of the fit.

        Returns:
            (n,) float32, NaN where no cell is observed.
        """
        rows = self._read(X)
        return anomaly_scores(self.model_, self.independent_, self.reference_, rows).numpy()
