"""Parked requests are decided: their customer became known, or their time is up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter

import asyncpg

from consumer.batch import broken_by, is_progress
from consumer.bisect import Bisector
from consumer.metrics import Metrics
from consumer.telling import Telling
from consumer.transaction import transaction
from consumer.writes import Writes
from db import parked
from db.parked import Due
from handlers.batch import Entry, Handled, Setting
from handlers.parking import Key, decide_parked
from handlers.record import Record

SWEEP_AT_ONCE = 500
PORTION_BYTES = 16 * 1024 * 1024
"""What the records of one transaction may take in memory, unless a single one takes more."""


class Parking:
    """Decides what is due; any number of processes may do so at once."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        metrics: Metrics,
        telling: Telling,
        writes: Writes,
        setting: Setting,
        read: Callable[[Record], Entry],
    ) -> None:
        self._pool = pool
        self._metrics = metrics
        self._telling = telling
        self._writes = writes
        self._setting = setting
        self._read = read
        self._bisector: Bisector[Key, Handled] = Bisector(
            self._decide, self._bury, telling.split, is_progress
        )

    async def sweep(self) -> float | None:
        """Decide everything that is due. Seconds to the next expiry; None where no grace runs."""
        while True:
            due, left, expiry = await self._due()
            self._metrics.parked_requests.set(left)
            decided = sum([await self._decide_all(keys) for keys in portions(due)])
            if len(due) < SWEEP_AT_ONCE or not decided:  # others hold the rows that are due
                return expiry

    async def _decide_all(self, keys: Sequence[Key]) -> int:
        """Decide these, unless somebody else does; how many it were."""
        started = perf_counter()
        handled = await self._bisector.settle(keys)
        decided = sum(len(each.decisions) + len(each.dead) + len(each.repeated) for each in handled)
        if decided:
            self._telling.tell(decided, handled, perf_counter() - started)
        return decided

    async def _due(self) -> tuple[list[Due], int, float | None]:
        grace = self._setting.rules.grace_seconds
        async with transaction(self._pool) as connection:
            left = await parked.count(connection)
            if not left:
                return [], 0, None
            await parked.start_grace(connection)
            due = await parked.due(connection, grace, SWEEP_AT_ONCE)
            return due, left, await parked.seconds_to_next_expiry(connection, grace)

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
        async def work(connection: asyncpg.Connection) -> Handled:
            return await decide_parked(connection, keys, setting, read)

        return await self._writes.write(work)


def portions(due: Iterable[Due]) -> Iterator[list[Key]]:
    """What is due in parts that fit into memory, in its order."""
    portion: list[Key] = []
    size = 0
    for each in due:
        if portion and size + each.size > PORTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append((each.tenant_id, each.request_key))
        size += each.size
    if portion:
        yield portion
