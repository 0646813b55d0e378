"""Times with a zone: read where narwhals does not know it, and by its clocks."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np

DAY = 86_400_000_000  # microseconds
_OFFSET = r"^(?:UTC)?([+-])(\d\d):(\d\d)$"
_FAR = 9e7  # days from 1970 that polars has clocks for


def in_utc(series: nw.Series[Any]) -> nw.Series[Any]:
    """The column; times of pandas whose zone narwhals cannot read, as it cannot America/New_York, in UTC."""
    native = series.to_native()
    zoned = isinstance(series.dtype, nw.Unknown) and str(getattr(native, "dtype", "")).startswith("datetime64[")
    if zoned and _is_zone(str(native.dt.tz)):
        return nw.from_native(native.dt.tz_convert("UTC"), series_only=True)
    return series


def _is_zone(name: str) -> bool:
    """Whether a name stands for a zone wherever it is read."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def is_named(series: nw.Series[Any]) -> bool:
    """Whether times have no zone, or one that its name alone gives, as "CEST" of a fixed offset does not."""
    zone = getattr(series.dtype, "time_zone", None)
    return zone is None or _is_zone(zone) or re.search(_OFFSET, zone) is not None or zone.startswith("pytz")


def type_name(series: nw.Series[Any]) -> str:
    """The name of a column's type as narwhals has it, or would have it."""
    known = in_utc(series).dtype
    if known != series.dtype:
        return str(nw.Datetime(known.time_unit, str(series.to_native().dt.tz)))  # type: ignore[attr-defined]
    return str(known)


def to_local(days: np.ndarray, dtype: Any) -> np.ndarray:
    """Days since 1970 by the clocks of a type's time zone, of days by UTC; the same where it has none."""
    zone = getattr(dtype, "time_zone", None)
    if zone is None:
        return days
    if offset := re.search(_OFFSET, zone):
        sign, hours, minutes = offset.groups()
        return days + float(f"{sign}1") * (int(hours) + int(minutes) / 60) / 24
    if not _is_zone(zone):
        return days
    stamps = np.round(np.clip(days, -_FAR, _FAR) * DAY).astype(np.int64)
    times = nw.new_series("t", stamps, nw.Int64, backend="polars").cast(nw.Datetime("us")).dt.replace_time_zone("UTC")
    there = times.dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.timestamp("us").to_numpy()
    return days + (there - stamps) / DAY


def from_local(days: np.ndarray, dtype: Any) -> np.ndarray:
    """What `to_local` undoes; of an hour that clocks leave out a time beside it."""
    guess = days - (to_local(days, dtype) - days)
    return days - (to_local(guess, dtype) - guess)
