"""What is due on tickets' clocks: looked for, and told in portions the moment it is due."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import structlog

from consumer.bisect import Bisector
from consumer.metrics import Metrics
from consumer.transaction import transaction
from consumer.writes import Writes
from db import clocks
from db.clocks import Key, Look
from handlers.batch import Handled
from handlers.sla.firing import Fired, Unfit, fire_due

PORTION: Final = 500
"""Clocks of one transaction: enough to be quick, and nobody waits long for one of them."""

SECONDS_UNTIL_ANOTHER_TRY: Final = 60.0
"""For a ticket whose clocks can't be dealt with: it keeps its due times, and nobody waiting."""

LONGEST_SLEEP_SECONDS: Final = 0.2
"""How late a clock is noticed that was set by another task or process and due at once."""

HELD_ELSEWHERE_SECONDS: Final = 0.02

log = structlog.get_logger()


class Firing:
    """Lets what is due happen; any number of processes may do so at once."""

    def __init__(
        self, *, pool: asyncpg.Pool, writes: Writes, metrics: Metrics, copy_from: int
    ) -> None:
        self._pool = pool
        self._writes = writes
        self._metrics = metrics
        self._copy_from = copy_from
        self._bisector = Bisector[Key, int](
            write=self._fire,
            bury=self._bury,
            on_split=lambda: None,
            is_progress=bool,
        )

    async def sweep(self) -> float | None:
        """Let everything happen that is due. Seconds to the next look.

        Tickets that others hold keep nobody waiting who comes after them.
        """
        held = 0
        while True:
            due, seconds = await self._look(held)
            if not due:
                return HELD_ELSEWHERE_SECONDS if held else seconds
            held += len(due) - sum(await self._bisector.settle(due))

    async def _look(self, held: int) -> Look:
        async with transaction(self._pool) as connection:
            return await clocks.look(connection, PORTION, held)

    async def _fire(self, keys: Sequence[Key], _: bool) -> int:  # noqa: FBT001  the bisector's
        """Deal with the clocks of these tickets; with how many of them somebody did."""
        fired: Fired | None = None

        async def work(connection: asyncpg.Connection) -> Handled:
            nonlocal fired
            fired = await fire_due(connection, keys, copy_from=self._copy_from)
            return fired.handled

        await self._writes.write(work)
        if fired is None:
            return 0
        self._metrics.told(fired.told)
        if fired.told:
            log.info("clocks.fired", tickets=fired.tickets, facts=len(fired.told))
        if fired.unfit:
            await self._postpone(fired.unfit)
        return fired.tickets + len(fired.unfit)

    async def _bury(self, key: Key, error: BaseException) -> int:
        await self._postpone([Unfit(key, error)])
        return 1

    async def _postpone(self, unfit: Sequence[Unfit]) -> None:
        async with transaction(self._pool) as connection:
            keys = [each.key for each in unfit]
            await clocks.postpone(connection, keys, SECONDS_UNTIL_ANOTHER_TRY)
        for (tenant_id, ticket_id), error in unfit:
            reason = f"{type(error).__name__}: {error}"
            log.error("clocks.unfit", tenant_id=tenant_id, ticket_id=ticket_id, reason=reason)
        self._metrics.clocks_unfit.inc(len(unfit))
