"""Evaluation: what a trained model is worth."""

from vaekit.evaluation.likelihood import (
    RowScores,
    active_units,
    bits_per_dim,
    fit_independent,
    mean_and_se,
    score_independent,
    score_rows,
    summarise,
)

__all__ = [
    "RowScores",
    "active_units",
    "bits_per_dim",
    "fit_independent",
    "mean_and_se",
    "score_independent",
    "score_rows",
    "summarise",
]
