"""What ends the relay's sleep: a write of this process, or another's notification."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from consumer.dependencies import Dependencies
from db import outbox


class Wakeups:
    """Shared by those who write and the relay of the same process."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._look = False

    def wake(self) -> None:
        """Something was handed over, or arrived."""
        self._woken.set()

    def look(self) -> None:
        """Something was written that has to be found in the outbox."""
        self._look = True
        self._woken.set()

    def forget(self) -> bool:
        """Before looking for work: what happens from now on wakes again. Whether to `look`."""
        look, self._look = self._look, False
        self._woken.clear()
        return look

    async def wait(self, seconds: float) -> None:
        """Sleep until woken, or so long at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def listen(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], dependencies: Dependencies
    ) -> None:
        """Be woken by other processes, for ever, on a connection of its own."""
        while True:
            connection: asyncpg.Connection = await dependencies.retrying(
                "database", self._listening, connect
            )
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _, ended=ended: ended.set())
            try:
                self.look()  # for what was written while nobody listened
                if not connection.is_closed():
                    await ended.wait()
            finally:
                connection.terminate()

    async def _listening(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]]
    ) -> asyncpg.Connection:
        connection = await connect()
        try:
            await connection.add_listener(outbox.CHANNEL, lambda *_: self.look())
        except BaseException:
            connection.terminate()
            raise
        return connection
