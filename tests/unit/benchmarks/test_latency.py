"""Percentiles are values that were measured, in milliseconds."""

from benchmarks.latency import Percentiles, percentiles


def test_percentiles_of_a_hundred_values() -> None:
    values = [number * 1_000_000 for number in range(100, 0, -1)]
    assert percentiles(values) == Percentiles(p50=50, p95=95, p99=99, max=100)


def test_percentiles_of_one_value_are_that_value() -> None:
    assert percentiles([3_000_000]) == Percentiles(p50=3, p95=3, p99=3, max=3)
