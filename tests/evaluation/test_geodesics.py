"""Paths of least energy on surfaces whose geodesics are known."""

import math

import pytest
import torch

from vaekit.errors import OptionError
from vaekit.evaluation.geodesics import energy, geodesic, straight_line


def polar(z):
    """(radius, angle) to points of the plane, where straight lines are shortest."""
    return torch.stack([z[:, 0] * z[:, 1].cos(), z[:, 0] * z[:, 1].sin()], 1)


def test_in_polar_coordinates_the_path_is_the_chord():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([1.0, math.pi / 2])
    path = geodesic(polar, a, b, 12, steps=600)
    points = polar(path)
    assert torch.equal(path[0], a) and torch.equal(path[-1], b)
    torch.testing.assert_close(points.sum(1), torch.ones(12), rtol=0, atol=0.01)  # x + y = 1
    steps = (points[1:] - points[:-1]).norm(dim=1)
    assert float(steps.max() / steps.min()) < 1.1  # at constant speed
    assert abs(float(energy(polar, path)) - 2) < 0.01  # the squared length of the chord
    assert float(energy(polar, straight_line(a, b, 12))) > 2.4  # that of the arc: (pi / 2)^2


def test_where_the_decoder_is_linear_it_is_the_straight_line():
    matrix = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    a, b = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, -1.0, 0.5])
    torch.testing.assert_close(geodesic(lambda z: z @ matrix, a, b, 6, steps=30), straight_line(a, b, 6))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"points": 1}, "points=1 must be a whole number of at least 2"),
        ({"steps": 0.5}, "steps=0.5 must be a whole number of at least 0"),
        ({"learning_rate": 0}, "learning_rate=0 must be a number above 0"),
    ],
)
def test_counts_that_make_no_path(options, said):
    with pytest.raises(OptionError) as error:
        geodesic(polar, torch.zeros(2), torch.ones(2), **options)
    assert said in str(error.value)


def test_two_points_and_equal_ends_are_left_alone():
    a = torch.tensor([1.0, 0.3])
    assert torch.equal(geodesic(polar, a, a + 1, 2), torch.stack([a, a + 1]))
    torch.testing.assert_close(geodesic(polar, a, a, 5), a.expand(5, 2))
