"""A write of the service: its own transaction, and then the relay has what it announces."""

from collections.abc import Awaitable, Callable

import asyncpg

from consumer import clock
from consumer.handover import Handover
from consumer.transaction import transaction
from consumer.wakeups import Wakeups
from db import outbox
from handlers.batch import Handled


class Writes:
    """Shared by all who write in this process."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        wakeups: Wakeups,
        handover: Handover,
        seconds: Callable[[], float] = clock.seconds,
        on_commit: Callable[[Handled], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._wakeups = wakeups
        self._handover = handover
        self._seconds = seconds
        self._on_commit = on_commit

    async def write(self, work: Callable[[asyncpg.Connection], Awaitable[Handled]]) -> Handled:
        """Do the work in a transaction and commit it. Raises whatever it raises; nothing stands.

        Unless the commit itself was cut off: then it may stand, and doing it again finds out.
        """
        began = self._seconds()
        number: int | None = None
        try:
            async with transaction(self._pool) as connection:
                handled = await work(connection)
                number = handled.outbox_id
                if number is not None:
                    await self._announce(connection, handled)
        except BaseException:
            if number is not None:
                self._handover.drop(number)
                self._wakeups.look()
            raise
        if number is not None:
            if self._handover.arrive(handled, began):
                self._wakeups.wake()
            else:
                self._wakeups.look()
        self._on_commit(handled)
        return handled

    async def _announce(self, connection: asyncpg.Connection, handled: Handled) -> None:
        """Another process's relay is notified by the commit, unless ours is the one at work."""
        if self._handover.is_open:
            self._handover.expect(handled)
        else:
            await outbox.notify(connection)
