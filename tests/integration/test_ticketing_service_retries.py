"""One request id is one ticket, however often it is asked for, from where and at what moment."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.connect import connect
from handlers.batch import Handled, Setting, handle
from handlers.entries import TopicRole, read
from handlers.identity import request_key
from handlers.outcomes import Created, Duplicate, Rejected, Request, Rules
from handlers.record import StoredRecord
from tests.integration.calls import (
    ANNA,
    NORTH,
    SOUTH,
    SOUTHERNER,
    call,
    calling,
    party_id,
    until_someone_waits,
    written,
)

REQUEST = "installation-order-77"


@pytest.fixture
async def session_of(database_url: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions on a database that knows Anna."""
    async with calling(database_url) as made:
        yield made


async def test_a_retry_returns_the_first_result(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        first = await call(session, request_id=REQUEST)
        assert await call(session, request_id=REQUEST) == first
    async with session_of.begin() as session:
        assert await call(session, request_id=REQUEST) == first
    assert await written(session_of) == {1}


async def test_a_retry_returns_the_first_result_as_it_was(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    """A workflow that goes on after its ticket was worked on takes the same way as at first."""
    async with session_of.begin() as session:
        first = await call(session, request_id=REQUEST, priority="low", context={"a": 1})
        await session.execute(
            text(
                "UPDATE tickets SET status = 'resolved', priority = 'urgent', subject = 'Changed',"
                " context = '{}', sequence = 4, sla_due_date = now(), assigned_team = 'noc'"
            )
        )
    async with session_of.begin() as session:
        assert await call(session, request_id=REQUEST, priority="low", context={"a": 1}) == first


async def test_a_retry_with_other_content_still_is_the_first_request(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        first = await call(session, request_id=REQUEST)
        assert await call(session, request_id=REQUEST, title="Something else") == first
    assert await written(session_of) == {1}


async def test_a_retry_after_a_rollback_is_a_first_request(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of() as session:
        lost = await call(session, request_id=REQUEST)
        await session.rollback()
    async with session_of.begin() as session:
        again = await call(session, request_id=REQUEST)
    assert again["ticket_number"] == lost["ticket_number"]
    assert await written(session_of) == {1}


async def test_a_request_that_was_refused_may_be_made_again(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        with pytest.raises(ValueError, match="lookup failed"):
            await call(session, request_id=REQUEST, customer_id=404)
        await call(session, request_id=REQUEST)
    assert await written(session_of) == {1}


async def test_without_a_request_id_each_call_is_a_new_ticket(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        first, second = await call(session), await call(session)
    assert first["request_id"] is None
    assert first["ticket_number"] != second["ticket_number"]
    assert await written(session_of) == {2}


async def test_tenants_share_no_request_ids(session_of: async_sessionmaker[AsyncSession]) -> None:
    async with session_of.begin() as session:
        north = await call(session, request_id=REQUEST)
        south = await call(session, request_id=REQUEST, tenant_id=SOUTH, customer_id=SOUTHERNER)
    assert (north["tenant_id"], south["tenant_id"]) == (NORTH, SOUTH)
    assert north["ticket_id"] != south["ticket_id"]


@pytest.mark.parametrize("committed", [True, False])
async def test_two_sessions_at_once_are_one_request(
    session_of: async_sessionmaker[AsyncSession], *, committed: bool
) -> None:
    """The second waits for the first's end, and gets its result, or its place."""
    async with session_of() as first, session_of() as second:
        ticket = await call(first, request_id=REQUEST)
        waiting = asyncio.create_task(call(second, request_id=REQUEST))
        await until_someone_waits(session_of)
        await (first.commit() if committed else first.rollback())
        again = await waiting
        await second.commit()
    assert again["ticket_number"] == ticket["ticket_number"]
    assert (again == ticket) is committed
    assert await written(session_of) == {1}


async def test_a_crowd_of_sessions_is_one_request(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async def attempt() -> str:
        async with session_of.begin() as session:
            return str((await call(session, request_id=REQUEST))["ticket_number"])

    assert len(set(await asyncio.gather(*(attempt() for _ in range(12))))) == 1
    assert await written(session_of) == {1}


async def test_a_session_that_sees_an_old_snapshot_fails_instead_of_trying_for_ever(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    """Under REPEATABLE READ it can't see who was first; its next transaction can."""
    async with session_of() as old:
        await old.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        await old.execute(text("SELECT 1"))
        async with session_of.begin() as session:
            first = await call(session, request_id=REQUEST)
        with pytest.raises(RuntimeError, match=r"^Failed to create ticket: "):
            await call(old, request_id=REQUEST)
        await old.rollback()
        assert await call(old, request_id=REQUEST) == first


def record(offset: int = 0, **fields: object) -> StoredRecord:
    """A `ticket.requested` with the request id of the calls here."""
    document = {
        "request_id": REQUEST,
        "tenant_id": NORTH,
        "customer_id": ANNA,
        "title": "No connection",
        "description": "The modem shows a red light.",
    } | fields
    value = json.dumps(document).encode()
    return StoredRecord("ticket.requested", 0, offset, 1_700_000_000_000, None, value, ())


def entry(of: StoredRecord) -> Request:
    read_entry = read(of, TopicRole("request"), max_bytes=1_000_000)
    assert isinstance(read_entry, Request)
    return read_entry


async def consume(url: str, of: StoredRecord, *, grace_seconds: float = 0) -> Handled:
    """What the consumer does with the record, committed."""
    connection = await connect(url)
    setting = Setting(Rules(grace_seconds=grace_seconds), "isp-ticketing")
    async with connection.transaction():
        handled = await handle(connection, [entry(of)], setting)
    await connection.close()
    return handled


async def test_a_call_and_a_record_have_one_identity(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    async with session_of.begin() as session:
        ticket = await call(session, request_id=REQUEST)
        stored = await session.scalar(text("SELECT request_key::text FROM requests"))
    request = entry(record())
    assert stored == request.request_key
    assert stored == request_key("request", "request_id", NORTH, REQUEST)
    assert ticket["ticket_id"] == request.ticket_id


async def test_a_record_of_what_was_called_is_a_duplicate(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    async with session_of.begin() as session:
        await call(session, request_id=REQUEST)
    handled = await consume(database_url, record())
    assert isinstance(handled.decisions[0], Duplicate)
    assert await written(session_of) == {1}


async def test_a_call_for_what_a_record_opened_returns_its_ticket(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    handled = await consume(database_url, record(priority="urgent"))
    async with session_of.begin() as session:
        ticket = await call(session, request_id=REQUEST)
    (decision,) = handled.decisions
    assert isinstance(decision, Created)
    assert (ticket["ticket_number"], ticket["priority"]) == (decision.ticket_number, "urgent")
    assert await written(session_of) == {1}


async def test_a_call_for_what_a_record_was_refused_is_decided_anew(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    handled = await consume(database_url, record(customer_id=party_id("Nobody")))
    assert isinstance(handled.decisions[0], Rejected)
    async with session_of.begin() as session:
        ticket = await call(session, request_id=REQUEST)
        outcomes = list(
            await session.execute(text("SELECT outcome, ticket_id::text FROM requests"))
        )
    assert [tuple(row) for row in outcomes] == [("created", ticket["ticket_id"])]


async def test_a_call_for_what_waits_for_its_customer_says_so(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    await consume(database_url, record(customer_id=party_id("Nobody")), grace_seconds=30)
    async with session_of.begin() as session:
        with pytest.raises(RuntimeError) as failed:
            await call(session, request_id=REQUEST)
        await call(session)
    assert str(failed.value) == (
        f"Failed to create ticket: the request {REQUEST} came from Kafka too and waits there for"
        " its customer to be announced; try again later"
    )
