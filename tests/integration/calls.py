"""Calls of TicketingService, valid by default, on a database that knows a few parties."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db import tables
from db.bulk import NULL, Rows, copy
from db.connect import connect, engine
from handlers.workflow import TicketingService

NORTH, SOUTH = "north", "south"
ANNA_NUMBER = 1001


def party_id(name: str) -> str:
    """The same id for the same name, in every run."""
    return str(uuid5(NAMESPACE_OID, name))


ANNA, DELETED, SOUTHERNER = party_id("Anna"), party_id("Deleted"), party_id("Southerner")
PARTNER, IDLE, GONE, FOREIGN = (party_id(name) for name in ("Partner", "Idle", "Gone", "Foreign"))

_COLUMNS = ("id", "tenant_id", "external_id", "status", "updated_at")
_MOMENT = "2026-01-01T00:00:00+00:00"
_PARTIES = {
    tables.customers: [
        (ANNA, NORTH, str(ANNA_NUMBER), "active", _MOMENT),
        (DELETED, NORTH, "1002", "deleted", _MOMENT),
        (SOUTHERNER, SOUTH, "2001", "active", _MOMENT),
    ],
    tables.partners: [
        (PARTNER, NORTH, NULL, "active", _MOMENT),
        (IDLE, NORTH, NULL, "suspended", _MOMENT),
        (GONE, NORTH, NULL, "deleted", _MOMENT),
        (FOREIGN, SOUTH, NULL, "active", _MOMENT),
    ],
}

WRITTEN = ("tickets", "ticket_messages", "ticket_facts", "requests", "outbox")
"""The tables that a call writes one row to, each."""


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Sessions on the database, which knows Anna and the others from here on."""
    connection = await connect(url)
    for table, rows in _PARTIES.items():
        await copy(connection, Rows(table, _COLUMNS, rows))
    await connection.close()
    database = engine(url)
    yield async_sessionmaker(database)
    await database.dispose()


async def call(session: AsyncSession, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  anything that callers may pass
    """A call for Anna; an argument that is ... is left out."""
    arguments: dict[str, Any] = {
        "title": "No connection",
        "description": "The modem shows a red light.",
        "customer_id": ANNA,
        "tenant_id": NORTH,
    } | changes
    given = {name: value for name, value in arguments.items() if value is not ...}
    return await TicketingService(db=session).create_ticket(**given)


async def written(session_of: async_sessionmaker[AsyncSession]) -> set[int]:
    """How many rows there are in the tables that a call writes to, as another session sees them.

    One number, since they are as many in each.
    """
    async with session_of() as session:
        counts = [
            await session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608  a name of ours
            for table in WRITTEN
        ]
    return set(counts)


async def until_someone_waits(session_of: async_sessionmaker[AsyncSession]) -> None:
    """Returns when a backend is blocked by another's lock."""
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND cardinality(pg_blocking_pids(pid)) > 0"
    )
    async with asyncio.timeout(30), session_of() as session:
        while not await session.scalar(blocked):
            await session.rollback()  # the view is frozen within a transaction
