"""Keys, noise and seeds."""

import random

import numpy as np
import pytest
import scipy.stats
import torch

from vaekit.randomness import (
    isolated_rng,
    resolve_seed,
    rng_state,
    row_keys,
    row_noise,
    seed_generators,
    set_rng_state,
)


def test_keys_depend_on_values_alone():
    x = torch.randint(0, 256, (500, 12))
    keys = row_keys(x.to(torch.uint8))
    for dtype in (torch.int16, torch.float32, torch.float64):
        assert torch.equal(row_keys(x.to(dtype)), keys)
    order = torch.randperm(500)
    assert torch.equal(row_keys(x[order]), keys[order])
    assert torch.equal(row_keys(x.view(500, 3, 4)), keys)
    assert torch.equal(torch.cat([row_keys(x[i : i + 1]) for i in range(500)]), keys)
    assert keys.dtype == torch.int64 and int(keys.min()) >= 0


def test_minus_zero_is_zero():
    assert torch.equal(row_keys(torch.tensor([[0.0, 1.0]])), row_keys(torch.tensor([[-0.0, 1.0]])))


@pytest.mark.usefixtures("generators_untouched")
def test_keys_leave_the_global_generators_alone():
    row_noise(row_keys(torch.zeros(3, 2)), 0, 0, 4)


@pytest.mark.parametrize("kind", ["binary", "grey", "real", "counters"])
def test_keys_of_different_rows_differ(kind):
    n = 100_000
    generator = torch.Generator().manual_seed(0)
    rows = {
        "binary": torch.randint(0, 2, (n, 100), generator=generator),
        "grey": torch.randint(0, 256, (n, 20), generator=generator),
        "real": torch.randn(n, 3, generator=generator),
        "counters": torch.arange(n)[:, None],
    }[kind]
    keys = row_keys(rows)
    assert len(keys.unique()) >= n - 2
    places = torch.bincount(keys % 2**8, minlength=256).numpy()
    assert scipy.stats.chisquare(places).pvalue > 1e-6


def test_columns_are_told_apart():
    a, b = row_keys(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    assert a != b


@pytest.mark.parametrize("uniform", [False, True])
def test_a_rows_noise_does_not_depend_on_the_rows_beside_it(uniform):
    keys = row_keys(torch.randn(300, 5))
    whole = row_noise(keys, 7, 0, 40, uniform=uniform)
    few = torch.tensor([299, 4, 4])
    assert torch.equal(row_noise(keys[few], 7, 0, 40, uniform=uniform), whole[few])
    for start, size in ((10, 25), (11, 24), (0, 0), (39, 1)):
        part = row_noise(keys, 7, start, size, uniform=uniform)
        torch.testing.assert_close(part, whole[:, start : start + size], rtol=0, atol=1e-6)
    assert (row_noise(keys, 8, 0, 40, uniform=uniform) != whole).float().mean() > 0.999


@pytest.mark.parametrize("uniform", [False, True])
def test_noise_has_its_distribution_over_rows_and_within_them(uniform):
    keys = row_keys(torch.randn(20_000, 4))
    noise = row_noise(keys, 0, 0, 60, uniform=uniform).double().numpy()
    law = scipy.stats.uniform if uniform else scipy.stats.norm
    for sample in (noise[:, 0], noise[:, 59], noise[::100].ravel()):
        assert scipy.stats.kstest(sample, law.cdf).pvalue > 1e-4
    if uniform:
        assert noise.min() >= 0 and noise.max() < 1


def test_noise_of_different_rows_is_uncorrelated():
    keys = row_keys(torch.arange(200)[:, None])
    noise = row_noise(keys, 0, 0, 4000).double().numpy()
    correlation = np.corrcoef(noise)[np.triu_indices(200, 1)]
    assert np.abs(correlation).max() < 6 / 4000**0.5
    assert abs((correlation * 4000**0.5).std() - 1) < 0.05


def test_numbers_of_a_row_are_uncorrelated_and_so_are_their_squares():
    noise = row_noise(row_keys(torch.arange(100)[:, None]), 3, 0, 10_000).double().numpy()
    for values in (noise, noise**2 - 1):
        for lag in (1, 2, 3, 64):
            product = values[:, lag:] * values[:, :-lag]
            assert abs(product.mean()) < 4 * product.std() / product.size**0.5


def test_means_over_many_rows_have_the_error_of_independent_numbers():
    """What all rows share would not average out."""
    keys = row_keys(torch.arange(2000)[:, None])
    means = [float(row_noise(keys, seed, 0, 2000).square().mean() * 10) for seed in range(10)]  # of 20 units, in nats
    error = 10 * (2 / (2000 * 2000)) ** 0.5  # 0.007, where one pool of a million had 0.015
    assert np.std(means, ddof=1) < 1.6 * error
    assert abs(np.mean(means) - 10) < 4 * error / 10**0.5


def test_isolated_rng_puts_the_generator_back():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with isolated_rng(5):
        a = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ZeroDivisionError), isolated_rng(5):
        b = torch.rand(3)
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(a, b)
    with isolated_rng():
        inside = torch.rand(1)
    assert torch.equal(inside, torch.rand(1))


def test_a_state_can_be_put_back():
    state = rng_state()
    a = torch.rand(2)
    set_rng_state(state)
    assert torch.equal(torch.rand(2), a)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU")
def test_a_state_from_a_machine_with_a_gpu_can_be_put_back():
    state = rng_state()
    a = torch.rand(2)
    set_rng_state({**state, "cuda": torch.zeros(1, 16, dtype=torch.uint8)})
    assert torch.equal(torch.rand(2), a)


@pytest.mark.usefixtures("generators_untouched")
def test_seeds():
    assert resolve_seed(12) == resolve_seed(np.int64(12)) == 12
    assert type(resolve_seed(np.int64(12))) is int
    state = np.random.RandomState(0)
    first, second = resolve_seed(state), resolve_seed(state)
    assert first == resolve_seed(np.random.RandomState(0)) != second
    assert 0 <= first < 2**31
    fresh = {resolve_seed(None) for _ in range(20)}
    assert len(fresh) == 20 and all(0 <= seed < 2**31 for seed in fresh)
    with pytest.raises(ValueError, match="cannot be used to seed"):
        resolve_seed("seven")  # type: ignore[arg-type]
    assert random.getstate()


def test_every_nan_is_the_same_to_a_key():
    row = torch.tensor([[float("nan"), 1.0]])
    other = row.clone()
    other.view(torch.int32)[0, 0] ^= -(2**31)  # the sign bit
    assert torch.isnan(other[0, 0]) and row_keys(other).equal(row_keys(row))


def test_gpus_that_were_not_started_keep_the_seed_of_the_caller(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    with isolated_rng(3):
        found = torch.rand(2)
    assert not seeded and torch.equal(found, torch.rand(2, generator=torch.Generator().manual_seed(3)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    seed_generators(5)
    assert seeded == [5]
