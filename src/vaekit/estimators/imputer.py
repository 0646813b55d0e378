"""`VAEImputer`: a VAE of tables as a step that fills missing cells."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from vaekit.data.frames import as_frame, finish
from vaekit.data.streams import as_lazy


class VAEImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fills missing cells in a scikit-learn pipeline; see `TabularVAE.as_imputer`.

    Args:
        estimator: a `TabularVAE`; it is not changed, `fit` fits a copy. One that is fitted already is taken as it is
            in a `sklearn.frozen.FrozenEstimator`.
        statistic, num_samples, random_state: of `TabularVAE.impute`.

    Attributes:
        estimator_: the fitted copy, or the frozen estimator.
        n_features_in_, feature_names_in_: those of `estimator_`; names only where the table had some.

    >>> import numpy as np
    >>> from vaekit import TabularVAE
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data.copy()
    >>> X[::7, 2] = np.nan
    >>> filled = TabularVAE(epochs=2, random_state=0, verbose=0).as_imputer().fit_transform(X)
    >>> bool(np.isnan(filled).any()), bool((filled[1] == X[1]).all())
    (False, True)
    """

    def __init__(
        self,
        estimator: Any,
        *,
        statistic: Literal["mean", "median"] = "mean",
        num_samples: int = 200,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.estimator = estimator
        self.statistic = statistic
        self.num_samples = num_samples
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a copy of the estimator to the table X.

        Args:
            X: as of `TabularVAE.fit`, with the same errors.
            y: ignored, and there for scikit-learn.
        """
        copied: Any = clone(self.estimator)
        self.estimator_ = copied.fit(X, y)
        self.n_features_in_ = self.estimator_.n_features_in_
        vars(self).pop("feature_names_in_", None)  # of an earlier fit
        if hasattr(self.estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.estimator_.feature_names_in_
        return self

    def transform(self, X: Any) -> Any:
        """The table with its missing cells filled, its columns in the order of the fit.

        Args:
            X: as of `TabularVAE.impute`, with the same errors.
        """
        check_is_fitted(self, "estimator_")
        return self.estimator_.impute(
            self._in_order(X), statistic=self.statistic, num_samples=self.num_samples, random_state=self.random_state
        )

    def _in_order(self, X: Any) -> Any:
        """A table with its columns in the order of `get_feature_names_out`, which scikit-learn takes it to have."""
        names = list(self.estimator_.schema_.columns)
        lazy = as_lazy(X)
        if lazy is not None:
            return lazy.select(names) if set(names) == set(lazy.collect_schema()) else lazy
        frame, container = as_frame(X)
        return finish(frame.select(names), container) if set(names) == set(frame.columns) else X
