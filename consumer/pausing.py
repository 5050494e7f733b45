"""What people do to pauses: each a transaction of its own, which running services see."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from consumer.settings import Settings
from consumer.transaction import transaction
from db import pauses
from db.connect import open_pool
from db.pauses import Pause


async def pause(settings: Settings, topic: str, reason: str, by: str) -> tuple[Pause, bool]:
    """Pause a topic, named as on the broker; the pause in force, and whether it is this one."""
    async with _writing(settings) as connection:
        return await pauses.pause(connection, topic, reason, by)


async def resume(settings: Settings, topics: Sequence[str] | None) -> list[Pause]:
    """End the pauses of these topics, or of all for None; those that there were."""
    async with _writing(settings) as connection:
        return await pauses.resume(connection, topics)


@asynccontextmanager
async def _writing(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    pool = await open_pool(
        settings.database_url.get_secret_value(),
        size=1,
        pooler=settings.database_pooler,
        application_name="ticketing pause",
    )
    try:
        async with transaction(pool) as connection:
            yield connection
    finally:
        await pool.close()
