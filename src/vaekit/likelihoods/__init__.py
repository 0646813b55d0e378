r"""Likelihoods: what the decoder puts out, read as a distribution p(x|z) over the data in their own units.

A likelihood maps raw parameters of shape (..., P, \*shape) to a distribution whose event is one row of the data. Every
density is normalised: a probability for whole numbers, a density per unit of the column for real numbers. What it must
know of the data (means, spreads, numbers of levels) it learns once from `ColumnStats`.
"""

from vaekit.likelihoods.autoregressive import Autoregressive
from vaekit.likelihoods.base import Likelihood, ValueLikelihood
from vaekit.likelihoods.binary import Bernoulli, BinomialCounts
from vaekit.likelihoods.counts import NegativeBinomialCounts, PoissonCounts
from vaekit.likelihoods.levels import CategoricalCodes, DiscretisedLogisticLevels, levels_up_to
from vaekit.likelihoods.mixture import LogisticMixture
from vaekit.likelihoods.real import Gaussian, HeteroscedasticGaussian, IsotropicGaussian
from vaekit.likelihoods.table import TableColumns, TableDistribution
from vaekit.schema import ColumnStats

__all__ = [
    "LIKELIHOODS",
    "Autoregressive",
    "Bernoulli",
    "BinomialCounts",
    "CategoricalCodes",
    "DiscretisedLogisticLevels",
    "Gaussian",
    "HeteroscedasticGaussian",
    "IsotropicGaussian",
    "Likelihood",
    "LogisticMixture",
    "NegativeBinomialCounts",
    "PoissonCounts",
    "TableColumns",
    "TableDistribution",
    "ValueLikelihood",
    "choose_likelihood",
    "levels_up_to",
]

LIKELIHOODS: dict[str, type[ValueLikelihood]] = {
    kind.name: kind
    for kind in (
        Bernoulli,
        BinomialCounts,
        Gaussian,
        IsotropicGaussian,
        HeteroscedasticGaussian,
        PoissonCounts,
        NegativeBinomialCounts,
        CategoricalCodes,
        DiscretisedLogisticLevels,
        LogisticMixture,
    )
}


def choose_likelihood(stats: ColumnStats, *, is_image: bool, dtype: str) -> tuple[str, str]:
    """Choose a likelihood from the data, and say why.

    The rules, in order: two values, 0 and another whole number: Bernoulli; uint8, or whole numbers below 65,536 shaped
    as images: discretised logistic with max + 1 levels, or 256 where max is from 128 to 255; other whole numbers from 0
    up: negative binomial; real numbers: Gaussian.

    Returns:
        The name, and one line with the reason.
    """
    whole = bool(stats.whole.all()) and float(stats.low.min()) >= 0
    high = float(stats.high.max())
    if whole and (high <= 1 or stats.two_valued):
        return "bernoulli", f"likelihood: Bernoulli, since every value is 0 or {max(high, 1):g}"
    if whole and (dtype == "uint8" or is_image) and high < 2**16:
        why = "the values are uint8" if dtype == "uint8" else "the rows are images of whole numbers"
        return "discretised_logistic", f"likelihood: discretised logistic with {levels_up_to(high)} levels, since {why}"
    if whole:
        return "negative_binomial", "likelihood: negative binomial, since the values are counts"
    hint = "; for images try 'isotropic', one scale for all pixels" if is_image else ""
    return "gaussian", f"likelihood: Gaussian with a learned scale per feature, since the values are real numbers{hint}"
