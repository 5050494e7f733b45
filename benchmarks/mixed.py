"""Requests and changes together, over a table of tickets that stand open."""

import time
from dataclasses import dataclass

from benchmarks import database
from benchmarks.latency import Latency, measure
from benchmarks.load import REQUESTS_OF_FIVE, Backlog, mixed
from benchmarks.program import Site, started
from benchmarks.subscriber import EndWatch
from benchmarks.throughput import warmed_up


@dataclass(frozen=True, slots=True)
class Mixed:
    """open_tickets: how many there were before. records: requests and changes, three to two."""

    open_tickets: int
    records: int
    seconds: float
    latency: Latency

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


def measure_mixed(
    site: Site,
    *,
    open_tickets: int,
    records: int,
    warm_up: int,
    per_second: int,
    steady_seconds: int,
    steady_warm_up_seconds: int,
) -> Mixed:
    """A backlog first, then a steady rate. Raises ProgramFailed or NothingMoves."""
    database.open_tickets(site.database_url, open_tickets)
    with started(site) as program:
        created = warmed_up(site, program, warm_up)
        updated = EndWatch(site.kafka, site.updated)
        backlog = mixed("backlog", records, tickets=open_tickets, change_topic=site.changes)
        opening = records // 5 * REQUESTS_OF_FIVE
        with Backlog(site.kafka, site.requests, backlog) as waiting:
            database.checkpoint(site.database_url)
            start = time.monotonic()
            waiting.release()
            end = created.wait_for(warm_up + opening, check=program.check)
            end = max(end, updated.wait_for(records - opening, check=program.check))
        name = "steady-mixed"
        count = per_second * (steady_seconds + steady_warm_up_seconds)
        sending = list(mixed(name, count, tickets=open_tickets, change_topic=site.changes))
        latency = measure(
            site,
            sending,
            name=name,
            per_second=per_second,
            warm_up_seconds=steady_warm_up_seconds,
        )
    return Mixed(open_tickets, records, end - start, latency)
