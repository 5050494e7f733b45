"""What service levels cost, beside what was promised."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.latency import Percentiles
from benchmarks.sla import ServiceLevels

LEAST_SHARE: Final = 0.8
LEAST_PER_SECOND: Final = 3_000
MOST_LAG_MILLISECONDS: Final = 250
MOST_DUE_MICROSECONDS: Final = 25

MET, MISSED = "met", "missed"


class Row(NamedTuple):
    """is_met: None where nothing was promised."""

    label: str
    figure: str
    target: str = ""
    is_met: bool | None = None


def show(console: Console, found: ServiceLevels) -> None:
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None)
    table.add_column("service levels")
    for name in ("figure", "target", "verdict"):
        table.add_column(name, justify="right")
    for label, figure, target, is_met in rows(found):
        verdict = "" if is_met is None else MET if is_met else MISSED
        table.add_row(label, figure, target, verdict)
    console.print(table)


def rows(found: ServiceLevels) -> Iterator[Row]:
    creation, at_once, lag = found.creation, found.at_once, found.lag
    with_clocks, without = creation.per_second_with_clocks, creation.per_second_without
    share = with_clocks / without
    yield Row("tickets/s, two clocks each", f"{with_clocks:,.0f}")
    yield Row("tickets/s, targets off: no clocks", f"{without:,.0f}")
    yield Row("  share", f"{share:.0%}", f">= {LEAST_SHARE:.0%}", share >= LEAST_SHARE)
    yield Row(
        f"{at_once.clocks:,} clocks due at once: facts/s, first to last",
        f"{at_once.per_second:,.0f}",
        f">= {LEAST_PER_SECOND:,}",
        at_once.per_second >= LEAST_PER_SECOND,
    )
    yield Row("  from due to the last fact received, s", f"{at_once.of_all:.2f}")
    yield Row("  statements/clock", f"{at_once.statements:.4f}")
    yield Row(
        f"{lag.clocks:,} clocks among {lag.running:,}: from due to noticed, p99 ms",
        f"{lag.detected.p99:.0f}",
        f"< {MOST_LAG_MILLISECONDS}",
        lag.detected.p99 < MOST_LAG_MILLISECONDS,
    )
    yield Row("  from due to noticed: p50 p95 p99 max, ms", _milliseconds(lag.detected))
    yield Row("  from due to received: p50 p95 p99 max, ms", _milliseconds(lag.received))
    yield Row(
        "reckoning when 8 h of office hours are over, us",
        f"{found.due_microseconds:.1f}",
        f"< {MOST_DUE_MICROSECONDS}",
        found.due_microseconds < MOST_DUE_MICROSECONDS,
    )


def _milliseconds(seen: Percentiles) -> str:
    return f"{seen.p50:.1f} {seen.p95:.1f} {seen.p99:.1f} {seen.max:.1f}"
