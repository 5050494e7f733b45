"""What a call of TicketingService opens and returns, on real PostgreSQL (DESIGN 1.5)."""

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from db import tables
from devstack.databases import create_database, drop_database
from devstack.stack import Stack
from handlers.identity import request_key, ticket_id, ticket_number
from handlers.workflow import TicketingService
from schemas.vocabulary import TicketType
from tests.integration.calls import (
    ANNA,
    ANNA_NUMBER,
    NORTH,
    PARTNER,
    call,
    calling,
    party_id,
    written,
)

PROMISED_KEYS = {
    *("ticket_id", "ticket_number", "title", "description", "customer_id", "origin_type"),
    *("target_type", "priority", "ticket_type", "status", "assigned_team", "service_address"),
    *("sla_due_date", "context", "created_at"),
}
VARYING = {"ticket_id", "ticket_number", "sla_due_date", "created_at"}


@pytest.fixture(scope="module")
async def session_of(
    stack: Stack, migrated_template: str
) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions on a database that knows Anna, shared by this module: nothing is committed."""
    url = create_database(stack.postgres.url, template=migrated_template)
    async with calling(url) as made:
        yield made
    drop_database(url)


@pytest.fixture
async def session(
    session_of: async_sessionmaker[AsyncSession],
) -> AsyncIterator[AsyncSession]:
    """A session that commits nothing by itself."""
    async with session_of() as made:
        yield made


async def rows(session: AsyncSession, table: str) -> list[dict[str, Any]]:
    found = await session.execute(text(f"SELECT * FROM {table}"))  # noqa: S608  a name of ours
    return [dict(row) for row in found.mappings()]


async def test_the_onboarding_call_of_the_seed(session: AsyncSession) -> None:
    ticket = await call(
        session,
        title="New Customer Onboarding",
        description="New customer ada@example.com has been onboarded.",
        priority="high",
        assigned_team="onboarding_team",
        ticket_type="general_inquiry",
    )
    assert ticket.keys() >= PROMISED_KEYS
    assert re.fullmatch(r"TCK-[0-9A-F]{12}", ticket["ticket_number"])
    assert str(UUID(ticket["ticket_id"])) == ticket["ticket_id"]
    created_at = datetime.fromisoformat(ticket["created_at"])
    assert created_at.utcoffset() == timedelta(0)
    assert datetime.fromisoformat(ticket["sla_due_date"]) - created_at == timedelta(hours=24)
    assert {name: ticket[name] for name in PROMISED_KEYS - VARYING} == {
        "title": "New Customer Onboarding",
        "description": "New customer ada@example.com has been onboarded.",
        "customer_id": ANNA,
        "origin_type": "customer",
        "target_type": "tenant",
        "priority": "high",
        "ticket_type": "general_inquiry",
        "status": "open",
        "assigned_team": "onboarding_team",
        "service_address": None,
        "context": {"assigned_team": "onboarding_team", "routing": {"team": "onboarding_team"}},
    }


async def test_the_installation_call_of_the_seed(session: AsyncSession) -> None:
    address = "123 Main St, Anytown, USA"
    ticket = await call(
        session,
        title="Installation Request",
        description=f"Customer requests installation at {address}",
        priority="normal",
        assigned_team="field_ops",
        ticket_type="installation_request",
        service_address=address,
    )
    assert ticket["ticket_type"] == "installation_request"
    assert ticket["service_address"] == address
    assert ticket["context"] == {"assigned_team": "field_ops", "routing": {"team": "field_ops"}}


async def test_arguments_may_be_given_in_the_order_of_the_seed(session: AsyncSession) -> None:
    ticket = await TicketingService(session).create_ticket(
        "No connection",
        "Since noon.",
        ANNA,
        "low",
        "support_team",
        NORTH,
        "outage_report",
        "1 Main St",
    )
    assert (ticket["priority"], ticket["assigned_team"], ticket["tenant_id"]) == (
        "low",
        "support_team",
        NORTH,
    )
    assert (ticket["ticket_type"], ticket["service_address"]) == ("outage_report", "1 Main St")


async def test_what_is_returned_is_what_is_stored_and_published(session: AsyncSession) -> None:
    ticket = await call(
        session,
        priority="urgent",
        assigned_team="noc",
        request_id="alarm-1",
        affected_services=["internet", "voip"],
        device_serial_numbers=["SN123456"],
        service_address="1 Main St",
        ticket_type="outage_report",
    )
    (stored,) = await rows(session, "tickets")
    same = (
        *("ticket_number", "tenant_id", "request_id", "status", "priority", "origin_type"),
        *("target_type", "assigned_team", "ticket_type", "service_address", "affected_services"),
        *("device_serial_numbers", "context", "escalation_level", "sequence"),
    )
    assert {name: stored[name] for name in same} == {name: ticket[name] for name in same}
    assert (str(stored["id"]), stored["subject"]) == (ticket["ticket_id"], ticket["title"])
    assert str(stored["customer_id"]) == ticket["customer_id"] == ANNA
    for moment in ("created_at", "sla_due_date", "first_response_due_at"):
        assert stored[moment] == datetime.fromisoformat(ticket[moment])
    (fact,) = await rows(session, "ticket_facts")
    assert json.loads(fact["data"]) == ticket
    assert (fact["ce_type"], fact["sequence"], fact["causation_id"]) == (
        "ticket.created",
        1,
        "alarm-1",
    )
    (announced,) = await rows(session, "outbox")
    assert (announced["id"], announced["facts"]) == (fact["outbox_id"], 1)


async def test_the_description_is_the_one_message_and_the_workflow_its_sender(
    session: AsyncSession,
) -> None:
    """The reference showed its first message twice (REFERENCE 9.3)."""
    file = {"name": "speed.png", "url": "https://files.example.com/1", "size": 12}
    ticket = await call(session, description="  It is slow.  ", attachments=[file])
    (message,) = await rows(session, "ticket_messages")
    assert (message["body"], message["sender_type"], message["sender_id"]) == (
        "It is slow.",
        "system",
        "system@workflow",
    )
    assert message["attachments"] == [file | {"content_type": None}]
    assert ticket["description"] == "It is slow."


async def test_another_actor_may_be_named(session: AsyncSession) -> None:
    await call(session, actor={"type": "tenant", "id": "agent-7"})
    (message,) = await rows(session, "ticket_messages")
    assert (message["sender_type"], message["sender_id"]) == ("tenant", "agent-7")


@pytest.mark.parametrize(
    "customer_id",
    [
        pytest.param(ANNA, id="our id"),
        pytest.param(ANNA.upper(), id="our id in capitals"),
        pytest.param(UUID(ANNA), id="our id as an ORM holds it"),
        pytest.param(ANNA_NUMBER, id="the external id"),
    ],
)
async def test_a_customer_is_named_by_either_id(
    session: AsyncSession, customer_id: UUID | str | int
) -> None:
    assert (await call(session, customer_id=customer_id))["customer_id"] == ANNA


@pytest.mark.parametrize(
    ("given", "priority", "resolution_hours", "first_response_hours"),
    [
        (..., "normal", 72, 24),
        ("low", "low", 168, 48),
        ("normal", "normal", 72, 24),
        ("medium", "normal", 72, 24),
        ("High", "high", 24, 4),
        ("URGENT", "urgent", 8, 1),
        ("critical", "urgent", 8, 1),
    ],
)
async def test_a_priority_sets_the_due_dates(
    session: AsyncSession,
    given: object,
    priority: str,
    resolution_hours: int,
    first_response_hours: int,
) -> None:
    """The reference left every due date null, and took "medium" for a misspelling."""
    ticket = await call(session, priority=given)
    created_at = datetime.fromisoformat(ticket["created_at"])
    due = datetime.fromisoformat(ticket["sla_due_date"])
    first_response = datetime.fromisoformat(ticket["first_response_due_at"])
    assert ticket["priority"] == priority
    assert due - created_at == timedelta(hours=resolution_hours)
    assert first_response - created_at == timedelta(hours=first_response_hours)


@pytest.mark.parametrize("ticket_type", [*TicketType, "Outage_Report", None])
async def test_a_ticket_type_is_taken_in_any_case(
    session: AsyncSession, ticket_type: str | None
) -> None:
    ticket = await call(session, ticket_type=ticket_type)
    assert ticket["ticket_type"] == (ticket_type and ticket_type.lower())


async def test_without_a_team_the_context_is_empty(session: AsyncSession) -> None:
    ticket = await call(session)
    assert (ticket["assigned_team"], ticket["context"]) == (None, {})


async def test_a_context_of_ones_own_is_kept_beside_the_team(session: AsyncSession) -> None:
    context = {"order": 77, "routing": {"queue": "b"}, "note": "naïve 🚀"}
    ticket = await call(session, context=context, assigned_team="noc")
    assert ticket["context"] == context | {
        "assigned_team": "noc",
        "routing": {"queue": "b", "team": "noc"},
    }
    assert context == {"order": 77, "routing": {"queue": "b"}, "note": "naïve 🚀"}
    (stored,) = await rows(session, "tickets")
    assert stored["context"] == ticket["context"]


@pytest.mark.parametrize(
    ("origin", "target_type", "partner_id"),
    [
        ("tenant", "platform", None),
        ("tenant", "partner", PARTNER),
        ("partner", "platform", PARTNER),
        ("partner", "tenant", UUID(PARTNER)),
        ("platform", "tenant", None),
        ("platform", "partner", PARTNER),
    ],
)
async def test_the_other_routes_are_open_too(
    session: AsyncSession, origin: str, target_type: str, partner_id: UUID | str | None
) -> None:
    """No workflow of the reference could do that: all its callers counted as the tenant."""
    ticket = await call(
        session,
        customer_id=None,
        origin_type=origin,
        target_type=target_type,
        partner_id=partner_id,
    )
    assert (ticket["origin_type"], ticket["target_type"], ticket["customer_id"]) == (
        origin,
        target_type,
        None,
    )
    assert ticket["partner_id"] == (partner_id and PARTNER)


async def test_text_is_kept_as_sent(session: AsyncSession) -> None:
    title = "Zürich: 故障 100 % «down»"
    description = "C:\\modem\\log\n\t\"quoted\" 'single' \\N {} %s"
    ticket = await call(session, title=f" {title}\u00a0", description=description)
    (stored,) = await rows(session, "tickets")
    (message,) = await rows(session, "ticket_messages")
    assert ticket["title"] == stored["subject"] == title
    assert ticket["description"] == message["body"] == description


async def test_a_number_that_is_taken_gives_way_to_the_next(session: AsyncSession) -> None:
    first = await call(session)
    number = ticket_number(ticket_id(request_key("request", "request_id", NORTH, "clash")))
    await session.execute(
        tables.tickets.update()
        .where(tables.tickets.c.id == first["ticket_id"])
        .values(ticket_number=number)
    )
    second = await call(session, request_id="clash")
    assert second["ticket_number"] != number
    found = await session.scalars(select(tables.tickets.c.ticket_number))
    assert set(found) == {number, second["ticket_number"]}


async def test_any_engine_on_asyncpg_will_do(database_url: str) -> None:
    """SQLAlchemy's own connections decode JSON and cache statements in their own ways."""
    plain = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(database_url)
    )
    async with calling(database_url) as session_of:
        async with AsyncSession(plain) as session, session.begin():
            given = {"customer_id": ANNA_NUMBER, "request_id": "r1", "context": {"a": [1]}}
            first = await call(session, **given)
            assert await call(session, **given) == first
        assert await written(session_of) == {1}
    await plain.dispose()


async def test_unknown_customers_are_not_invented(session: AsyncSession) -> None:
    with pytest.raises(ValueError, match="customer lookup failed"):
        await call(session, customer_id=party_id("Nobody"))
    known = await session.scalars(select(tables.customers.c.id))
    assert party_id("Nobody") not in set(known)
