"""Service levels: what clocks cost when tickets are opened, and how soon it is told what is due."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from benchmarks import database
from benchmarks.collecting import Arrival, collecting
from benchmarks.due_clocks import add_due_tickets, sleep_until
from benchmarks.latency import Percentiles, percentiles
from benchmarks.load import TENANTS
from benchmarks.program import PRODUCT, Program, ProgramFailed, Site, run_to_the_end, site, started
from benchmarks.reckoning import microseconds_of_due
from benchmarks.subscriber import NothingMoves, wait_for_members
from benchmarks.throughput import measure_throughput
from benchmarks.wire import counted
from devstack.stack import Stack

NO_CLOCKS: Final = {
    "sla": [{"name": "no clocks", "targets": {"first_response": "off", "resolution": "off"}}]
}
CLOCKS_PER_TICKET: Final = 2

_WITHIN_SECONDS: Final = 5.0
"""Time enough to write the tickets before the first of them is due."""

_PATIENCE_SECONDS: Final = 60.0
_WARM_UP_CLOCKS: Final = 1_000


@dataclass(frozen=True, slots=True)
class SlaSizes:
    """creation: tickets of one run, of `rounds` runs with clocks and as many without.

    running: clocks that run, with nothing due on them. at_once: clocks that are due at once.
    spread: clocks that are due one by one, over so many seconds.
    """

    creation: int
    warm_up: int
    rounds: int
    running: int
    at_once: int
    spread: int
    spread_seconds: int


@dataclass(frozen=True, slots=True)
class Creation:
    """Tickets of a run, and the seconds of each run with clocks and without, in their order."""

    tickets: int
    seconds_with_clocks: tuple[float, ...]
    seconds_without: tuple[float, ...]

    @property
    def per_second_with_clocks(self) -> float:
        return self.tickets * len(self.seconds_with_clocks) / sum(self.seconds_with_clocks)

    @property
    def per_second_without(self) -> float:
        return self.tickets * len(self.seconds_without) / sum(self.seconds_without)


@dataclass(frozen=True, slots=True)
class AtOnce:
    """seconds: from the first fact received to the last; of_all: from the due time to the last.

    statements: for each clock, in a run of its own.
    """

    clocks: int
    seconds: float
    of_all: float
    statements: float

    @property
    def per_second(self) -> float:
        return self.clocks / self.seconds


@dataclass(frozen=True, slots=True)
class Lag:
    """From when something was due to when it was noticed, as the facts say, and was received."""

    running: int
    clocks: int
    detected: Percentiles
    received: Percentiles


@dataclass(frozen=True, slots=True)
class ServiceLevels:
    """due_microseconds: of reckoning one due time."""

    creation: Creation
    at_once: AtOnce
    lag: Lag
    due_microseconds: float


def measure_sla(stack: Stack, sizes: SlaSizes) -> ServiceLevels:
    """Raises ProgramFailed or NothingMoves."""
    creation = measure_creation(stack, sizes)
    with site(stack, PRODUCT) as place:
        database.open_tickets(place.database_url, sizes.running // CLOCKS_PER_TICKET)
        with started(place) as program:
            _fire(place, program, "warm-up", min(_WARM_UP_CLOCKS, sizes.at_once))
            due_at, arrived = _fire(place, program, "at-once", sizes.at_once)
            spread = sizes.spread_seconds
            lag = lag_of(sizes.running, _fire(place, program, "spread", sizes.spread, spread)[1])
        statements = count_statements(place, sizes.at_once)
    at_once = AtOnce(
        clocks=len(arrived),
        seconds=arrived[-1].at - arrived[0].at,
        of_all=arrived[-1].at - due_at,
        statements=statements,
    )
    return ServiceLevels(creation, at_once, lag, microseconds_of_due())


def measure_creation(stack: Stack, sizes: SlaSizes) -> Creation:
    """The same backlog with clocks and without, by turns: a machine is not always as fast."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for number in range(sizes.rounds):
        for has_clocks in (False, True) if number % 2 == 0 else (True, False):
            with site(stack, PRODUCT) as place:
                if not has_clocks:
                    _switch_off(place)
                run = measure_throughput(place, tickets=sizes.creation, warm_up=sizes.warm_up)
                _check_clocks(place, run.rows_of_tickets if has_clocks else 0)
                seconds[has_clocks].append(run.seconds)
    return Creation(sizes.creation, tuple(seconds[True]), tuple(seconds[False]))


def _switch_off(place: Site) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "policy.json"
        file.write_text(json.dumps(NO_CLOCKS))
        for tenant in TENANTS:
            words = ("consumer", "policy", "apply", str(file), "--tenant", tenant, "--yes")
            run_to_the_end(words, place.environment())


def _check_clocks(place: Site, tickets: int) -> None:
    found = database.ask(
        place.database_url,
        lambda connection: connection.fetchval("SELECT count(*) FROM sla_clocks"),
    )
    if found != CLOCKS_PER_TICKET * tickets:
        raise ProgramFailed(f"{tickets:,} tickets have {found:,} clocks.")


def count_statements(place: Site, clocks: int) -> float:
    """For each clock that is due at once, from when it is due to the last fact received."""
    with counted(place.database_url) as (url, traffic), started(place, url=url) as program:
        wait_for_members(place.kafka, place.group, 1, check=program.check)
        with collecting(place.kafka, *place.notices, count=clocks) as collector:
            database.checkpoint(place.database_url)
            due_at = add_due_tickets(
                place.database_url, "counted", clocks, within=_WITHIN_SECONDS, over=0
            )
            sleep_until(due_at)
            before = traffic.statements
            collector.arrivals(seconds=_PATIENCE_SECONDS)
            return (traffic.statements - before) / clocks


def _fire(
    place: Site, program: Program, name: str, clocks: int, over: float = 0
) -> tuple[float, list[Arrival]]:
    """When the first clock is due, and the facts of all of them as they came."""
    wait_for_members(place.kafka, place.group, 1, check=program.check)
    with collecting(place.kafka, *place.notices, count=clocks) as collector:
        database.checkpoint(place.database_url)
        due_at = add_due_tickets(
            place.database_url, name, clocks, within=_WITHIN_SECONDS, over=over
        )
        arrived = collector.arrivals(seconds=_WITHIN_SECONDS + over + _PATIENCE_SECONDS)
    program.check()
    _check_distinct(arrived)
    return due_at, arrived


def _check_distinct(arrived: Sequence[Arrival]) -> None:
    told = {orjson.loads(each.value)["ticket_id"] for each in arrived}
    if len(told) != len(arrived):
        raise NothingMoves(f"{len(arrived):,} facts tell of {len(told):,} tickets: some are twice.")


def lag_of(running: int, arrived: Sequence[Arrival]) -> Lag:
    """From what the facts say and when they came; a fact says how late it is in milliseconds."""
    detected, received = [], []
    for at, value in arrived:
        told = orjson.loads(value)
        late = told["detection_lag_ms"] * 1_000_000
        detected_at = datetime.fromisoformat(told["detected_at"]).timestamp()
        detected.append(late)
        received.append(late + round((at - detected_at) * 1e9))
    return Lag(running, len(arrived), percentiles(detected), percentiles(received))
