"""TicketingService inside its caller's transaction: it commits nothing and breaks nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.connect import engine
from tests.integration.calls import (
    ANNA_NUMBER,
    PARTNER,
    call,
    calling,
    party_id,
    until_someone_waits,
    written,
)
from tests.records import in_days


class Base(DeclarativeBase):
    pass


class Note(Base):
    """Some row of the caller's own."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[str | None]


@pytest.fixture
async def session_of(database_url: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions on a database that knows Anna and has a table of the caller's."""
    async with calling(database_url) as made:
        async with made.begin() as session:
            await (await session.connection()).run_sync(Base.metadata.create_all)
        yield made


async def notes(session_of: async_sessionmaker[AsyncSession]) -> list[tuple[Any, ...]]:
    async with session_of() as session:
        found = await session.execute(text("SELECT id, ticket_number FROM notes ORDER BY id"))
        return [tuple(row) for row in found]


async def driver_of(session: AsyncSession) -> asyncpg.Connection:
    raw = await (await session.connection()).get_raw_connection()
    return raw.driver_connection


@pytest.mark.parametrize("begun_before", [False, True])
async def test_a_rollback_takes_the_ticket_along(
    session_of: async_sessionmaker[AsyncSession], *, begun_before: bool
) -> None:
    """Also when the call is the session's first statement: a raw connection has none begun yet."""
    async with session_of() as session:
        if begun_before:
            await session.execute(text("SELECT 1"))
        await call(session)
        assert await written(session_of) == {0}
        await session.rollback()
    assert await written(session_of) == {0}


async def test_the_callers_commit_is_the_tickets(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of() as session:
        await call(session)
        await session.commit()
    assert await written(session_of) == {1}


async def test_work_before_and_after_shares_the_transaction(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        session.add(Note(id=1))
        ticket = await call(session)
        session.add(Note(id=2, ticket_number=ticket["ticket_number"]))
        first = await session.get_one(Note, 1)
        first.ticket_number = "seen"
    assert await notes(session_of) == [(1, "seen"), (2, ticket["ticket_number"])]
    assert await written(session_of) == {1}


async def test_work_that_fails_afterwards_undoes_the_ticket(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async def work() -> None:
        async with session_of.begin() as session:
            session.add(Note(id=1))
            await call(session)
            await session.execute(text("INSERT INTO notes (id) VALUES (1)"))

    with pytest.raises(DBAPIError):
        await work()
    assert await notes(session_of) == []
    assert await written(session_of) == {0}


async def test_a_savepoint_of_the_caller_can_be_undone_alone(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        session.add(Note(id=1))
        savepoint = await session.begin_nested()
        await call(session)
        await savepoint.rollback()
        session.add(Note(id=2))
    assert await notes(session_of) == [(1, None), (2, None)]
    assert await written(session_of) == {0}


async def test_a_call_that_fails_undoes_itself_alone(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    """What the session did before stays, and what it does after is possible."""
    async with session_of.begin() as session:
        await session.execute(
            text("ALTER TABLE ticket_facts ADD CONSTRAINT calm CHECK (data NOT LIKE '%PANIC%')")
        )
    async with session_of.begin() as session:
        session.add(Note(id=1))
        kept = await call(session)
        with pytest.raises(RuntimeError):
            await call(session, title="PANIC")
        with pytest.raises(ValueError, match="lookup failed"):
            await call(session, customer_id=404)
        session.add(Note(id=2, ticket_number=kept["ticket_number"]))
    assert await notes(session_of) == [(1, None), (2, kept["ticket_number"])]
    assert await written(session_of) == {1}


async def test_many_tickets_fit_into_one_transaction(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        numbers = {(await call(session))["ticket_number"] for _ in range(5)}
    assert len(numbers) == 5
    assert await written(session_of) == {5}


@contextmanager
def statements_of(connection: asyncpg.Connection) -> Iterator[list[str]]:
    """What the connection is asked meanwhile, savepoints aside. Each entry is one round trip."""
    asked: list[str] = []

    def note(record: Any) -> None:  # noqa: ANN401  asyncpg's LoggedQuery
        words = record.query.split()
        if words[0] not in {"SAVEPOINT", "RELEASE", "ROLLBACK"}:
            asked.append(words[0])

    with connection.query_logger(note):
        yield asked


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["SELECT", "WITH"]),
        ({"customer_id": ANNA_NUMBER, "request_id": "r1"}, ["SELECT", "WITH"]),
        (
            {"origin_type": "tenant", "target_type": "partner", "partner_id": PARTNER},
            ["SELECT", "WITH"],
        ),
        ({"context": {"scheduled_visit": in_days(100)}}, ["SELECT", "WITH"]),
        ({"request_id": "known"}, ["SELECT", "SELECT"]),
    ],
)
async def test_a_call_asks_at_most_twice_and_writes_once(
    session_of: async_sessionmaker[AsyncSession], arguments: dict[str, Any], expected: list[str]
) -> None:
    """On a connection that has asked nothing before."""
    async with session_of.begin() as session:
        await call(session, request_id="known")
    await session_of.kw["bind"].dispose()
    async with session_of() as session:
        with statements_of(await driver_of(session)) as asked:
            await call(session, **arguments)
    assert asked == ["BEGIN;", *expected]


async def test_a_refused_call_asks_once_and_a_bad_one_never(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of() as session:
        with statements_of(await driver_of(session)) as asked:
            with pytest.raises(ValueError, match="lookup failed"):
                await call(session, customer_id=party_id("Nobody"))
            with pytest.raises(ValueError, match="priority"):
                await call(session, priority="sky-high")
    assert asked == ["BEGIN;", "SELECT"]


async def test_a_lost_connection_costs_the_transaction_and_nothing_else(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    """The same session, and the same pool, open the ticket afterwards."""
    async with session_of() as session:
        session.add(Note(id=1))
        await session.flush()
        await kill_backend_of(session, session_of)
        with pytest.raises(RuntimeError, match=r"^Failed to create ticket: ") as failed:
            await call(session, request_id="r1")
        assert failed.value.__cause__ is not None
        await session.rollback()
        await call(session, request_id="r1")
        await session.commit()
    assert await notes(session_of) == []
    assert await written(session_of) == {1}


async def test_a_lost_connection_ends_a_begin_block_with_our_error(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async def work() -> None:
        async with session_of.begin() as session:
            await kill_backend_of(session, session_of)
            await call(session)

    with pytest.raises(RuntimeError, match=r"^Failed to create ticket: "):
        await work()
    async with session_of.begin() as session:
        await call(session)
    assert await written(session_of) == {1}


async def test_a_call_that_waits_too_long_undoes_itself_alone(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    impatient = engine(database_url, command_timeout=0.2)
    async with session_of() as first, AsyncSession(impatient) as second:
        await call(first, request_id="r1")
        second.add(Note(id=1))
        with pytest.raises(RuntimeError, match=r"^Failed to create ticket: \w+"):
            await call(second, request_id="r1")
        await call(second, request_id="r2")
        await second.commit()
        await first.rollback()
    await impatient.dispose()
    assert await notes(session_of) == [(1, None)]
    assert await written(session_of) == {1}


async def test_a_call_that_is_cancelled_leaves_its_session_to_a_rollback(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of() as first, session_of() as second:
        await call(first, request_id="r1")
        waiting = asyncio.create_task(call(second, request_id="r1"))
        await until_someone_waits(session_of)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await first.commit()
        await second.rollback()
        await call(second, request_id="r1")
        await second.commit()
    assert await written(session_of) == {1}


async def kill_backend_of(
    session: AsyncSession, session_of: async_sessionmaker[AsyncSession]
) -> None:
    """Returns when the session's connection knows that its server process is gone."""
    connection = await driver_of(session)
    gone = asyncio.Event()
    connection.add_termination_listener(lambda _: gone.set())
    async with session_of.begin() as other:
        pid = connection.get_server_pid()
        await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    await gone.wait()
