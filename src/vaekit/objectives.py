r"""Objectives: functions of `Terms` that give one value per example, in nats; training maximises their mean.

With default arguments each is a lower bound on log p(x) in expectation, where its text does not say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaekit.distributions import DiagonalNormal
from vaekit.errors import OptionError
from vaekit.models.base import Terms
from vaekit.models.semisupervised import LabelTerms
from vaekit.models.weights import VariationalWeights
from vaekit.nn import MLP
from vaekit.pairs import RandomGraph


def elbo(terms: Terms, *, beta: float = 1.0, free_bits: float = 0.0, analytic: bool = True) -> Tensor:
    r"""Evidence lower bound, by either estimator of Kingma and Welling (2013).

    .. math::
        \text{A (eq. 6)}:\ \frac1K \sum_k \log p(x|z_k) + \beta\,[\log p(z_k) - \log q(z_k|x)] \qquad
        \text{B (eq. 7)}:\ \frac1K \sum_k \log p(x|z_k) - \beta \sum_l \mathrm{KL}_l

    Args:
        terms: the batch's terms.
        beta: weight of the KL term; 1 is the bound (Higgins et al. 2017 for others).
        free_bits: nats per unit below which a unit's KL, averaged over the batch, is not pushed (Kingma et al. 2016,
            eq. 15); needs the analytic KL.
        analytic: B, with the KL in closed form, where True; A, all by Monte Carlo, where False.

    Returns:
        (B,) values.

    Raises:
        OptionError: the prior has no KL in closed form, or free bits are asked of estimator A.
    """
    log_px = _over_samples(terms.log_px)
    if not analytic:
        if free_bits > 0:
            raise OptionError(f"free_bits={free_bits!r} needs the KL in closed form, kl='analytic'.")
        return log_px + beta * _over_samples(terms.log_pz - terms.log_qz)
    kl = terms.kl
    if kl is None:
        raise OptionError("This prior has no KL in closed form; use kl='monte_carlo'.")
    if beta == 0:  # as warm-up starts: 0 times a KL that has overflowed, or its gradient, is no number
        return log_px
    if free_bits > 0:
        return log_px - beta * kl.mean(0).clamp_min(free_bits).sum()
    return torch.sub(log_px, kl.sum(-1), alpha=beta)


def _over_samples(values: Tensor) -> Tensor:
    """(B,) means of (K, B) values; those of one sample without a dimension of its own stay."""
    return values if values.ndim == 1 else values.mean(0)


def importance_weighted(terms: Terms, *, beta: float = 1.0) -> Tensor:
    r"""Importance-weighted bound with K samples (Burda et al. 2016, eq. 8); K = 1 is estimator A of the ELBO.

    .. math:: \log \frac1K \sum_k \frac{p(x|z_k)\,p(z_k)}{q(z_k|x)}

    Args:
        terms: the batch's terms.
        beta: weight of log p(z) - log q(z|x) during warm-up; 1 is the bound.

    Returns:
        (B,) values.
    """
    return _bound(terms.log_px + beta * (terms.log_pz - terms.log_qz))


def sticking_the_landing(terms: Terms, *, beta: float = 1.0) -> Tensor:
    r"""The importance-weighted bound, by the path derivative alone (Roeder et al. 2017, section 3).

    The parameters of q in log q(z|x) pass no gradient on: what they would add has mean zero for K = 1, and is noise at
    the optimum. For K > 1 the gradient is biased (Tucker et al. 2019, section 4).

    Args, returns: as `importance_weighted`.

    Raises:
        OptionError: the posterior is not one diagonal normal for each example.
    """
    return _bound(_path_log_weights(terms, beta))


def doubly_reparameterised(terms: Terms, *, beta: float = 1.0) -> Tensor:
    r"""The importance-weighted bound with the doubly reparameterised gradient (Tucker et al. 2019, eq. 8).

    .. math:: \nabla_\phi = E\Big[\sum_k \tilde w_k^2\, \frac{\partial \log w_k}{\partial z_k}
              \frac{\partial z_k}{\partial \phi}\Big], \qquad \tilde w_k = w_k / \sum_j w_j

    for the recognition network; the usual one, weighted by \tilde w, for the rest. With `beta`, which weighs the score
    of q that is replaced, \tilde w (1 - beta + beta \tilde w) stands for \tilde w^2. Unbiased for every K and beta,
    with less variance. It hooks the gradient of `terms.z`: call it once on a record, and not through torch.compile,
    which loses part of the hook.

    Args, returns: as `importance_weighted`.

    Raises:
        OptionError: the posterior is not one diagonal normal for each example.
    """
    log_weights = _path_log_weights(terms, beta)
    weights = torch.softmax(log_weights.detach(), 0)
    if terms.z.requires_grad:
        terms.z.register_hook(lambda gradient: gradient * (1 - beta + beta * weights).unsqueeze(-1))
    surrogate = (weights * log_weights).sum(0)
    return surrogate + (_bound(log_weights) - surrogate).detach()


def wake_sleep(terms: Terms, dreamed: Tensor, *, beta: float = 1.0) -> Tensor:
    r"""The wake-sleep algorithm, both phases at once (Hinton et al. 1995; the rival in Kingma and Welling 2013).

    .. math:: \text{wake}:\ \nabla_\theta \frac1K \sum_k \log p(x, z_k),\ z_k \sim q(z|x); \qquad
              \text{sleep}:\ \nabla_\phi \log q(z|x),\ (x, z) \sim p(x, z)

    The generator learns from codes of the data, the recognition network from dreams. The value is that of the ELBO, the
    gradient the sum of both phases': it is the gradient of no function, and q follows the wrong divergence, KL(p||q).

    Args:
        terms: the batch's terms, by `model.terms(x, posterior=q)` with a q that passes no gradient on.
        dreamed: (B,) log q(z|x) of codes and rows from `model.dream`.
        beta: weight of the KL term, which only a learned prior sees.

    Returns:
        (B,) values.

    >>> from vaekit.likelihoods import Bernoulli
    >>> from vaekit.models import VAE
    >>> model, batch = VAE(MLP(6, (16,), 4), MLP(2, (16,), 6), Bernoulli((6,)), latent_dim=2), torch.ones(3, 6)
    >>> x, z = model.dream(3)
    >>> with torch.no_grad():
    ...     q = model.posterior(batch)
    >>> terms = model.terms(batch, posterior=q)
    >>> wake_sleep(terms, model.posterior(x).log_prob(z)).shape
    torch.Size([3])
    """
    return elbo(terms, beta=beta, analytic=terms.kl is not None) + (dreamed - dreamed.detach())


def over_weights(values: Tensor, model: nn.Module, n: int, *, beta: float = 1.0) -> Tensor:
    r"""A bound of which the weights are latent too: full variational Bayes (Kingma and Welling 2013, appendix F).

    .. math:: \mathcal L(x_i) - \frac{\beta}{n}\, \mathrm{KL}(q(w)\,\|\,p(w))

    n times the mean of it over the data is, in expectation over w ~ q(w), a lower bound on log p(X) with the weights
    integrated out.

    Args:
        values: (B,) bounds, or exact log-likelihoods, at one draw of the weights.
        model: has `VariationalWeights` among its modules.
        n: rows of the data set.
        beta: weight of the KL during warm-up.

    Returns:
        (B,) values.
    """
    divergence = sum(module.kl() for module in model.modules() if isinstance(module, VariationalWeights))
    return values - beta / n * divergence


def _bound(log_weights: Tensor) -> Tensor:
    """(B,) from (K, B) log weights, or from those of one sample without a dimension of its own."""
    return log_weights if log_weights.ndim == 1 else torch.logsumexp(log_weights, 0) - math.log(log_weights.shape[0])


def _path_log_weights(terms: Terms, beta: float) -> Tensor:
    """(K, B) log weights, in which z alone passes the gradient on to q's parameters."""
    q = terms.posterior
    if not isinstance(q, DiagonalNormal) or q.batch_shape != terms.z.shape[1:-1]:
        raise OptionError("objective='dreg' and 'stl' need (K, B, L) samples of one normal a row; a ladder has none.")
    return terms.log_px + beta * (terms.log_pz - q.detach().log_prob(terms.z))


def total_correlation(terms: Terms, n: int, *, beta: float = 1.0, weight: float = 1.0) -> Tensor:
    r"""The objective of the beta-TCVAE, by minibatch-weighted sampling (Chen et al. 2018, eqs. 2 and S5).

    .. math:: \log p(x|z) - [\log q(z|x) - \log q(z)] - \beta\, [\log q(z) - \sum_l \log q(z_l)]
              - [\sum_l \log q(z_l) - \log p(z)]

    the mutual information of x and z, the total correlation of z and how far each unit is from its prior, where q(z) is
    the mean of q(z|x) over the data. With beta = 1 it is estimator A of the ELBO. For other beta the minibatch's
    estimate of log q(z) is biased, and the value off by about (beta - 1)(L - 1) log n nats, which no gradient sees:
    train with it, but do not compare it.

    Args:
        terms: the batch's terms, of a diagonal normal posterior.
        n: rows of the data set.
        beta: weight of the total correlation.
        weight: of all three, during warm-up.

    Returns:
        (B,) values.
    """
    q = terms.posterior
    if not isinstance(q, DiagonalNormal) or q.batch_shape != terms.z.shape[1:-1]:
        raise OptionError("objective='tc' needs (K, B, L) samples of one normal a row; a ladder has none.")
    scale = math.log(n * len(q.mu))
    pairs = torch.distributions.Normal(q.mu, q.stddev, validate_args=False).log_prob(terms.z.unsqueeze(-2))
    log_qz = torch.logsumexp(pairs.sum(-1), -1) - scale  # (K, B) from (K, B, B)
    log_units = (torch.logsumexp(pairs, -2) - scale).sum(-1)
    divergence = terms.log_qz - terms.log_pz + (beta - 1) * (log_qz - log_units)
    return (terms.log_px - weight * divergence).mean(0)


class FactorObjective(nn.Module):
    r"""The objective of the FactorVAE, with the discriminator that it needs (Kim and Mnih 2018, eq. 2 and algorithm 2).

    .. math:: \mathrm{ELBO} - \gamma\, \mathrm{KL}\Big(q(z)\,\|\,\prod_l q(z_l)\Big), \qquad
              \mathrm{KL} \approx E_{q(z)}[\operatorname{logit} D(z)]

    D(z) is the probability that z is a sample of q(z) and not one of \prod_l q(z_l), which the batch's own samples give
    once each unit is permuted over the rows. One backward pass gives both gradients: the model's, through D held fixed,
    and D's own, of its log-likelihood at samples held fixed, which adds nothing to the value. That is no bound: D may
    put the total correlation, which is never negative, below 0.

    Args:
        latent_dim: L.
        gamma: weight of the total correlation.
        hidden: widths of D's hidden layers, leaky ReLU.
        beta: weight of the KL term.
        analytic: as in `elbo`; None: in closed form where the prior has one.

    >>> from vaekit.likelihoods import Bernoulli
    >>> from vaekit.models import VAE
    >>> model = VAE(MLP(6, (16,), 4), MLP(2, (16,), 6), Bernoulli((6,)), latent_dim=2)
    >>> FactorObjective(2, gamma=10.0)(model.terms(torch.ones(3, 6))).shape
    torch.Size([3])
    """

    def __init__(
        self,
        latent_dim: int,
        gamma: float = 10.0,
        hidden: Sequence[int] = (256, 256, 256),
        *,
        beta: float = 1.0,
        analytic: bool | None = None,
    ) -> None:
        super().__init__()
        self.gamma, self.beta, self.analytic = gamma, beta, analytic
        self.discriminator = MLP(latent_dim, hidden, 1, "leaky_relu")

    def forward(self, terms: Terms, weight: float = 1.0) -> Tensor:
        """(B,) values; `weight` is that of the KL and of the total correlation during warm-up."""
        analytic = terms.kl is not None if self.analytic is None else self.analytic
        fixed = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        samples = terms.z.flatten(0, -2)  # (K B, L)
        logits = torch.func.functional_call(self.discriminator, fixed, (samples,)).float().view(terms.z.shape[:-1])
        value = elbo(terms, beta=self.beta * weight, analytic=analytic) - weight * self.gamma * logits.mean(0)
        learned = self.log_likelihood(terms.z.detach()).mean(0)
        return value + (learned - learned.detach())

    def log_likelihood(self, z: Tensor) -> Tensor:
        """(K, B) log-likelihood of the discriminator at samples z (K, B, L) and at their permutation."""
        permuted = z.gather(-2, torch.rand_like(z).argsort(-2))
        joint, product = (self.discriminator(each.flatten(0, -2)).float().view(z.shape[:-1]) for each in (z, permuted))
        return 0.5 * (F.logsigmoid(joint) + F.logsigmoid(-product))


def reweighted(terms: Terms, *, beta: float = 1.0) -> Tensor:
    r"""The objective of Kipf and Welling's variational graph auto-encoder (2016), as their code has it; no bound.

    .. math:: -\frac{\mathrm{norm}}{N^2} \sum_{i,j} w\text{-weighted cross-entropy of } (A + I)_{ij}
              \;-\; \frac{\beta}{N^2} \sum_{i,l} \mathrm{KL}_{il}

    The data term is that of `RandomGraph.reweighted_log_prob`. Weighting the edges by w = (N^2 - 2E) / 2E multiplies
    what they say by w and leaves the KL as it is: on them it acts like a bound with KL weight near 1 / w.

    Args:
        terms: those of a graph model.
        beta: weight of the KL term.

    Returns:
        (1,) values, in no unit.

    Raises:
        OptionError: the terms are not those of a graph model, or have no KL in closed form.
    """
    likelihood = terms.likelihood
    if not isinstance(likelihood, RandomGraph) or terms.kl is None:
        raise OptionError("objective='reweighted' needs a graph model whose KL has a closed form.")
    data = likelihood.reweighted_log_prob(terms.x).mean(0)
    return data - beta * terms.kl.sum(-1) / likelihood.n_nodes**2


def labelled_elbo(terms: LabelTerms) -> Tensor:
    r"""Bound on log p(x, y) of each row under each label (Kingma et al. 2014, eq. 6), with the KL in closed form.

    .. math:: -\mathcal L(x, y) = E_{q(z|x,y)}[\log p(x|y,z)] + \log p(y) - \mathrm{KL}(q(z|x,y)\,\|\,p(z))

    Returns:
        (B, S) values, of the S labels of the terms.
    """
    log_py = terms.log_py if terms.labels is None else terms.log_py[terms.labels.T]
    return (terms.log_px.mean(0) - terms.kl.sum(-1)).T + log_py


def semi_supervised(terms: LabelTerms, y: Tensor, log_qy: Tensor, *, alpha: float = 10.0) -> Tensor:
    r"""Bound of rows some of which have labels, and a classification term (Kingma et al. 2014, eqs. 6 to 9).

    .. math:: \begin{cases} -\mathcal L(x, y) & \text{with a label} \\
              \sum_y q(y|x)\,[-\mathcal L(x, y)] + H(q(y|x)) & \text{without} \end{cases}
              \;+\; \alpha\, \frac1M \sum_m \log q(y_m|x_m)

    The sum over labels is exact where the terms have all of them. Of two labels a row, the likeliest t and s drawn from
    the others, it is an unbiased estimate, as is its gradient (Liu et al. 2019): with g_y = -L(x, y) - log q(y|x),

    .. math:: b + q(t|x)\,(g_t - b) + w\,\frac{q(s|x)}{[q(s|x)]}\,(g_s - b), \qquad w = [1 - q(t|x)],\ b = [g_t]

    where what stands in brackets passes no gradient on. With alpha = 0 the objective bounds log p(x, y) and log p(x),
    with two labels in expectation.

    Args:
        terms: the batch's terms, of all labels or by `model.terms(x, given=y)` with the same y.
        y: (B,) numbers of the labels, -1 where there is none.
        log_qy: (M,) log q(y|x) of labelled rows, those of the batch or others.
        alpha: weight of their mean, in each row.

    Returns:
        (B,) values.
    """
    bounds = labelled_elbo(terms)
    if terms.labels is None:
        known = bounds.gather(1, y.clamp_min(0).unsqueeze(1)).squeeze(1)
        summed = (terms.log_qy.exp() * (bounds - terms.log_qy)).sum(1)
    else:
        known, summed = bounds[:, 0], _summed_from_two(bounds, terms.log_qy, terms.labels.T)
    return torch.where(y < 0, summed, known) + alpha * log_qy.mean()


def _summed_from_two(bounds: Tensor, log_qy: Tensor, labels: Tensor) -> Tensor:
    """(B,) estimates of the sum over labels, from bounds (B, 2) of the likeliest label and of one drawn."""
    log_q = log_qy.gather(1, labels)
    likeliest, drawn = (bounds - log_q).unbind(1)
    base = likeliest.detach()
    others = log_qy.detach().scatter(1, labels[:, :1], -math.inf).logsumexp(1).exp()  # 1 - q(t|x), small ones too
    odds = (log_q[:, 1] - log_q[:, 1].detach()).exp()
    return base + log_q[:, 0].exp() * (likeliest - base) + others * odds * (drawn - base)
