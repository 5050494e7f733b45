"""A backlog at full load: tickets per second, and what a ticket costs."""

import time
from dataclasses import dataclass

from benchmarks import database
from benchmarks.database import Rows
from benchmarks.load import Backlog, requests, send
from benchmarks.processes import Meter, Sample
from benchmarks.program import Program, Site, started
from benchmarks.subscriber import EndWatch, NothingMoves, read_all, wait_for_members

PARTS = 4
"""The program's memory is shown at the start, after each of so many parts, and at the end."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """One run. The costs are for the measured tickets; rows include the warm-up's."""

    tickets: int
    seconds: float
    cpu_seconds: dict[str, float]
    peak_memory_bytes: dict[str, int]
    program_memory_bytes: tuple[int, ...]
    wal_bytes: int
    rows: Rows
    rows_of_tickets: int
    repeated_facts: int

    @property
    def per_second(self) -> float:
        return self.tickets / self.seconds


def measure_throughput(site: Site, *, tickets: int, warm_up: int) -> Throughput:
    """From the moment at which the backlog can be consumed to its last fact readable.

    Raises ProgramFailed or NothingMoves when it does not get there.
    """
    rows_before = database.count_rows(site.database_url)
    with started(site) as program:
        watch = warmed_up(site, program, warm_up)
        with (
            Backlog(site.kafka, site.requests, requests("backlog", tickets)) as backlog,
            Meter({"program": program.pid, **site.server_pids()}) as meter,
        ):
            database.checkpoint(site.database_url)
            cpu_before, wal_before = meter.cpu_seconds(), database.wal_position(site.database_url)
            start = time.monotonic()
            backlog.release()
            end = watch.wait_for(warm_up + tickets, check=program.check)
            cpu_after, wal_after = meter.cpu_seconds(), database.wal_position(site.database_url)
            peaks = meter.peaks()
    seen = read_all(site.kafka, site.created)
    if len(seen.causes) != warm_up + tickets:
        raise NothingMoves(f"{len(seen.causes)} requests were answered, not {warm_up + tickets}.")
    return Throughput(
        tickets=tickets,
        seconds=end - start,
        cpu_seconds={name: cpu_after[name] - cpu_before[name] for name in cpu_before},
        peak_memory_bytes=peaks,
        program_memory_bytes=_over_time(meter, start, end),
        wal_bytes=wal_after - wal_before,
        rows=database.count_rows(site.database_url).since(rows_before),
        rows_of_tickets=warm_up + tickets,
        repeated_facts=seen.repeated,
    )


def warmed_up(site: Site, program: Program, count: int) -> EndWatch:
    """Everyone in the group, statements prepared, the broker's code compiled."""
    watch = EndWatch(site.kafka, site.created)
    wait_for_members(site.kafka, site.group, site.contestant.processes, check=program.check)
    send(site.kafka, site.requests, requests("warm-up", count))
    watch.wait_for(count, check=program.check)
    return watch


def _over_time(meter: Meter, start: float, end: float) -> tuple[int, ...]:
    """The program's memory in the sample nearest to each quarter of the run."""
    marks = [start + (end - start) * part / PARTS for part in range(PARTS + 1)]
    return tuple(_program_memory_at(mark, meter.samples) for mark in marks)


def _program_memory_at(moment: float, samples: list[Sample]) -> int:
    return min(samples, key=lambda sample: abs(sample.at - moment)).memory.get("program", 0)
