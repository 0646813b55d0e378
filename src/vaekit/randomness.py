"""Randomness without side effects: borrowed global generators, seeds, and noise that belongs to a row."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

_STEP = -0x61C8864680B583EB  # of splitmix64: 2^64 over the golden ratio, as a signed number


@contextmanager
def isolated_rng(seed: int | None = None) -> Iterator[None]:
    """Run a block with torch's global generators seeded (or as they are), and put them back as they were found.

    New numbers are float32 within it, whatever torch's default type is. Generators and default type belong to the
    process, so blocks that overlap in several threads draw from each other's stream.

    Args:
        seed: seed for the block; None keeps the current state, which is still restored afterwards.

    >>> with isolated_rng(0):
    ...     a = torch.rand(1)
    >>> with isolated_rng(0):
    ...     b = torch.rand(1)
    >>> bool(a == b)
    True
    """
    state, kind = rng_state(), torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float32)
        if seed is not None:
            seed_generators(seed)
        yield
    finally:
        torch.set_default_dtype(kind)
        set_rng_state(state)


def seed_generators(seed: int) -> None:
    """Seed torch's global generators, but for those of GPUs that were not started: they keep the caller's seed."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def rng_state() -> dict[str, Tensor]:
    """States of torch's global generators: "cpu", and "cuda" where one was started."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.stack(torch.cuda.get_rng_state_all())
    return state


def set_rng_state(state: dict[str, Tensor]) -> None:
    """Put generators back to states from `rng_state`; those of GPUs that are not here are passed over."""
    torch.set_rng_state(state["cpu"].cpu())
    if "cuda" in state:
        for device, one in zip(range(torch.cuda.device_count()), state["cuda"].cpu(), strict=False):
            torch.cuda.set_rng_state(one, device)


def resolve_seed(random_state: int | np.random.RandomState | None) -> int:
    """Turn scikit-learn's `random_state` into a seed below 2**31.

    An int is used as it is, a RandomState is drawn from once, None takes fresh entropy from the system.

    >>> resolve_seed(7)
    7
    """
    if random_state is None:
        return secrets.randbits(31)
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    from sklearn.utils import check_random_state  # loads scipy.stats and pandas

    return int(check_random_state(random_state).randint(2**31 - 1))


def row_keys(x: Tensor) -> Tensor:
    """A 63-bit key per row that depends on the row's values alone.

    Args:
        x: (n, ...) numbers of any type; compared as float32.

    Returns:
        (n,) int64 keys, not negative.
    """
    values = x.reshape(len(x), -1).to(torch.float32) + 0.0
    if x.is_floating_point():
        values = torch.where(torch.isnan(values), torch.nan, values)  # a NaN has many forms in bits
    bits = values.contiguous().view(torch.int32).to(torch.int64)
    weights = torch.randint(2**62, (bits.shape[1],), generator=torch.Generator().manual_seed(0x5EED)) | 1
    return _mix((bits * weights.to(bits.device)).sum(1))


def row_noise(keys: Tensor, seed: int, start: int, size: int, *, uniform: bool = False) -> Tensor:
    """Numbers `start` to `start + size` of an endless stream of random numbers that each row has of its own.

    A row gets the same numbers whichever rows stand beside it and however the work is cut into batches, so that a
    Monte Carlo score is a function of the row and the seed. Rows of different content are independent. The stream of a
    row is splitmix64 (Steele et al. 2014) started at its key, and two normal numbers are made of each of its integers
    (Box and Muller 1958).

    Args:
        keys: (B,) from `row_keys`.
        seed: of all streams.
        uniform: uniform numbers on [0, 1) instead of standard normal ones.

    Returns:
        (B, size) float32, on the device of `keys`.
    """
    first, last = (start, start + size) if uniform else (start // 2, (start + size + 1) // 2)
    steps = torch.arange(first + 1, last + 1, device=keys.device) * _STEP
    bits = _mix(_mix(keys + seed).unsqueeze(1) + steps)
    if uniform:
        return (bits >> 39).float().mul_(2**-24)
    length = (bits >> 32).float().add_(1).mul_(2**-31).log_().mul_(-2).sqrt_()
    angle = (bits & 0xFFFFFFFF).float().mul_(2 * math.pi / 2**32)
    pairs = torch.stack([length * angle.cos(), length * angle.sin()], -1).flatten(1)
    return pairs[:, start - 2 * first :][:, :size]


def _mix(key: Tensor) -> Tensor:
    """Spread the bits of int64 keys (the finaliser of splitmix64, in wrapping arithmetic); 63 bits of them."""
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15), (31, 1)):
        key = (key >> shift).bitwise_and_((1 << (64 - shift)) - 1).bitwise_xor_(key).mul_(factor)
    return key.bitwise_and_(0x7FFFFFFFFFFFFFFF)
