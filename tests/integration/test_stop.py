"""Told to stop while a sweep commits: what it committed is published before the process ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from consumer.compose import Machine, Outside
from consumer.dependencies import Dependencies
from consumer.health import Health
from consumer.metrics import Metrics
from consumer.roles import Role
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.watchdog import Watchdog
from tests.integration import relay_stage
from tests.integration.batch_stage import staged
from tests.integration.test_closing import apply, closings, resolved, statuses

pytestmark = pytest.mark.integration


class Cut:
    """A pool whose connections, once a sweep has closed tickets, are cut off at its commit.

    is_kept: whether the commit takes effect before that. reached: the commit was.
    """

    def __init__(self, pool: asyncpg.Pool, *, is_kept: bool) -> None:
        self._pool = pool
        self._is_kept = is_kept
        self.reached = asyncio.Event()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            yield CutConnection(connection, self)

    async def commit(self, connection: asyncpg.Connection) -> str:
        if self._is_kept:
            await connection.execute("COMMIT")
        self.reached.set()
        await asyncio.Event().wait()  # until it is told to stop
        return ""


class CutConnection:
    def __init__(self, connection: asyncpg.Connection, cut: Cut) -> None:
        self._connection = connection
        self._cut = cut
        self._has_closed = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a connection has
        return getattr(self._connection, name)

    async def fetch(self, question: str, *arguments: object) -> Any:  # noqa: ANN401  as the original
        self._has_closed |= "SKIP LOCKED" in question
        return await self._connection.fetch(question, *arguments)

    async def execute(self, statement: str, *arguments: object) -> str:
        if statement == "COMMIT" and self._has_closed:
            return await self._cut.commit(self._connection)
        done: str = await self._connection.execute(statement, *arguments)
        return done


@pytest.mark.parametrize("is_kept", [True, False])
async def test_what_a_sweep_has_committed_does_not_wait_for_the_next_process(
    module_database: str, kafka: str, topic_prefix: str, *, is_kept: bool
) -> None:
    settings = Settings(
        _env_file=None,
        database_url=module_database,
        kafka_bootstrap_servers=kafka,
        topic_prefix=topic_prefix,
    )
    async with (
        staged(module_database) as stage,
        relay_stage.staged(module_database, kafka, topic_prefix) as subscriber,
    ):
        for topic in ("ticket.created", "ticket.updated"):
            await subscriber.create_topic(topic)
        await stage.know("Anna")
        tickets = await resolved(stage, 1, 2, ago=2)
        await apply(stage, 1)
        pool = Cut(stage.pool, is_kept=is_kept)
        await work(settings, pool)
        expected = "closed" if is_kept else "resolved"
        assert await statuses(stage) == dict.fromkeys(tickets, expected)
        assert await stage.count("outbox") == 0
        facts = await subscriber.everything("ticket.updated")
        assert len(facts) == len(tickets) + len(await closings(stage))


async def work(settings: Settings, pool: Cut) -> None:
    """Be a service of timers and a relay until a sweep commits; then stop."""
    metrics = Metrics()
    dependencies = Dependencies(metrics)
    watchdog = Watchdog(dependencies)
    roles = frozenset({Role.TIMERS, Role.RELAY})
    made = Machine(settings, roles, Outside(), pool, metrics, dependencies, may_copy=True)
    async with asyncio.timeout(60), Shutdown(settings.shutdown_seconds) as shutdown:
        running = asyncio.create_task(
            made.run(shutdown, watchdog, Health(dependencies, watchdog, metrics))
        )
        await pool.reached.wait()
        shutdown.request("a test")
        await running
