"""A role with a tenant's rights: it sees the tenant that its transaction names, and no other."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.connect import connect, engine
from db.migrate import upgrade
from db.rights import Rights


@asynccontextmanager
async def tenant_sessions(database_url: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions of such a role, which is dropped after the block."""
    role, password = f"ticketing_test_{secrets.token_hex(6)}", secrets.token_hex(8)
    owner = await connect(database_url)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    await upgrade(database_url, grant_to=role, rights=Rights.TENANT)
    parts = urlsplit(database_url)
    address = parts.netloc.rpartition("@")[2]
    database = engine(parts._replace(netloc=f"{role}:{password}@{address}").geturl())
    try:
        yield async_sessionmaker(database)
    finally:
        await database.dispose()
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await owner.close()


async def be(session: AsyncSession, tenant_id: str) -> None:
    """Name the tenant for the rest of the transaction, as a portal does for who has logged in."""
    await session.execute(
        text("SELECT set_config('ticketing.tenant_id', :tenant_id, true)"),
        {"tenant_id": tenant_id},
    )
