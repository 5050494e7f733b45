"""Connections as a server sees them: settings, deadlines, several hosts, SQLAlchemy over them."""

import asyncio
import socket
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from db.connect import connect, engine, open_pool
from db.errors import Remedy, remedy
from devstack.stack import Stack


def with_query(url: str, query: str) -> str:
    return urlsplit(url)._replace(query=query).geturl()


async def shown(url: str, *names: str, pooler: bool = False) -> list[str]:
    connection = await connect(url, pooler=pooler, application_name="who asks")
    try:
        return [await connection.fetchval(f"SHOW {name}") for name in names]
    finally:
        await connection.close()


async def test_every_connection_has_the_same_settings(stack: Stack) -> None:
    assert await shown(stack.postgres.url, "timezone", "jit", "statement_timeout") == [
        "UTC",
        "off",
        "30s",
    ]
    assert await shown(
        stack.postgres.url, "application_name", "idle_in_transaction_session_timeout"
    ) == ["who asks", "15s"]


async def test_behind_a_pooler_only_its_own_settings_are_sent(stack: Stack) -> None:
    assert await shown(stack.postgres.url, "timezone", "statement_timeout", pooler=True) == [
        "UTC",
        "0",
    ]


async def test_behind_a_pooler_no_statement_is_kept(stack: Stack) -> None:
    pool = await open_pool(stack.postgres.url, size=1, pooler=True)
    async with pool.acquire() as connection:
        await connection.fetchval("SELECT $1::int", 1)
        assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
    await pool.close()


async def test_parameters_of_libpq_reach_whom_they_concern(stack: Stack) -> None:
    url = with_query(
        stack.postgres.url,
        "sslmode=prefer&connect_timeout=5&keepalives=1&gssencmode=disable&options=-c%20geqo%3Doff",
    )
    assert await shown(url, "geqo") == ["off"]


async def test_of_several_hosts_one_that_answers_is_taken(stack: Stack) -> None:
    parts = urlsplit(stack.postgres.url)
    account, _, address = parts.netloc.rpartition("@")
    with socket.socket() as taken:  # bound and not listening: refuses connections
        taken.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{taken.getsockname()[1]}"
        url = parts._replace(netloc=f"{account}@{dead},{address}").geturl()
        assert await shown(url, "transaction_read_only") == ["off"]


async def test_a_statement_has_a_deadline_and_that_means_wait(stack: Stack) -> None:
    pool = await open_pool(stack.postgres.url, size=1, command_timeout=0.1)
    with pytest.raises((TimeoutError, asyncpg.QueryCanceledError)) as late:
        await pool.execute("SELECT pg_sleep(30)")
    assert remedy(late.value) is Remedy.WAIT
    await pool.close()


async def test_giving_a_connection_back_is_no_round_trip(stack: Stack) -> None:
    pool = await open_pool(stack.postgres.url, size=1)
    queries: list[str] = []
    async with pool.acquire() as connection:
        connection.add_query_logger(lambda logged: queries.append(logged.query))
        await connection.execute("SELECT 1")
    async with pool.acquire() as connection:
        await connection.execute("SELECT 2")
    assert queries == ["SELECT 1", "SELECT 2"]
    await pool.close()


async def test_a_transaction_left_open_is_over_when_its_connection_returns(stack: Stack) -> None:
    pool = await open_pool(stack.postgres.url, size=1)
    async with pool.acquire() as connection:
        await connection.execute("BEGIN")
    async with pool.acquire() as connection:
        assert not connection.is_in_transaction()
    await pool.close()


async def test_no_server_shows_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"refused|failed") as absent:
            await open_pool(f"postgresql://u@127.0.0.1:{taken.getsockname()[1]}/d", size=1)
    assert remedy(absent.value) is Remedy.WAIT


@pytest.mark.parametrize("pooler", [False, True])
async def test_sqlalchemy_takes_the_url_that_its_dialect_refuses(
    stack: Stack, *, pooler: bool
) -> None:
    database = engine(with_query(stack.postgres.url, "sslmode=prefer"), pooler=pooler)
    async with database.connect() as connection:
        assert (await connection.execute(text("SHOW timezone"))).scalar() == "UTC"
    await database.dispose()


async def test_behind_a_pooler_sqlalchemys_statements_have_names_of_their_own(
    stack: Stack,
) -> None:
    database = engine(stack.postgres.url, pooler=True)
    names = text("SELECT name FROM pg_prepared_statements WHERE name LIKE 'ticketing_%'")
    async with database.connect() as connection:
        first = (await connection.execute(names)).scalars().all()
        second = (await connection.execute(names)).scalars().all()
    await database.dispose()
    assert first
    assert set(second) - set(first)


async def test_a_pool_grows_to_its_size(stack: Stack) -> None:
    pool = await open_pool(stack.postgres.url, size=3)
    assert pool.get_size() == 1
    met = asyncio.Barrier(3)

    async def hold() -> None:
        async with pool.acquire() as connection:
            await connection.execute("SELECT 1")
            await met.wait()

    await asyncio.gather(hold(), hold(), hold())
    assert pool.get_size() == 3
    await pool.close()
