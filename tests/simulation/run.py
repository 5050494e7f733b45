"""A seed is run: the clock, chance and the log are the simulation's, and all else is shipped."""

import json
import logging
import random as chance
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from random import Random
from typing import Any
from unittest.mock import patch

import structlog

from consumer import clock, rules, timers
from consumer.metrics import Metrics
from consumer.settings import Settings
from tests.simulation.bugs import planted
from tests.simulation.judge import Tables, judged, lasting
from tests.simulation.loop import SimulatedLoop
from tests.simulation.trace import Trace
from tests.simulation.world import World

GRACE_SECONDS = 3.0
REPEATED = 3
"""After every third seed all records are read once more."""

SECONDS_BETWEEN_CLOCKS = 2.0
"""No clock is due within a run: to look for one five times a second would be half of the work."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a seed. hash: of its trace. violations: sentences; none where all is well."""

    seed: int
    hash: str
    steps: int
    faults: int
    violations: tuple[str, ...]
    told: str

    def __str__(self) -> str:
        figures = f"{self.hash}  {self.steps} steps  {self.faults} faults  {self.told}"
        return "\n  ".join([f"seed {self.seed}  {figures}", *self.violations])


class _Time:
    """Stands in for the clocks that `consumer.clock` reads."""

    def __init__(self, loop: SimulatedLoop, world: Callable[[], World]) -> None:
        self._loop = loop
        self._world = world

    def monotonic(self) -> float:
        return self._loop.time()

    def now(self, _: tzinfo) -> datetime:
        return self._world().now()


@cache
def settings() -> Settings:
    return Settings(_env_file=None, unknown_customer_grace_seconds=GRACE_SECONDS)


@cache
def metrics() -> Metrics:
    """Shared by all seeds: nobody judges them."""
    return Metrics()


def run(
    seed: int, *, bug: str | None = None, show: Callable[[str], object] | None = None
) -> Verdict:
    """Run one seed. bug: the name of one to be planted."""
    loop = SimulatedLoop()
    loop.set_exception_handler(lambda *_: None)  # of the dead, nobody asks what they raised
    trace = Trace(loop.time, show)
    random = Random(seed)  # noqa: S311  no secret
    world: World | None = None

    def the_world() -> World:
        assert world is not None
        return world

    with _controlled(_Time(loop, the_world), seed, random, show), planted(bug):
        world = World(loop, random, trace, settings(), metrics())
        try:
            loop.run_until_complete(world.run())
            violations = _violations(world)
            if not violations and seed % REPEATED == 0:
                before = lasting(world.database)
                loop.run_until_complete(world.repeat())
                violations = [*_violations(world), *_changes(before, lasting(world.database))]
            report = judged(world.settings, world.database, world.broker)
        finally:
            loop.run_until_complete(world.clear_away())
            loop.close()
    told = (
        f"{report.records} records, {report.facts} facts, {report.repeated} repeated,"
        f" {report.dead_letters} dead letters, {len(world.processes)} processes"
    )
    faults = world.wire.chaos.done
    return Verdict(seed, trace.hash, loop.steps, faults, tuple(violations), told)


def _violations(world: World) -> list[str]:
    report = judged(world.settings, world.database, world.broker)
    left = [f"At the end {what}." for what in world.left_to_do()]
    errors = [f"A process ended: {error!r}." for error in world.errors]
    return [*report.violations, *left, *errors]


def _changes(before: Tables, after: Tables) -> list[str]:
    """What repeating has changed.

    What had come while an identity was parked, and was a duplicate therefore, left no trace: once
    the customer was not found, it is decided anew. So these tickets are left out.
    """
    free = {
        row["ticket_id"]
        for row in before["ticket_facts"].values()
        if row["sequence"] == 0 and json.loads(row["data"])["code"] == "customer_not_found"
    }
    return [
        f"Repeating changed {table}, row {key}."
        for table in before
        for key in sorted(before[table].keys() | after[table].keys(), key=str)
        if (row := after[table].get(key)) != before[table].get(key)
        and (row or before[table][key]).get("ticket_id") not in free
        and key[-1] not in free
    ]


@contextmanager
def _controlled(
    time: _Time, seed: int, random: Random, show: Callable[[str], object] | None
) -> Iterator[None]:
    state = chance.getstate()
    chance.seed(seed)  # tenacity's jitter
    copy_from = random.choice((1, 80))
    logged = structlog.get_config()
    structlog.configure(
        processors=[_shown(show)],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.CRITICAL if show is None else logging.DEBUG
        ),
        cache_logger_on_first_use=False,
    )
    try:
        with (
            patch.object(clock, "time", time),
            patch.object(clock, "datetime", time),
            patch.object(rules, "COPY_FROM", copy_from),
            patch.object(timers, "LONGEST_BETWEEN_CLOCKS", SECONDS_BETWEEN_CLOCKS),
        ):
            yield
    finally:
        structlog.configure(**logged)
        chance.setstate(state)


def _shown(show: Callable[[str], object] | None) -> Callable[..., Any]:
    def process(_: object, __: str, event: dict[str, Any]) -> Any:  # noqa: ANN401  structlog's
        if show is not None:
            show(" " * 18 + f"{event.pop('event')} {event}")
        raise structlog.DropEvent

    return process
