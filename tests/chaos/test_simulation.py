"""The simulation, twenty times as many seeds as `make test` takes."""

from tests.simulation.run import run

SEEDS = range(1, 10_001)


def test_no_seed_of_ten_thousand_breaks_the_promise() -> None:
    broken = [str(verdict) for seed in SEEDS if (verdict := run(seed)).violations]
    assert broken == []
