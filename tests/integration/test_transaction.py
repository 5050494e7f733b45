"""Connections that the pool had better not keep."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumer.transaction import lent, transaction
from db.connect import open_pool

pytestmark = pytest.mark.integration

READ_ONLY = "SET default_transaction_read_only = on"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Of one connection, which can only read, as one to a primary of yesterday."""
    pool = await open_pool(database_url, size=1)
    async with pool.acquire() as connection:
        await connection.execute(READ_ONLY)
    yield pool
    await pool.close()


async def test_a_connection_that_can_only_read_is_replaced(pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with transaction(pool) as connection:
            await connection.execute("DELETE FROM outbox")
    async with transaction(pool) as connection:
        assert await connection.execute("DELETE FROM outbox") == "DELETE 0"


async def test_also_outside_a_transaction(pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with lent(pool) as connection:
            await connection.execute("DELETE FROM leases")
    async with lent(pool) as connection:
        assert await connection.execute("DELETE FROM leases") == "DELETE 0"


async def test_any_other_error_costs_no_connection(pool: asyncpg.Pool) -> None:
    async with lent(pool) as connection:
        before = connection.get_server_pid()
    with pytest.raises(asyncpg.UndefinedTableError):
        async with transaction(pool) as connection:
            await connection.execute("DELETE FROM nothing")
    async with lent(pool) as connection:
        assert connection.get_server_pid() == before


async def test_a_connection_that_ended_meanwhile_hides_no_cancellation(
    pool: asyncpg.Pool, database_url: str
) -> None:
    """The server ends it, perhaps because we stood still; the pool takes it back at once."""
    ended = asyncio.Event()

    async def work() -> None:
        async with transaction(pool) as connection:
            inner = connection._con  # noqa: SLF001  what the pool has lent: who is told of its end
            inner.add_termination_listener(lambda _: ended.set())
            await end(database_url, connection.get_server_pid())
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await ended.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def end(database_url: str, pid: int) -> None:
    other = await asyncpg.connect(database_url)
    await other.execute("SELECT pg_terminate_backend($1)", pid)
    await other.close()


async def test_a_rollback_that_fails_hides_nothing_either(
    pool: asyncpg.Pool, database_url: str
) -> None:
    """The server has ended the session, and nobody here has heard of it yet."""

    async def work() -> None:
        async with transaction(pool) as connection:
            transport = connection._con._transport  # noqa: SLF001  so that the end isn't read
            transport.pause_reading()
            await end(database_url, connection.get_server_pid())
            asyncio.get_running_loop().call_soon(transport.resume_reading)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    async with lent(pool) as connection:
        assert await connection.fetchval("SELECT 1") == 1
