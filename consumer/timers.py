"""What happens because time passed, or because a customer became known: parked requests."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import asyncpg

from consumer.batch import Announcer, broken_by, is_progress
from consumer.bisect import Bisector
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.telling import Telling
from consumer.transaction import transaction
from db import parked
from handlers.batch import Entry, Handled, Setting
from handlers.parking import Key, decide_parked
from handlers.record import Record

SWEEP_AT_ONCE = 500
LONGEST_SLEEP_SECONDS = 2.0
"""How late another process's customers are noticed; our own wake us."""


class Timers:
    """Sleeps until the next parked request is due, and decides it."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        dependencies: Dependencies,
        metrics: Metrics,
        telling: Telling,
        announcer: Announcer,
        setting: Setting,
        read: Callable[[Record], Entry],
    ) -> None:
        self._pool = pool
        self._dependencies = dependencies
        self._metrics = metrics
        self._telling = telling
        self._announcer = announcer
        self._setting = setting
        self._read = read
        self._woken = asyncio.Event()
        self._bisector: Bisector[Key, Handled] = Bisector(
            self._decide, self._bury, telling.split, is_progress
        )

    def wake(self) -> None:
        """Customers or partners changed: look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Sweep, sleep, for ever."""
        while True:
            self._woken.clear()
            sleep: float = await self._dependencies.retrying("database")(self._sweep)
            try:
                async with asyncio.timeout(sleep):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> float:
        """Decide everything that is due; how many seconds to sleep then."""
        while True:
            keys, left, expiry = await self._due()
            self._metrics.parked_requests.set(left)
            if keys:
                started = perf_counter()
                handled = await self._bisector.settle(keys)
                decided = sum(len(part.decisions) + len(part.dead) for part in handled)
                if decided:
                    self._telling.tell(decided, handled, perf_counter() - started)
            if len(keys) < SWEEP_AT_ONCE:
                break
        if expiry is None:
            return LONGEST_SLEEP_SECONDS
        return min(max(expiry, 0.02), LONGEST_SLEEP_SECONDS)

    async def _due(self) -> tuple[list[Key], int, float | None]:
        grace = self._setting.rules.grace_seconds
        async with transaction(self._pool) as connection:
            left = await parked.count(connection)
            if not left:
                return [], 0, None
            await parked.start_grace(connection)
            keys = await parked.due(connection, grace, SWEEP_AT_ONCE)
            return keys, left, await parked.seconds_to_next_expiry(connection, grace)

    async def _decide(self, keys: Sequence[Key], someone_was_first: bool) -> Handled:  # noqa: FBT001
        setting = replace(self._setting, check_numbers=someone_was_first)
        return await self._settle(keys, setting, self._read)

    async def _bury(self, key: Key, error: BaseException) -> Handled:
        def read(record: Record) -> Entry:
            return broken_by(self._read(record), error)

        return await self._settle([key], self._setting, read)

    async def _settle(
        self, keys: Sequence[Key], setting: Setting, read: Callable[[Record], Entry]
    ) -> Handled:
        async with transaction(self._pool) as connection:
            handled = await decide_parked(connection, keys, setting, read)
            if handled.outbox_id is not None:
                await self._announcer.announce(connection)
        if handled.outbox_id is not None:
            self._announcer.wake()
        return handled
