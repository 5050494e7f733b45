"""How late facts are is read off them, and figures are held against what was promised."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import orjson
from rich.console import Console

from benchmarks import sla_report
from benchmarks.collecting import Arrival
from benchmarks.latency import Percentiles
from benchmarks.sla import AtOnce, Creation, Lag, ServiceLevels, lag_of

NOTICED_AT = datetime(2026, 11, 24, 12, 0, 0, 500_000, UTC)


def found() -> ServiceLevels:
    """Every promise is kept."""
    return ServiceLevels(
        creation=Creation(1_000, (0.5, 0.5), (0.4, 0.4)),
        at_once=AtOnce(clocks=10_000, seconds=2, of_all=2.5, statements=0.02),
        lag=Lag(1_000_000, 5_000, Percentiles(4, 9, 20, 30), Percentiles(9, 14, 40, 50)),
        due_microseconds=3.14,
    )


def verdicts(levels: ServiceLevels) -> dict[str, bool]:
    return {
        row.label.strip().partition(" ")[0]: row.is_met
        for row in sla_report.rows(levels)
        if row.is_met is not None
    }


def test_a_fact_says_how_late_it_was_noticed_and_its_arrival_how_late_it_came() -> None:
    told = orjson.dumps({"detected_at": NOTICED_AT.isoformat(), "detection_lag_ms": 20})
    lag = lag_of(2_000, [Arrival(NOTICED_AT.timestamp() + 0.0625, told)])
    assert (lag.running, lag.clocks) == (2_000, 1)
    assert lag.detected.p99 == 20
    assert round(lag.received.p99, 3) == 82.5


def test_runs_by_turns_are_one_rate() -> None:
    creation = Creation(1_000, (0.5, 1.5), (0.4, 0.4))
    assert creation.per_second_with_clocks == 1_000
    assert creation.per_second_without == 2_500


def test_each_promise_has_a_verdict() -> None:
    assert verdicts(found()) == {"share": True, "10,000": True, "5,000": True, "reckoning": True}


def test_a_promise_that_is_not_kept_shows() -> None:
    levels = ServiceLevels(
        creation=Creation(1_000, (0.6,), (0.4,)),
        at_once=replace(found().at_once, seconds=4),
        lag=replace(found().lag, detected=Percentiles(4, 9, 250, 260)),
        due_microseconds=25,
    )
    assert not any(verdicts(levels).values())


def test_the_table_has_figure_target_and_verdict() -> None:
    output = io.StringIO()
    sla_report.show(Console(file=output, width=120), found())
    share = next(line for line in output.getvalue().splitlines() if "share" in line)
    assert share.split() == ["share", "80%", ">=", "80%", "met"]
    assert "statements/clock" in output.getvalue()
