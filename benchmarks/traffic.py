"""Statements and round trips of a ticket, counted on the wire in a run of its own.

The proxy costs time, so this run's speed says nothing.
"""

from dataclasses import dataclass

from benchmarks.load import Backlog, requests
from benchmarks.program import Site, started
from benchmarks.throughput import warmed_up
from benchmarks.wire import counted


@dataclass(frozen=True, slots=True)
class TrafficCount:
    """Of everything that the program did between the backlog's release and its last fact."""

    tickets: int
    statements: int
    round_trips: int


def count_traffic(site: Site, *, tickets: int, warm_up: int) -> TrafficCount:
    with counted(site.database_url) as (url, traffic), started(site, url=url) as program:
        watch = warmed_up(site, program, warm_up)
        with Backlog(site.kafka, site.requests, requests("backlog", tickets)) as backlog:
            statements, round_trips = traffic.statements, traffic.round_trips
            backlog.release()
            watch.wait_for(warm_up + tickets, check=program.check)
            return TrafficCount(
                tickets, traffic.statements - statements, traffic.round_trips - round_trips
            )
