import itertools
import math

import pytest

from vaekit.training.schedules import SCHEDULES, warm_up


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_at_one_and_never_rises(name):
    values = [SCHEDULES[name](step, 50) for step in range(51)]
    assert values[0] == 1 and all(a >= b >= 0 for a, b in itertools.pairwise(values))


def test_cosine_is_half_a_cosine():
    for step in range(11):
        assert SCHEDULES["cosine"](step, 10) == pytest.approx((1 + math.cos(math.pi * step / 10)) / 2)


def test_warm_up_is_a_ramp():
    assert [warm_up(step, 4) for step in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
    assert warm_up(0, 0) == 1
