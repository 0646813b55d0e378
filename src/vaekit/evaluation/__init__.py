"""Evaluation: what a trained model is worth."""

from vaekit.evaluation.annealing import Annealing, annealed_scores, bidirectional_scores, summarise_annealing
from vaekit.evaluation.disentanglement import (
    dci,
    disentanglement_scores,
    factor_vae_score,
    mig,
    mutual_information,
    sap,
)
from vaekit.evaluation.imputation import Conditional, cell_scores, conditionals
from vaekit.evaluation.likelihood import (
    RowScores,
    active_units,
    bits_per_dim,
    fit_independent,
    mean_and_se,
    score_density,
    score_independent,
    score_rows,
    summarise,
    summarise_density,
)
from vaekit.evaluation.links import link_scores, spectral_embedding, spectral_scores
from vaekit.evaluation.marginal import PosteriorSampling, marginal_likelihood
from vaekit.evaluation.representation import classification_scores, cluster_scores, unit_scores
from vaekit.evaluation.samples import (
    features_of,
    frechet_distance,
    kernel_distance,
    precision_recall,
    sample_quality,
    train_features,
)

__all__ = [
    "Annealing",
    "Conditional",
    "PosteriorSampling",
    "RowScores",
    "active_units",
    "annealed_scores",
    "bidirectional_scores",
    "bits_per_dim",
    "cell_scores",
    "classification_scores",
    "cluster_scores",
    "conditionals",
    "dci",
    "disentanglement_scores",
    "factor_vae_score",
    "features_of",
    "fit_independent",
    "frechet_distance",
    "kernel_distance",
    "link_scores",
    "marginal_likelihood",
    "mean_and_se",
    "mig",
    "mutual_information",
    "precision_recall",
    "sample_quality",
    "sap",
    "score_density",
    "score_independent",
    "score_rows",
    "spectral_embedding",
    "spectral_scores",
    "summarise",
    "summarise_annealing",
    "summarise_density",
    "train_features",
    "unit_scores",
]
