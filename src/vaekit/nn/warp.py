"""Warps of columns: monotone maps from numbers to about standard normal ones, and the first layer on a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vaekit.schema import DENSE, Column

_BASES = {"positive": 1, "count": 2}  # log x and log(x + 1); 0 is x itself
_MOST_DIGITS = 1e4  # counts whose log x + 1 float32 holds to a hundredth of a count
_LARGEST = 80.0  # logarithm of a number that float32 holds


def asinh(x: Tensor) -> Tensor:
    """arsinh x, several times as fast as torch's, to an absolute error of one rounding."""
    size = x.abs()
    return torch.copysign(torch.log(size + torch.sqrt(size.square() + 1)), x)


def _log_cosh(x: Tensor) -> Tensor:
    return torch.logaddexp(x, -x) - math.log(2)


class Warps(nn.Module):
    r"""The maps of D columns, see `vaekit.schema.Warp`; all is done column by column on the last dimension.

    Args:
        columns: numeric columns.
        dtype: of the numbers.

    >>> from vaekit.schema import Warp
    >>> price = Column("price", "positive", "Float64", warp=Warp(centre=2.0, scale=0.5, tail=0.8))
    >>> warps = Warps([price], torch.float64)
    >>> x = torch.tensor([[3.0], [20.0]], dtype=torch.float64)
    >>> bool(torch.allclose(warps.inverse(warps(x)), x))
    True
    """

    centre: Tensor
    scale: Tensor
    skew: Tensor
    tail: Tensor
    mean: Tensor
    spread: Tensor
    base: Tensor

    def __init__(self, columns: Sequence[Column], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        for name in ("centre", "scale", "skew", "tail", "mean", "spread"):
            values = [getattr(column.warp, name) for column in columns]
            self.register_buffer(name, torch.tensor(values, dtype=dtype))
        bases = [_BASES.get(column.kind, 0) for column in columns]
        self.register_buffer("base", torch.tensor(bases, dtype=torch.long))
        self.logarithmic = any(bases)

    @classmethod
    def of_counts(cls, columns: Sequence[Column]) -> Warps:
        """Those of counts, in double precision where float32 has too few digits for the largest of them."""
        return cls(columns, torch.float64 if any(column.high > _MOST_DIGITS for column in columns) else torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) values in their own units to warped ones."""
        x = x.to(self.centre.dtype)
        based = torch.where(self.base == 1, x.clamp_min(1e-37).log(), torch.where(self.base == 2, _log1p(x), x))
        sinh_of = asinh((based - self.centre) / self.scale)
        return (torch.sinh(self.tail * sinh_of - self.skew) - self.mean) / self.spread

    def standardised(self, t: Tensor) -> Tensor:
        """(b(x) - centre) / scale of warped values: numbers of about unit size."""
        return torch.sinh((asinh(t * self.spread + self.mean) + self.skew) / self.tail)

    def expected(self, t: Tensor) -> Tensor:
        """What means are taken of: (x - centre) / scale, of positive columns x / exp(centre)."""
        standard = self.standardised(t)
        return torch.where(self.base == 1, (self.scale * standard).clamp_max(_LARGEST).exp(), standard)

    def inverse(self, t: Tensor) -> Tensor:
        """(..., D) warped values to those in their own units."""
        based = self.centre + self.scale * self.standardised(t)
        return torch.where(self.base == 1, based.exp(), torch.where(self.base == 2, based.expm1(), based))

    def log_slope(self, t: Tensor) -> Tensor:
        """log dt/dx, the log-Jacobian of the map from own units, at warped values."""
        inner = t * self.spread + self.mean
        outer = (asinh(inner) + self.skew) / self.tail
        rate = self.tail.log() - self.spread.log() - self.scale.log()
        slope = rate + 0.5 * torch.log1p(inner.square()) - _log_cosh(outer)
        if not self.logarithmic:
            return slope
        return slope - (self.base > 0) * (self.centre + self.scale * torch.sinh(outer))


def _log1p(x: Tensor) -> Tensor:
    return torch.log1p(x.clamp_min(-0.999999))


_GROUPS = {
    "numeric": DENSE,
    "counted": ("count",),
    "ordered": ("ordinal",),
    "levelled": ("binary", "categorical", "ordinal"),
}


class TableFeatures(nn.Module):
    """What an encoder sees of a table: warped numbers, indicators of codes, 0 where a cell is missing, and a mask.

    Args:
        columns: the modelled columns, in order.
    """

    numeric: Tensor
    counted: Tensor
    ordered: Tensor
    levelled: Tensor
    top: Tensor
    code: Tensor
    last: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        where = {kind: [j for j, c in enumerate(columns) if c.kind in kinds] for kind, kinds in _GROUPS.items()}
        self.warps = Warps.of_counts([columns[j] for j in where["counted"]])
        codes = [(j, code) for j in where.pop("levelled") for code in range(columns[j].codes)]
        where |= {"levelled": [j for j, _ in codes], "code": [code for _, code in codes]}
        where["last"] = [columns[j].codes - 1 for j, _ in codes]
        where["top"] = [columns[j].codes - 1 for j in where["ordered"]]
        for name, values in where.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.long), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) coded rows, NaN where missing, to (B, F)."""
        number = x[:, self.numeric]
        parts = [torch.nan_to_num(number, 0.0, 0.0, 0.0).clamp(-10, 10), torch.isinf(number)]
        if len(self.counted):
            parts.append(self.warps(x[:, self.counted]).to(x.dtype).nan_to_num(0.0).clamp(-10, 10))
        if len(self.ordered):
            parts.append(torch.nan_to_num(2 * x[:, self.ordered] / self.top - 1))
        if len(self.levelled):
            parts.append(torch.minimum(x[:, self.levelled], self.last) == self.code)  # rare levels share the last
        return torch.cat([*parts, ~torch.isnan(x)], 1)
