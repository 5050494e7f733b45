"""The figures as a table for people and as JSON for programs."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import sla_report
from benchmarks.fairness import Fairness
from benchmarks.figures import Figures
from benchmarks.latency import Latency
from benchmarks.throughput import Throughput

NOT_MEASURED = "-"
_MEGABYTE = 1_000_000
_PROCESSES = {"program": "the program", "postgresql": "PostgreSQL", "kafka": "Kafka"}

_Show = Callable[[Figures], str | None]


def as_json(machine: Mapping[str, str], found: Mapping[str, Figures]) -> str:
    figures = {name: dataclasses.asdict(each) for name, each in found.items()}
    return json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n"


def show(console: Console, machine: Mapping[str, str], found: Mapping[str, Figures]) -> None:
    for name, value in machine.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None)
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for label, of in _rows(found):
        shown = [of(figures) or NOT_MEASURED for figures in found.values()]
        if set(shown) != {NOT_MEASURED}:
            table.add_row(label, *shown)
    if table.row_count:
        console.print(table)
    for figures in found.values():
        if figures.fairness is not None:
            console.print(_fairness(figures.fairness), highlight=False)
        if figures.sla is not None:
            sla_report.show(console, figures.sla)


def _fairness(found: Fairness) -> str:
    return (
        f"a tenant beside one that floods: p50 {found.flooded.p50:.0f} ms, p99"
        f" {found.flooded.p99:.0f} ms, max {found.flooded.max:.0f} ms (alone {found.quiet.p50:.0f},"
        f" {found.quiet.p99:.0f}, {found.quiet.max:.0f}); the flood at"
        f" {found.flood_per_second:,.0f}/s; allowed p99 {found.allowed_ms:.0f} ms"
    )


def _rows(found: Mapping[str, Figures]) -> Iterator[tuple[str, _Show]]:
    yield "tickets/s end to end", _of_run(lambda run: f"{run.per_second:,.0f}")
    yield "tickets in that run", _of_run(lambda run: f"{run.tickets:,}")
    yield "ceiling: its rows by COPY alone, tickets/s", _ceiling
    yield "share of the ceiling", _share_of_ceiling
    yield "tickets per batch", _batch_size
    for process, name in _PROCESSES.items():
        yield f"CPU of {name}, us/ticket", _of_run(_cpu_of(process))
    yield "CPU of all, us/ticket", _of_run(_cpu_of_all)
    for process, name in _PROCESSES.items():
        yield f"peak memory of {name}, MB", _of_run(_peak_of(process))
    yield "the program's memory at 0 25 50 75 100 %, MB", _of_run(_memory_over_time)
    for rate in sorted({one.per_second for each in found.values() for one in each.latencies}):
        yield f"latency at {rate:,}/s: p50 p95 p99 max, ms", _latency_at(rate, _readable)
        yield "  the load generator's delay: p99 max, ms", _latency_at(rate, _late)
    yield "60 % requests, 40 % changes: records/s", _mixed_rate
    yield "  over so many open tickets", _mixed_over
    yield "  latency at its steady rate: p50 p95 p99 max, ms", _mixed_latency
    yield "statements/ticket", _statements
    yield "round trips/ticket", _round_trips
    yield "rows/ticket", _of_run(lambda run: f"{run.rows.inserted / run.rows_of_tickets:.3f}")
    yield "dead tuples/ticket", _of_run(_dead_tuples)
    yield "WAL bytes/ticket", _of_run(lambda run: f"{run.wal_bytes / run.tickets:,.0f}")
    yield "SIGKILL at full load: s to all published", _recovery_seconds
    yield "  facts repeated, tickets made twice, out of order", _recovery_damage


def _of_run(show_run: Callable[[Throughput], str | None]) -> _Show:
    return lambda figures: show_run(figures.throughput) if figures.throughput else None


def _ceiling(figures: Figures) -> str | None:
    return f"{figures.ceiling.per_second:,.0f}" if figures.ceiling else None


def _share_of_ceiling(figures: Figures) -> str | None:
    if figures.ceiling is None or figures.throughput is None:
        return None
    return f"{figures.throughput.per_second / figures.ceiling.per_second:.0%}"


def _batch_size(figures: Figures) -> str | None:
    return f"{figures.ceiling.tickets / figures.ceiling.batches:,.0f}" if figures.ceiling else None


def _cpu_of(process: str) -> Callable[[Throughput], str | None]:
    def show_cpu(run: Throughput) -> str | None:
        seconds = run.cpu_seconds.get(process)
        return None if seconds is None else f"{seconds / run.tickets * 1e6:,.0f}"

    return show_cpu


def _cpu_of_all(run: Throughput) -> str | None:
    if set(run.cpu_seconds) != set(_PROCESSES):
        return None
    return f"{sum(run.cpu_seconds.values()) / run.tickets * 1e6:,.0f}"


def _peak_of(process: str) -> Callable[[Throughput], str | None]:
    def show_peak(run: Throughput) -> str | None:
        peak = run.peak_memory_bytes.get(process)
        return None if peak is None else f"{peak / _MEGABYTE:,.0f}"

    return show_peak


def _memory_over_time(run: Throughput) -> str:
    return " ".join(f"{size / _MEGABYTE:.0f}" for size in run.program_memory_bytes)


def _latency_at(rate: int, show_latency: Callable[[Latency], str]) -> _Show:
    def show_rate(figures: Figures) -> str | None:
        found = [one for one in figures.latencies if one.per_second == rate]
        return show_latency(found[0]) if found else None

    return show_rate


def _readable(latency: Latency) -> str:
    seen = latency.readable
    return f"{seen.p50:.1f} {seen.p95:.1f} {seen.p99:.1f} {seen.max:.1f}"


def _late(latency: Latency) -> str:
    return f"{latency.sent_late.p99:.1f} {latency.sent_late.max:.1f}"


def _mixed_rate(figures: Figures) -> str | None:
    return f"{figures.mixed.per_second:,.0f}" if figures.mixed else None


def _mixed_over(figures: Figures) -> str | None:
    return f"{figures.mixed.open_tickets:,}" if figures.mixed else None


def _mixed_latency(figures: Figures) -> str | None:
    if figures.mixed is None:
        return None
    latency = figures.mixed.latency
    return f"{_readable(latency)} at {latency.per_second:,}/s"


def _statements(figures: Figures) -> str | None:
    count = figures.traffic
    return f"{count.statements / count.tickets:.4f}" if count else None


def _round_trips(figures: Figures) -> str | None:
    count = figures.traffic
    return f"{count.round_trips / count.tickets:.4f}" if count else None


def _dead_tuples(run: Throughput) -> str:
    return f"{(run.rows.updated + run.rows.deleted) / run.rows_of_tickets:.4f}"


def _recovery_seconds(figures: Figures) -> str | None:
    return f"{figures.recovery.seconds:.1f}" if figures.recovery else None


def _recovery_damage(figures: Figures) -> str | None:
    found = figures.recovery
    if found is None:
        return None
    return f"{found.repeated_facts:,} {found.surplus_tickets:,} {found.out_of_order:,}"
