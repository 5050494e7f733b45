"""The lease on a real database: one holder, a number that rises, and no write under an old one."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumer.ledger import beginning
from db import lease
from db.connect import connect
from db.lease import Holder, Lease, LeaseLost

pytestmark = pytest.mark.integration

HOUR = 3_600.0
CONNECTION_ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises depends on how much of the server's farewell it has read."""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await connect(database_url)
    yield opened
    await opened.close()


async def taken(connection: asyncpg.Connection, holder: str, seconds: float = HOUR) -> Lease:
    found = await lease.acquire(connection, "relay", holder, seconds=seconds)
    assert found is not None
    return found


async def test_only_one_holds_it(connection: asyncpg.Connection) -> None:
    assert await lease.current(connection, "relay") is None
    assert await taken(connection, "first") == Lease("relay", "first", 1)
    assert await lease.acquire(connection, "relay", "second", seconds=HOUR) is None
    assert await lease.acquire(connection, "relay", "first", seconds=HOUR) is None
    match await lease.current(connection, "relay"):
        case Holder("first", 1, expires_in):
            assert 0 < expires_in <= HOUR
        case unexpected:
            pytest.fail(f"{unexpected}")


async def test_only_one_of_many_takes_it(database_url: str) -> None:
    connections = [await connect(database_url) for _ in range(8)]
    found = await asyncio.gather(
        *(
            lease.acquire(each, "relay", f"relay-{number}", seconds=HOUR)
            for number, each in enumerate(connections)
        )
    )
    assert [each.fence for each in found if each is not None] == [1]
    for each in connections:
        await each.close()


async def test_an_expired_one_goes_to_the_next_with_a_higher_fence(
    connection: asyncpg.Connection,
) -> None:
    first = await taken(connection, "first", seconds=0.0)
    second = await taken(connection, "second")
    assert (first.fence, second.fence) == (1, 2)
    with pytest.raises(LeaseLost, match="no longer ours under fence 1"):
        await lease.renew(connection, first, seconds=HOUR)
    with pytest.raises(LeaseLost):
        await lease.confirm(connection, first)
    await lease.release(connection, first)
    await lease.renew(connection, second, seconds=HOUR)
    assert await lease.acquire(connection, "relay", "third", seconds=HOUR) is None


async def test_a_released_one_is_free_at_once(connection: asyncpg.Connection) -> None:
    await lease.release(connection, await taken(connection, "first"))
    assert (await taken(connection, "second")).fence == 2


async def test_nobody_takes_it_over_while_a_write_under_it_is_open(
    connection: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    held = await taken(connection, "first", seconds=0.0)
    await connection.execute(beginning(HOUR))
    await lease.confirm(connection, held)
    taking = asyncio.create_task(taken(other, "second"))
    await is_waiting(connection, other)
    assert not taking.done()
    await connection.execute("COMMIT")
    assert (await taking).fence == 2


async def test_who_stands_still_in_a_write_loses_it_with_its_connection(
    connection: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    held = await taken(connection, "first", seconds=0.0)
    await connection.execute(beginning(0.2))
    await lease.confirm(connection, held)
    assert (await taken(other, "second")).fence == 2
    with pytest.raises(CONNECTION_ENDED):
        await connection.execute("COMMIT")


async def is_waiting(connection: asyncpg.Connection, waiting: asyncpg.Connection) -> None:
    """Return once the other connection waits for a lock."""
    blocked = "SELECT pg_blocking_pids($1) <> '{}'"
    while not await connection.fetchval(blocked, waiting.get_server_pid()):
        pass
