"""Resolved tickets close by themselves: looked for, and closed in portions."""

from collections.abc import Sequence
from time import perf_counter
from typing import Final

import asyncpg
import structlog

from consumer.metrics import Metrics
from consumer.transaction import transaction
from consumer.writes import Writes
from db import closing
from db.closing import Key, Look
from handlers.batch import Handled
from handlers.closing import close_due

PORTION: Final = 200
"""Tickets of one transaction: enough to be quick, and nobody waits long for one of them."""

log = structlog.get_logger()


class Closing:
    """Closes what is due; any number of processes may do so at once."""

    def __init__(
        self, *, pool: asyncpg.Pool, metrics: Metrics, writes: Writes, copy_from: int
    ) -> None:
        self._pool = pool
        self._metrics = metrics
        self._writes = writes
        self._copy_from = copy_from

    async def sweep(self) -> float | None:
        """Close everything that is due. Seconds to the next look; None when nothing will be due."""
        while True:
            due, seconds = await self._look()
            if not due or not await self._close(due):  # others hold the tickets that are due
                return seconds

    async def _look(self) -> Look:
        async with transaction(self._pool) as connection:
            return await closing.look(connection, PORTION)

    async def _close(self, keys: Sequence[Key]) -> int:
        """Close these, unless somebody else does; how many it were."""
        started = perf_counter()

        async def work(connection: asyncpg.Connection) -> Handled:
            return await close_due(connection, keys, copy_from=self._copy_from)

        handled = await self._writes.write(work)
        if handled.closed:
            self._metrics.tickets_closed.inc(handled.closed)
            seconds = round(perf_counter() - started, 4)
            log.info("tickets.closed", tickets=handled.closed, seconds=seconds)
        return handled.closed
