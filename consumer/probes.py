"""Ask the dependencies themselves whether they answer, so that /readyz is true of an idle process.

aiokafka hides an outage from a consumer that has nothing to read, and nothing else may be asking.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka.errors import KafkaError

from consumer.dependencies import Dependencies, Name

SECONDS_BETWEEN_PROBES = 3.0
SECONDS_TO_ANSWER = 5.0


async def probe(
    name: Name,
    ask: Callable[[], Awaitable[object]],
    dependencies: Dependencies,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Ask for ever; whatever is raised means that `name` does not answer.

    For the database, `ask` is `partial(pool.fetchval, "SELECT 1")`; for Kafka, a KafkaProbe.
    """
    while True:
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER):
                await ask()
        except Exception as error:  # noqa: BLE001 - each one is a reason for /readyz
            dependencies.unanswered(name, error)
        else:
            dependencies.answered(name)
        await sleep(SECONDS_BETWEEN_PROBES)


@asynccontextmanager
async def probed(
    name: Name, ask: Callable[[], Awaitable[object]], dependencies: Dependencies
) -> AsyncIterator[None]:
    """Probe while the block runs; what was opened to ask is closed after it."""
    task = asyncio.create_task(probe(name, ask, dependencies), name=f"probe.{name}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if isinstance(ask, KafkaProbe):
            await ask.close()


class KafkaProbe:
    """Asks a broker about the cluster; where one doesn't answer, every bootstrap server is asked.

    So one broker of several that is away is no outage. on_topics: told the names of all topics,
    which are in each answer about the cluster.
    """

    def __init__(
        self,
        make_admin: Callable[[], Any],
        on_topics: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        self._make_admin = make_admin
        self._on_topics = on_topics
        self._admin: Any = None

    async def __call__(self) -> None:
        if self._admin is not None:
            with suppress(KafkaError, OSError):
                self._on_topics(await self._admin.list_topics())
                return
            await self.close()
        admin = self._make_admin()
        try:
            await admin.start()
        except BaseException:
            await admin.close()
            raise
        self._admin = admin
        with suppress(KafkaError, OSError):  # a broker that doesn't answer, after one that did
            self._on_topics(await admin.list_topics())

    async def close(self) -> None:
        """Give the connection back."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()
