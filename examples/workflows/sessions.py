"""Sessions for the examples, over the same connections as the service's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.connect import engine


@asynccontextmanager
async def sessions(url: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions on the database while the block lasts."""
    database = engine(url, application_name="ticketing example")
    try:
        yield async_sessionmaker(database)
    finally:
        await database.dispose()
