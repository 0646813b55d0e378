"""The likelihood of a table's row: each column by its kind, in its own units."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from vaekit.distributions import summed
from vaekit.likelihoods.base import Likelihood
from vaekit.likelihoods.intervals import log_interval
from vaekit.likelihoods.normals import mixture_log_prob, raw_spreads, spreads
from vaekit.likelihoods.quadrature import count_nodes, range_of_means, real_nodes
from vaekit.nn.warp import Warps
from vaekit.schema import DENSE, Column, ColumnStats

_FAR = 1e4  # stands for the infinite ends of the line
_MANY = 200  # counts from which the width of an interval is the warp's slope
_HALVINGS = 30  # of the bracket of a median


class TableColumns(Likelihood):
    r"""Independent columns given z, each with a likelihood of its own; a missing cell counts 0 nats.

    In warped units t (`vaekit.schema.Warp`) a number is a mixture of M normal distributions with weights, means and
    spreads by the decoder:

    - real, positive, date-time: the mixture's density at t(x) times dt/dx, so per unit of x (per day of a time); zeros
      of a positive column have a probability of their own;
    - count: the mixture's probability of t(x - 1/2) to t(x + 1/2);
    - ordinal: its probability between the thresholds of the level, normal scores of the shares in training;
    - binary, categorical: a softmax over the levels; rare levels that share a code keep their shares within it.

    Values are coded as `vaekit.data.coding` does: (B, D), NaN where missing.

    Args:
        columns: the modelled columns, in order.
        mixture: M.
        floor: least spread of a normal distribution, in warped units.
    """

    name = "table"
    discrete = False
    marginal_is_fitted = False
    support = "values of the columns' kinds"

    dense: Tensor
    counts: Tensor
    ordinals: Tensor
    count_nodes: Tensor
    count_shares: Tensor
    levelled: Tensor
    zero: Tensor
    grouped: Tensor
    order: Tensor
    edges: Tensor
    padding: Tensor
    starts: Tensor
    level_codes: Tensor
    level_logs: Tensor
    dense_range: Tensor
    count_range: Tensor
    n_observed: Tensor

    def __init__(self, columns: Sequence[Column], mixture: int = 3, floor: float = 0.01) -> None:
        super().__init__((len(columns),))
        self.columns, self.mixture, self.floor = tuple(columns), mixture, floor
        groups = {
            "dense": [j for j, c in enumerate(columns) if c.kind in DENSE],
            "counts": [j for j, c in enumerate(columns) if c.kind == "count"],
            "ordinals": [j for j, c in enumerate(columns) if c.kind == "ordinal"],
            "levelled": [j for j, c in enumerate(columns) if c.kind in ("binary", "categorical")],
        }
        every = [j for places in groups.values() for j in places]
        groups["grouped"] = every
        groups["order"] = sorted(range(len(every)), key=every.__getitem__)
        groups["zero"] = [i for i, j in enumerate(groups["dense"]) if columns[j].zeros]
        for name, places in groups.items():
            self.register_buffer(name, torch.tensor(places, dtype=torch.long), persistent=False)
        self.warps = Warps([columns[j] for j in groups["dense"]])
        dense = [range_of_means(columns[j]) for j in groups["dense"]]
        counts = [range_of_means(columns[j]) for j in groups["counts"]]
        for name, ends in (("dense_range", dense), ("count_range", counts)):
            self.register_buffer(name, torch.tensor(ends, dtype=torch.float32).reshape(-1, 2).T, persistent=False)
        self.count_warps = Warps.of_counts([columns[j] for j in groups["counts"]])
        for name, part in zip(("count_nodes", "count_shares"), count_nodes(counts), strict=True):
            self.register_buffer(name, part, persistent=False)
        self.numbers = len(groups["dense"]) + len(groups["counts"]) + len(groups["ordinals"])
        numeric = [columns[j] for j in self.numeric.tolist()]
        n_observed = torch.tensor([c.n_observed * (1 - c.zeros) or math.inf for c in numeric])  # zeros have no warp
        self.register_buffer("n_observed", n_observed, persistent=False)
        self.widths = [len(groups["dense"]), len(groups["counts"]) + len(groups["ordinals"]), len(groups["levelled"])]
        self._make_levels([columns[j] for j in groups["ordinals"]], [columns[j] for j in groups["levelled"]])

    def _make_levels(self, ordinals: list[Column], levelled: list[Column]) -> None:
        most = max([c.codes for c in ordinals], default=1)
        edges = torch.full((len(ordinals), most + 1), _FAR)
        for i, column in enumerate(ordinals):
            inner = torch.tensor(column.shares, dtype=torch.float64).cumsum(0)[:-1]
            edges[i, 0] = -_FAR
            edges[i, 1 : column.codes] = torch.special.ndtri(inner.clamp(1e-6, 1 - 1e-6)).float()
        sizes = [c.codes for c in levelled]
        wide, self.logits, self.ragged = max(sizes, default=1), sum(sizes), len(set(sizes)) > 1
        padding = torch.full((len(levelled), wide), self.logits)
        for i, size in enumerate(sizes):
            padding[i, :size] = sum(sizes[:i]) + torch.arange(size)
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("padding", padding, persistent=False)
        codes = [torch.arange(len(c.levels)).clamp_max(c.codes - 1) for c in levelled]
        starts = [0, *itertools.accumulate(len(c.levels) for c in levelled)][: len(levelled)]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.long), persistent=False)
        self.register_buffer("level_codes", torch.cat([torch.zeros(0, dtype=torch.long), *codes]), persistent=False)
        logs = [_log_shares_of_codes(c) for c in levelled]
        self.register_buffer("level_logs", torch.cat([torch.zeros(0), *logs]), persistent=False)

    def again(self, stats: ColumnStats) -> TableColumns:
        """A new one of the same columns."""
        return TableColumns(self.columns, self.mixture, self.floor)

    @property
    def num_values(self) -> int:
        """T, raw parameters of a row."""
        return 3 * self.mixture * self.numbers + len(self.zero) + self.logits

    @property
    def param_shape(self) -> tuple[int, ...]:
        """(T,)."""
        return (self.num_values,)

    @property
    def decoded_values(self) -> int:
        """Raw parameters of a row, and its levels, padded."""
        return self.num_values + self.padding.numel()

    @property
    def numeric(self) -> Tensor:
        """(N,) places of the numeric columns, in the order of points."""
        return torch.cat([self.dense, self.counts, self.ordinals])

    def cut_points(self, points: Any) -> list[Any]:
        """Of each column, in order, its part (n,) or (n, C) of what `TableDistribution.points` gives, (n, S)."""
        parts: list[Any] = [None] * len(self.columns)
        for i, j in enumerate(self.numeric.tolist()):
            parts[j] = points[:, i]
        width = self.padding.shape[1]
        for i, j in enumerate(self.levelled.tolist()):
            start = self.numbers + i * width
            parts[j] = points[:, start : start + self.columns[j].codes]
        return parts

    def forward(self, params: Tensor) -> TableDistribution:
        """p(x|z) from raw parameters (..., T)."""
        mixed, zero, logits = params.split([3 * self.mixture * self.numbers, len(self.zero), self.logits], -1)
        if self.ragged:
            logits = F.pad(logits, (0, 1), value=-1e9)[..., self.padding]
        else:
            logits = logits.unflatten(-1, self.padding.shape)
        return TableDistribution(self, mixed.unflatten(-1, (3, self.mixture, self.numbers)), zero, logits)

    def marginal(self, stats: ColumnStats | None = None) -> Tensor:
        """(T,) raw parameters at which every column is about what it is in all of the data."""
        mixed = torch.zeros(3, self.mixture, self.numbers)
        if self.mixture > 1:
            mixed[1] = torch.linspace(-1, 1, self.mixture)[:, None]
        zeros = torch.tensor([self.columns[int(self.dense[i])].zeros for i in self.zero]).clamp(1e-6, 1 - 1e-6)
        shares = []
        for j in self.levelled.tolist():
            column = self.columns[j]
            kept = torch.tensor(column.shares)
            if column.pool:
                kept = torch.cat([kept[: -column.pool], kept[-column.pool :].sum()[None]])
            shares.append(kept.log())
        return torch.cat([mixed.flatten(), torch.logit(zeros), *shares])


class TableDistribution(Distribution):
    """p(x|z) of rows of a table, of batch shape (...) and event shape (D,); see `TableColumns`.

    Args:
        kinds: the likelihood.
        mixed: (..., 3, M, N) raw weights, means and spreads of the N numeric columns.
        zero: (..., Z) logits of a zero.
        logits: (..., C, W) of levels, padded with -1e9.
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def __init__(self, kinds: TableColumns, mixed: Tensor, zero: Tensor, logits: Tensor) -> None:
        self.kinds, self.raw, self.zero = kinds, (mixed, zero, logits), zero
        super().__init__(mixed.shape[:-3], torch.Size(kinds.shape), validate_args=False)

    @cached_property
    def log_weights(self) -> Tensor:
        """(..., M, N) logarithms of the weights of the normal distributions."""
        return torch.log_softmax(self.raw[0][..., 0, :, :], -2)

    @property
    def mu(self) -> Tensor:
        """(..., M, N) their means."""
        return self.raw[0][..., 1, :, :]

    @cached_property
    def sigma(self) -> Tensor:
        """(..., M, N) their standard deviations."""
        return spreads(self.raw[0][..., 2, :, :], self.kinds.floor)

    @cached_property
    def log_shares(self) -> Tensor:
        """(..., C, W) logarithms of the probabilities of levels."""
        return torch.log_softmax(self.raw[2], -1)

    def cell_log_prob(self, value: Tensor) -> Tensor:
        """(..., D) log-density or log-probability of each cell in nats; 0 where it is missing."""
        return self._cells(value)[..., self.kinds.order]

    def log_prob(self, value: Tensor) -> Tensor:
        """(...) log-density of the observed cells of each row."""
        return self._cells(value).sum(-1)

    def _cells(self, value: Tensor) -> Tensor:
        """What `cell_log_prob` gives, with the columns in the order of their kinds."""
        kinds, d = self.kinds, len(self.kinds.dense)
        value = value[..., kinds.grouped]
        missing = torch.isnan(value)
        dense, between, levelled = value.masked_fill(missing, 0.0).split(kinds.widths, -1)
        parts = []
        if d:
            parts.append(self._dense(dense))
        if kinds.widths[1]:
            low, high, width = (part.unsqueeze(-2) for part in self._intervals(between))
            mu, sigma = self.mu[..., d:], self.sigma[..., d:]
            each = log_interval((low - mu) / sigma, (high - mu) / sigma, width / sigma)
            parts.append(torch.logsumexp(self.log_weights[..., d:] + each, -2))
        if kinds.widths[2]:
            parts.append(self._levels(levelled.long()))
        cells = torch.cat(_alike(parts), -1) if len(parts) > 1 else parts[0]
        return cells.masked_fill(missing, 0.0)

    def _dense(self, t: Tensor) -> Tensor:
        kinds, mixed = self.kinds, self.raw[0]
        if len(kinds.zero):
            at_zero = torch.isinf(t)
            t = t.masked_fill(at_zero, 0.0)
        mixed = mixed if len(kinds.dense) == kinds.numbers else mixed[..., : len(kinds.dense)]
        density = mixture_log_prob(mixed, t, kinds.floor) + kinds.warps.log_slope(t)
        if not len(kinds.zero):
            return density
        logit = torch.full_like(density, -_FAR)
        logit[..., kinds.zero] = self.zero
        return torch.where(at_zero, F.logsigmoid(logit), F.logsigmoid(-logit) + density)

    def _levels(self, levels: Tensor) -> Tensor:
        kinds, shares = self.kinds, self.log_shares
        shape = torch.broadcast_shapes(levels.shape, shares.shape[:-1])
        place = kinds.starts + levels
        codes = kinds.level_codes[place].expand(shape).unsqueeze(-1)
        return shares.expand(*shape, -1).gather(-1, codes).squeeze(-1) + kinds.level_logs[place]

    def _intervals(self, filled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ends, in warped units, of what counts and ordinal codes stand for, and the widths between them."""
        kinds = self.kinds
        counts, ordinals = filled.split([len(kinds.counts), len(kinds.ordinals)], -1)
        counts = counts.double()  # where a half can be added to the largest
        low = torch.where(counts < 0.5, -_FAR, kinds.count_warps(counts - 0.5))
        high = kinds.count_warps(counts + 0.5)
        slope = kinds.count_warps.log_slope(kinds.count_warps(counts)).exp()
        width = torch.where(counts > _MANY, slope, high - low)  # the ends of a large one agree to many digits
        codes = ordinals.long().unsqueeze(-1)
        edges = kinds.edges.expand(*codes.shape[:-1], -1)
        below, above = edges.gather(-1, codes).squeeze(-1), edges.gather(-1, codes + 1).squeeze(-1)
        pairs = (low, below), (high, above), (width, above - below)
        low, high, width = (torch.cat([of_counts.to(below), of_codes], -1) for of_counts, of_codes in pairs)
        return low, high, width

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """(..., D) coded rows without missing cells."""
        kinds, d, c = self.kinds, len(self.kinds.dense), len(self.kinds.counts)
        shape, parts = torch.Size(sample_shape), []
        if kinds.numbers:
            chosen = _gumbel_argmax(self.log_weights, shape, -2).unsqueeze(-2)
            mu = self.mu.expand(*shape, *self.mu.shape).gather(-2, chosen).squeeze(-2)
            sigma = self.sigma.expand(*shape, *self.sigma.shape).gather(-2, chosen).squeeze(-2)
            t = mu + sigma * torch.randn_like(mu)
            dense = t[..., :d]
            if len(kinds.zero):
                none = torch.rand_like(dense[..., kinds.zero]) < torch.sigmoid(self.zero)
                dense[..., kinds.zero] = torch.where(none, -math.inf, dense[..., kinds.zero])
            whole = kinds.count_warps.inverse(t[..., d : d + c]).round().clamp(0, 2**24).to(t.dtype)
            ordered = (t[..., d + c :].unsqueeze(-1) > kinds.edges[:, 1:]).sum(-1).to(t.dtype)
            parts = [dense, whole, ordered]
        if len(kinds.levelled):
            levels = _gumbel_argmax(self.log_shares, shape, -1)
            for i, j in enumerate(kinds.levelled.tolist()):
                column = kinds.columns[j]
                if column.pool:
                    first, end = (int(kinds.starts[i]) + k for k in (column.codes - 1, len(column.levels)))
                    rare = levels[..., i] == column.codes - 1
                    within = kinds.level_logs[first:end].exp()
                    levels[..., i][rare] += torch.multinomial(within, max(1, int(rare.sum())), True)[: int(rare.sum())]
            parts.append(levels.to(self.mu.dtype))
        return torch.cat(parts, -1)[..., kinds.order]

    def points(self) -> Tensor:
        """(..., S) means of numeric columns (dense ones, counts, ordinal ones), then probabilities of levels.

        Of a real column or time the mean of (x - centre) / scale, of a positive one of x / exp(centre), of counts
        and ordinal codes their own, each with x kept within the column's range at fit, as a heavy tail has a mean that
        nothing in the data supports, or none. All are expectations, so those given several codes can be averaged.
        """
        kinds, d, c = self.kinds, len(self.kinds.dense), len(self.kinds.counts)
        spots, nodes = real_nodes(self.mu), (kinds.count_nodes.to(self.mu), kinds.count_shares)
        mu, sigma = (m.unsqueeze(-2).tensor_split((d, d + c), -1) for m in (self.mu, self.sigma))  # (..., M, 1, N)
        smooth, whole = kinds.warps.expected, kinds.count_warps.inverse
        means = [
            summed(lambda t, p: smooth(mu[0] + sigma[0] * t).clamp(*kinds.dense_range) * p, mu[0], *spots),
            summed(lambda t, p: whole(mu[1] + sigma[1] * t).round().clamp(*kinds.count_range) * p, mu[1], *nodes),
            summed(lambda edge: torch.special.ndtr((mu[2] - edge) / sigma[2]), mu[2], kinds.edges[:, 1:].T),
        ]
        points = (self.log_weights.exp() * torch.cat([part.to(self.mu) for part in means], -1)).sum(-2)
        points[..., kinds.zero] *= torch.sigmoid(-self.zero)  # dense columns come first
        return torch.cat([points, self.log_shares.exp().flatten(-2)], -1)

    def medians(self, log_weights: Tensor) -> Tensor:
        """(B, N) medians of numeric columns under a mixture of K of these, of batch shape (K, B), by bisection.

        Args:
            log_weights: (K, B) logarithms of their shares.

        Returns:
            In the order and units of `points`.
        """
        kinds, d, c = self.kinds, len(self.kinds.dense), len(self.kinds.counts)
        shares = log_weights.exp().unsqueeze(-1)
        weights = shares.unsqueeze(-1) * self.log_weights.exp()  # (K, B, M, N)
        below = weights.new_full((weights.shape[1], kinds.numbers), 0.5)  # what lies below the median but for zeros
        none = torch.sigmoid(self.zero)
        weights[..., kinds.zero] *= (1 - none).unsqueeze(-2)
        below[..., kinds.zero] -= (shares * none).sum(0)
        low, high = (self.mu - 9 * self.sigma).amin((0, 2)), self.mu.amax((0, 2))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            under = (weights * torch.special.ndtr((middle.unsqueeze(-2) - self.mu) / self.sigma)).sum((0, 2)) < below
            low, high = torch.where(under, middle, low), torch.where(under, high, middle)
        t, between = (low + high) / 2, slice(d, d + c)
        dense = kinds.warps.expected(t[..., :d]).masked_fill(below[..., :d] <= 0, 0.0)
        counts = kinds.count_warps.inverse(t[..., between]).round().clamp(*kinds.count_range).to(t)
        ordered = (t[..., d + c :].unsqueeze(-1) > kinds.edges[:, 1:]).sum(-1)
        return torch.cat([dense, counts, ordered.to(t)], -1)

    def inflated(self, coefficients: int) -> TableDistribution:
        r"""The same with the variances of new rows, where these were fitted to few.

        What a regression with C coefficients on n rows predicts has the variance of its residuals times
        (n + C) / (n - C), to first order 1 + 2 C / n (final prediction error, Akaike 1969). Of a numeric column with
        n_d cells at fit (of a positive one, above 0), for v = Var[t|z] in warped units, where the column has 1:

        .. math:: v' = \max(v, \min(1, (1 + 2 C / n_d) v)), \qquad \sigma_m'^2 = \sigma_m^2 + v' - v

        Args:
            coefficients: by which each column depends on others; C is these, or the number of columns if less.
        """
        shares, variances = self.log_weights.exp(), self.sigma.square()
        mean = (shares * self.mu).sum(-2, keepdim=True)
        v = (shares * (variances + (self.mu - mean).square())).sum(-2, keepdim=True)
        more = v * 2 * min(coefficients, len(self.kinds.columns)) / self.kinds.n_observed
        sigma = (variances + torch.minimum(more, (1 - v).clamp_min(0))).sqrt()
        raw = self.raw[0][..., 0, :, :], self.mu, raw_spreads(sigma, self.kinds.floor)
        return TableDistribution(self.kinds, torch.stack(raw, -3), *self.raw[1:])

    def take(self, chosen: Tensor) -> TableDistribution:
        """Of a batch shape (K, B) the distributions at chosen (M, B), numbers of the first dimension."""
        each = torch.arange(chosen.shape[1], device=chosen.device)
        return TableDistribution(self.kinds, *(part[chosen, each] for part in self.raw))


def _log_shares_of_codes(column: Column) -> Tensor:
    """Of each level the logarithm of its share in its code: 0 but for rare levels, which share one."""
    logs = torch.zeros(len(column.levels), dtype=torch.float64)
    if column.pool:
        logs[-column.pool :] = torch.tensor(column.shares[-column.pool :], dtype=torch.float64).log().log_softmax(0)
    return logs.float()


def _alike(parts: list[Tensor]) -> list[Tensor]:
    """The parts, with their leading dimensions broadcast to those of all."""
    shape = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return [part.expand(*shape, part.shape[-1]) for part in parts]


def _gumbel_argmax(log_weights: Tensor, shape: torch.Size, dim: int) -> Tensor:
    noise = torch.empty(*shape, *log_weights.shape, device=log_weights.device).exponential_().log()
    return (log_weights - noise).argmax(dim)
