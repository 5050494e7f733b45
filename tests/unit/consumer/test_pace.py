"""How fast something goes at most."""

import pytest

from consumer.pace import Pace


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace(None, lambda: 0.0)
    assert pace.seconds_until(1_000_000) == 0
    assert pace.most_at_once(2_000) == 2_000


def test_so_many_a_second_go() -> None:
    now = 0.0
    pace = Pace(10, lambda: now)
    gone = 0
    while now < 100:
        now += pace.seconds_until(5)
        gone += 5
    assert gone == pytest.approx(1_000, abs=10)


def test_an_outage_is_not_made_up_for() -> None:
    now = 0.0
    pace = Pace(10, lambda: now)
    assert pace.seconds_until(10) == 0
    now = 60.0
    assert pace.seconds_until(10) == 0
    assert pace.seconds_until(10) == 1


@pytest.mark.parametrize(("rate", "most"), [(0.1, 1), (1, 1), (99.9, 99), (5_000, 2_000)])
def test_no_more_than_a_second_s_worth_goes_at_once(rate: float, most: int) -> None:
    assert Pace(rate, lambda: 0.0).most_at_once(2_000) == most
