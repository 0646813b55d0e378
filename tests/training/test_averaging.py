"""Moving averages of weights: against the recursion, and through a checkpoint."""

import torch
from torch import nn

from vaekit.training.averaging import MovingAverage


def walk(model: nn.Module, averaged: MovingAverage, steps: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    path = []
    for _ in range(steps):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator))
        averaged.update()
        path.append(next(model.parameters()).detach().clone())
    return path


def test_the_average_follows_its_recursion():
    model = nn.Linear(3, 2)
    averaged = MovingAverage(model, 0.5)
    path = walk(model, averaged, 30, 0)
    expected = path[0]
    for t, weight in enumerate(path[1:], 1):
        decay = min(0.5, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(next(averaged.module.parameters()), expected, check_stride=False)


def test_an_average_goes_on_from_its_state():
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    averaged = MovingAverage(model, 0.9)
    walk(model, averaged, 5, 0)
    other.load_state_dict(model.state_dict())
    again = MovingAverage(other, 0.9)
    again.load_state_dict(averaged.state_dict())
    walk(model, averaged, 5, 1)
    walk(other, again, 5, 1)
    for average, other_average in zip(averaged.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(average, other_average)


def test_buffers_are_taken_as_they_are():
    model = nn.BatchNorm1d(2)
    averaged = MovingAverage(model, 0.9)
    model(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    averaged.copy_buffers()
    taken = averaged.module.state_dict()["running_mean"]
    assert torch.equal(taken, model.state_dict()["running_mean"])
    assert taken.abs().sum() > 0
