"""The table shows what was measured, and nothing that was not."""

import io
import json
from dataclasses import replace

from rich.console import Console

from benchmarks import report
from benchmarks.ceiling import Ceiling
from benchmarks.database import Rows
from benchmarks.figures import Figures
from benchmarks.latency import Latency, Percentiles
from benchmarks.recovery import Recovery
from benchmarks.throughput import Throughput
from benchmarks.traffic import TrafficCount

MACHINE = {"commit": "abc"}


def throughput() -> Throughput:
    return Throughput(
        tickets=1_000,
        seconds=0.5,
        cpu_seconds={"program": 0.04, "postgresql": 0.02, "kafka": 0.01},
        peak_memory_bytes={"program": 100_000_000},
        program_memory_bytes=(90_000_000, 95_000_000, 100_000_000),
        wal_bytes=3_000_000,
        rows=Rows(inserted=4_400, updated=0, deleted=11),
        rows_of_tickets=1_100,
        repeated_facts=0,
    )


def shown(found: dict[str, Figures]) -> dict[str, list[str]]:
    output = io.StringIO()
    report.show(Console(file=output, width=120), MACHINE, found)
    lines = output.getvalue().splitlines()
    return {line[:50].strip(): line[50:].split() for line in lines}


def test_figures_are_per_ticket() -> None:
    figures = Figures(
        throughput=throughput(),
        ceiling=Ceiling(tickets=1_100, batches=11, seconds=0.275),
        latencies=(Latency(200, 40, Percentiles(2, 3, 4, 5), Percentiles(0, 0, 0.1, 0.2)),),
        traffic=TrafficCount(tickets=1_000, statements=15, round_trips=30),
        recovery=Recovery(1_000, 400, 11.5, 7, 0, 0),
    )
    rows = shown({"us": figures})
    assert rows["tickets/s end to end"] == ["2,000"]
    assert rows["ceiling: its rows by COPY alone, tickets/s"] == ["4,000"]
    assert rows["share of the ceiling"] == ["50%"]
    assert rows["tickets per batch"] == ["100"]
    assert rows["CPU of all, us/ticket"] == ["70"]
    assert rows["peak memory of the program, MB"] == ["100"]
    assert rows["latency at 200/s: p50 p95 p99 max, ms"] == ["2.0", "3.0", "4.0", "5.0"]
    assert rows["statements/ticket"] == ["0.0150"]
    assert rows["rows/ticket"] == ["4.000"]
    assert rows["dead tuples/ticket"] == ["0.0100"]
    assert rows["WAL bytes/ticket"] == ["3,000"]
    assert rows["SIGKILL at full load: s to all published"] == ["11.5"]


def test_what_was_not_measured_of_anybody_has_no_row() -> None:
    rows = shown({"us": Figures(throughput=throughput()), "rival": Figures()})
    assert rows["tickets/s end to end"] == ["2,000", report.NOT_MEASURED]
    assert not any("SIGKILL" in label or "latency" in label for label in rows)


def test_a_server_given_by_its_address_has_no_processor_time() -> None:
    rows = shown({"us": Figures(throughput=replace(throughput(), cpu_seconds={"program": 0.04}))})
    assert rows["CPU of the program, us/ticket"] == ["40"]
    assert not any("Kafka" in label or "CPU of all" in label for label in rows)


def test_json_has_everything() -> None:
    written = json.loads(report.as_json(MACHINE, {"us": Figures(throughput=throughput())}))
    assert written["machine"] == MACHINE
    assert written["figures"]["us"]["throughput"]["tickets"] == 1_000
    assert written["figures"]["us"]["ceiling"] is None
