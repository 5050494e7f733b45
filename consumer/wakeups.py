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
        self.relay_is_here = False

    async def announce(self, connection: asyncpg.Connection) -> None:
        """Let another process's relay know with the commit, unless ours is the one at work."""
        if not self.relay_is_here:
            await outbox.notify(connection)

    def wake(self) -> None:
        """Let this process's relay know, after the commit."""
        self._woken.set()

    def forget(self) -> None:
        """Before looking for work: what is written from now on wakes again."""
        self._woken.clear()

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
                self.wake()  # for what was written while nobody listened
                if not connection.is_closed():
                    await ended.wait()
            finally:
                connection.terminate()

    async def _listening(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]]
    ) -> asyncpg.Connection:
        connection = await connect()
        try:
            await connection.add_listener(outbox.CHANNEL, lambda *_: self.wake())
        except BaseException:
            connection.terminate()
            raise
        return connection
