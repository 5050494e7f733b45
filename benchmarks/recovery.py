"""SIGKILL at full load, an immediate restart, and what it took and left behind."""

import time
from dataclasses import dataclass

from benchmarks.load import Backlog, requests
from benchmarks.program import Site, started
from benchmarks.subscriber import Reader
from benchmarks.throughput import warmed_up

KILLED_AFTER = 0.4
"""The share of the backlog whose facts are readable when the program is killed."""


@dataclass(frozen=True, slots=True)
class Recovery:
    requests: int
    readable_at_kill: int
    seconds: float
    """From the kill to the last request's fact readable."""
    repeated_facts: int
    surplus_tickets: int
    """Facts of more than one ticket for the same request."""
    out_of_order: int


def measure_recovery(site: Site, *, tickets: int, warm_up: int) -> Recovery:
    """Raises ProgramFailed or NothingMoves when not everything is published in the end."""
    with started(site) as program:
        watch = warmed_up(site, program, warm_up)
        with Backlog(site.kafka, site.requests, requests("backlog", tickets)) as backlog:
            backlog.release()
            watch.wait_for(warm_up + int(tickets * KILLED_AFTER), check=program.check)
            program.kill()
            killed_at = time.monotonic()
            readable = sum(watch.offsets().values())
    wanted, reader = warm_up + tickets, Reader(site.kafka, site.created)
    with started(site) as program:
        seen, count = reader.seen, wanted
        while len(seen.causes) < wanted:
            end = watch.wait_for(count, check=program.check)
            seen = reader.read_to_the_end()
            count = seen.records + wanted - len(seen.causes)
    reader.close()
    return Recovery(
        requests=tickets,
        readable_at_kill=readable - warm_up,
        seconds=end - killed_at,
        repeated_facts=seen.repeated,
        surplus_tickets=len(seen.fact_ids) - len(seen.causes),
        out_of_order=seen.out_of_order,
    )
