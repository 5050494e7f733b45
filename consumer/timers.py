"""What happens because time passed: each timer sweeps up what is due, and sleeps until more is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

from consumer.closing import Closing
from consumer.dependencies import Dependencies
from consumer.firing import LONGEST_SLEEP_SECONDS as LONGEST_BETWEEN_CLOCKS
from consumer.firing import Firing
from consumer.metrics import Metrics
from consumer.parking import Parking
from consumer.retention import LONGEST_SLEEP_SECONDS as LONGEST_BETWEEN_REMOVALS
from consumer.retention import Retention
from consumer.telling import Telling
from consumer.writes import Writes
from handlers.batch import Entry, Setting
from handlers.record import Record

LONGEST_SLEEP_SECONDS = 2.0
"""How late another process's customers, or a new policy, are noticed; our own customers wake us."""

SHORTEST_SLEEP_SECONDS = 0.02
"""Before trying again what somebody else was holding."""

Sweep = Callable[[], Awaitable[float | None]]
"""Does everything that is due; in how many seconds more will be, by the database's clock."""


class Timers:
    """Every timer, in a task of its own: a backlog of one keeps no other waiting."""

    def __init__(
        self,
        *,
        pool: Any,  # noqa: ANN401  asyncpg's pool, or one that wraps it
        dependencies: Dependencies,
        metrics: Metrics,
        telling: Telling,
        writes: Writes,
        setting: Setting,
        read: Callable[[Record], Entry],
        letters_kept: timedelta | None = None,
    ) -> None:
        self._dependencies = dependencies
        self.parking = Parking(
            pool=pool, metrics=metrics, telling=telling, writes=writes, setting=setting, read=read
        )
        self.closing = Closing(
            pool=pool, metrics=metrics, writes=writes, copy_from=setting.copy_from
        )
        self.firing = Firing(pool=pool, writes=writes, metrics=metrics, copy_from=setting.copy_from)
        self.retention: Retention | None = None
        if letters_kept is not None:
            self.retention = Retention(pool=pool, metrics=metrics, kept=letters_kept)
        self._parties_changed = asyncio.Event()

    def wake(self) -> None:
        """Customers or partners changed: look at once at what waits for them."""
        self._parties_changed.set()

    async def run(self) -> None:
        """Sweep, sleep, for ever."""
        async with asyncio.TaskGroup() as group:
            for name, sweep, woken, longest in self._sweeps():
                timer = repeat(sweep, woken, self._dependencies, longest)
                group.create_task(timer, name=f"timers.{name}")

    def _sweeps(self) -> Iterator[tuple[str, Sweep, asyncio.Event, float]]:
        """Each with what wakes it, and the most seconds between two looks."""
        yield "parking", self.parking.sweep, self._parties_changed, LONGEST_SLEEP_SECONDS
        yield "closing", self.closing.sweep, asyncio.Event(), LONGEST_SLEEP_SECONDS
        yield "firing", self.firing.sweep, asyncio.Event(), LONGEST_BETWEEN_CLOCKS
        if self.retention is not None:
            yield "retention", self.retention.sweep, asyncio.Event(), LONGEST_BETWEEN_REMOVALS


async def repeat(
    sweep: Sweep,
    woken: asyncio.Event,
    dependencies: Dependencies,
    longest: float = LONGEST_SLEEP_SECONDS,
) -> None:
    """Sweep whenever something is due, and whenever woken. longest: seconds between two looks."""
    while True:
        woken.clear()
        seconds = await dependencies.retrying("database", sweep)
        try:
            async with asyncio.timeout(nap(seconds, longest)):
                await woken.wait()
        except TimeoutError:
            continue


def nap(seconds: float | None, longest: float = LONGEST_SLEEP_SECONDS) -> float:
    """How long to sleep where the next is due in so many seconds."""
    return longest if seconds is None else min(max(seconds, SHORTEST_SLEEP_SECONDS), longest)
