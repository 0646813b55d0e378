"""What the estimators with a density of rows share: the choice of the likelihood, grey levels made binary, scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.rows import Binarize, Rows
from vaekit.errors import DataError, warn
from vaekit.estimators.base import RowEstimator
from vaekit.estimators.inputs import like_input
from vaekit.estimators.options import check_draws
from vaekit.evaluation.likelihood import fit_independent, independent_features
from vaekit.likelihoods import LIKELIHOODS, Likelihood, choose_likelihood, levels_up_to
from vaekit.nn import GreyLevels
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ColumnStats

_DRAWS = 1024  # rows drawn at a time


class DensityEstimator(RowEstimator):
    """Base of the estimators with a density p(x) of rows, of real numbers, counts, levels or binary values."""

    likelihood: str
    binarize: Binarize

    @property
    def _autoregressive(self) -> bool:
        """Whether pixels are read one after the other, which not every likelihood can do."""
        return False

    def _configure(self, stats: ColumnStats) -> None:
        name = self.likelihood
        if name == "auto":
            name, why = choose_likelihood(stats, is_image=self.schema_.is_image, dtype=self.schema_.dtype)
            if name == "discretised_logistic" and self._autoregressive:
                name, why = "logistic_mixture", why.replace("discretised logistic", "mixture of discretised logistics")
            self._say(why)
        kind = LIKELIHOODS[name]
        grey_max = None
        low, high = float(stats.low.min()), float(stats.high.max())
        if name == "bernoulli" and low >= 0 and not (bool(stats.whole.all()) and high <= 1):
            if high > 1 and not bool(stats.whole.all()):
                raise DataError(
                    "likelihood='bernoulli' holds for 0 and 1, whole grey levels, or numbers from 0 to 1, but X holds "
                    f"real numbers up to {high:g}; choose another likelihood, or scale the columns to 1."
                )
            grey_max = 1.0 if high <= 1 else high if stats.two_valued else levels_up_to(high) - 1.0
            how = {"dynamic": "drawn anew at each visit", "static": "drawn once", "threshold": "cut at half"}
            if not stats.two_valued:
                self._say(f"binarize: grey-scale values from 0 to {grey_max:g} are made binary, {how[self.binarize]}")
        settings = {} if grey_max else kind.settings_from(stats)
        if grey_max is None:
            kind.from_stats(stats).check(stats, self.schema_.columns)
        two_valued = grey_max is not None and stats.two_valued
        self.fitted_ |= {"likelihood": name, "settings": settings, "grey_max": grey_max, "two_valued": two_valued}

    def _base_likelihood(self, stats: ColumnStats) -> Likelihood:
        """The likelihood of a value, calibrated, and beside it that of independent features."""
        likelihood = LIKELIHOODS[self.likelihood_](self.schema_.shape, **self.fitted_["settings"])
        likelihood.calibrate(stats)
        self.independent_ = independent_features(likelihood, stats)
        return likelihood

    @property
    def likelihood_(self) -> str:
        """Name of the likelihood in use."""
        check_is_fitted(self, "fitted_")
        return self.fitted_["likelihood"]

    @property
    def _grey(self) -> nn.Module:
        """From rows as they are given to what is encoded of them: of grey levels the means of their binary values."""
        grey_max = self.fitted_.get("grey_max")
        return nn.Identity() if grey_max is None else GreyLevels(grey_max, cut=self._params["binarize"] == "threshold")

    def _prepare(self, rows: Rows, *, training: bool) -> Rows:
        grey_max = self.fitted_["grey_max"]
        if grey_max is None:
            return rows
        grey = Rows(rows.sparse if rows.sparse is not None else rows.dense, rows.shape, grey_max=grey_max)
        how = self._params["binarize"]
        return grey if training and how == "dynamic" else grey.fixed(how)

    def _check_values(self, rows: Rows) -> None:
        stats = rows.stats()
        grey_max = self.fitted_["grey_max"]
        if grey_max is not None:
            low, high = float(stats.low.min()), float(stats.high.max())
            if low < 0 or high > grey_max:
                raise DataError(
                    f"X holds values from {low:g} to {high:g}, but the grey levels at fit went from 0 to {grey_max:g}."
                )
            if grey_max > 1 and self.fitted_["two_valued"] and stats.two_valued and high != grey_max:
                raise DataError(f"X holds 0 and {high:g} alone, but at fit 0 and {grey_max:g}: scale it as then.")
            if grey_max > 1 >= high and not bool(stats.whole.all()):
                warn(
                    f"X holds fractions up to {high:g}, but grey levels at fit were whole numbers up to {grey_max:g}: "
                    "scale it as then."
                )
            return
        self.model_.likelihood.check(stats, self.schema_.columns)

    def _finish(self, rows: Rows) -> None:
        self.independent_ = fit_independent(self.model_.likelihood, rows.fixed(self._params["binarize"]))

    # -- using -----------------------------------------------------------------------------------------------------

    @property
    def _draws_values(self) -> bool:
        """Whether a sample is a draw from p(x), not the probabilities of a picture that was made binary."""
        return self.fitted_["grey_max"] is None or self.fitted_["two_valued"] or self._autoregressive

    @torch.no_grad()
    def _sample(self, n: int, random_state: int | np.random.RandomState | None, draw: Any) -> Any:
        check_is_fitted(self, "model_")
        check_draws("n", n, random_state)
        with isolated_rng(resolve_seed(random_state)):
            parts = [draw(min(_DRAWS, n - start)).cpu() for start in range(0, n, _DRAWS)]
        return self._as_data(torch.cat(parts))

    def _as_data(self, x: Tensor) -> Any:
        """Rows as the model takes them, in a container and in units like those of the data."""
        return like_input((x * (self.fitted_["grey_max"] or 1)).numpy(), self.schema_, as_data=True)
