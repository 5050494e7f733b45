"""What a call of TicketingService refuses, word for word, and that nothing is left of it."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from devstack.databases import create_database, drop_database
from devstack.stack import Stack
from tests.integration.calls import (
    DELETED,
    FOREIGN,
    GONE,
    IDLE,
    PARTNER,
    SOUTHERNER,
    call,
    calling,
    party_id,
    written,
)

NOBODY = party_id("Nobody")


@pytest.fixture(scope="module")
async def session_of(
    stack: Stack, migrated_template: str
) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions on a database that knows Anna and the partners, shared by this module."""
    url = create_database(stack.postgres.url, template=migrated_template)
    async with calling(url) as made:
        yield made
    drop_database(url)


async def refusal(session_of: async_sessionmaker[AsyncSession], **arguments: object) -> str:
    """The message of the ValueError that a call ends in; its session then still opens a ticket."""
    (before,) = await written(session_of)
    async with session_of.begin() as session:
        with pytest.raises(ValueError, match=r"^(Invalid|Tenant) ") as refused:
            await call(session, **arguments)
        await call(session)
    assert await written(session_of) == {before + 1}
    return str(refused.value)


@pytest.mark.parametrize(
    ("customer_id", "message"),
    [
        ("invalid-value", "Invalid customer_id: invalid-value"),
        ("123", "Invalid customer_id: 123"),
        ("", "Invalid customer_id: "),
        (None, "Invalid customer_id: None"),
        (True, "Invalid customer_id: True"),
        (12.0, "Invalid customer_id: 12.0"),
        (-1, "Invalid customer_id: -1"),
        (2**63, "Invalid customer_id: 9223372036854775808"),
        (f"{NOBODY}0", f"Invalid customer_id: {NOBODY}0"),
        (123, "Invalid customer_id: 123 (customer lookup failed)"),
        (NOBODY, f"Invalid customer_id: {NOBODY} (customer lookup failed)"),
        (DELETED, f"Invalid customer_id: {DELETED} (customer lookup failed)"),
        (1002, "Invalid customer_id: 1002 (customer lookup failed)"),
        (SOUTHERNER, f"Invalid customer_id: {SOUTHERNER} (customer lookup failed)"),
        (2001, "Invalid customer_id: 2001 (customer lookup failed)"),
    ],
)
async def test_a_customer_must_be_one_of_the_tenants(
    session_of: async_sessionmaker[AsyncSession], customer_id: object, message: str
) -> None:
    """The reference looked up no UUID, and never compared the customer's tenant."""
    assert await refusal(session_of, customer_id=customer_id) == message


@pytest.mark.parametrize("tenant_id", [None, "", ...])
async def test_a_tenant_is_needed(
    session_of: async_sessionmaker[AsyncSession], tenant_id: object
) -> None:
    said = await refusal(session_of, tenant_id=tenant_id)
    assert said == "Tenant context is required to create a ticket."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"target_type": "partner", "partner_id": PARTNER},
            "Invalid target_type: Customer actors cannot open tickets targeting partner.",
        ),
        (
            {"origin_type": "tenant"},
            "Invalid target_type: Tenant actors cannot open tickets targeting tenant.",
        ),
        (
            {"origin_type": "tenant", "target_type": "customer"},
            "Invalid target_type: Tenant actors cannot open tickets targeting customer.",
        ),
        (
            {"origin_type": "tenant", "target_type": "partner"},
            "Invalid partner_id: partner_id is required when targeting a partner.",
        ),
        (
            {"origin_type": "tenant", "target_type": "partner", "partner_id": NOBODY},
            "Invalid partner_id: Partner not found or inactive.",
        ),
        (
            {"origin_type": "tenant", "target_type": "partner", "partner_id": GONE},
            "Invalid partner_id: Partner not found or inactive.",
        ),
        (
            {"origin_type": "tenant", "target_type": "partner", "partner_id": IDLE},
            "Invalid partner_id: Partner must be active to receive tickets.",
        ),
        (
            {"origin_type": "tenant", "target_type": "partner", "partner_id": FOREIGN},
            "Invalid partner_id: Partner does not belong to the specified tenant context.",
        ),
        (  # the reference took any partner for a ticket to the tenant, and showed it to him
            {"partner_id": FOREIGN},
            "Invalid partner_id: Partner does not belong to the specified tenant context.",
        ),
    ],
)
async def test_a_route_is_refused_in_the_contracts_words(
    session_of: async_sessionmaker[AsyncSession], arguments: dict[str, Any], message: str
) -> None:
    assert await refusal(session_of, **arguments) == message


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("priority", {"priority": "sky-high"}),
        ("priority", {"priority": 1}),
        ("ticket_type", {"ticket_type": "fault"}),
        ("title", {"title": "ab"}),
        ("title", {"title": "  ab  "}),
        ("title", {"title": "x" * 256}),
        ("title", {"title": None}),
        ("title", {"title": "no\0thing"}),
        ("description", {"description": "   "}),
        ("description", {"description": "x" * 65_537}),
        ("description", {"description": "half \ud800 of it"}),
        ("tenant_id", {"tenant_id": "north/../south"}),
        ("tenant_id", {"tenant_id": "x" * 256}),
        ("request_id", {"request_id": ""}),
        ("request_id", {"request_id": "x" * 256}),
        ("assigned_team", {"assigned_team": " "}),
        ("service_address", {"service_address": "x" * 501}),
        ("affected_services", {"affected_services": "internet"}),
        ("affected_services[1]", {"affected_services": ["internet", ""]}),
        ("device_serial_numbers", {"device_serial_numbers": ["x"] * 101}),
        ("attachments[0].url", {"attachments": [{"name": "x", "url": "file:///etc/passwd"}]}),
        ("attachments[0].name", {"attachments": [{"url": "https://files.example.com/1"}]}),
        ("attachments[0]", {"attachments": ["https://files.example.com/1"]}),
        ("context", {"context": ["a"]}),
        ("context", {"context": {"a": "x" * 40_000}}),
        ("context", {"context": {"a": math.nan}}),
        ("context", {"context": {"at": datetime.now(UTC)}}),
        ("context.a", {"context": {"a": "\0"}}),
        ("origin_type", {"origin_type": "system"}),
        ("target_type", {"target_type": "anyone"}),
        ("partner_id", {"partner_id": "P-1"}),
        ("partner_id", {"origin_type": "partner", "target_type": "tenant"}),
        ("actor", {"actor": "me"}),
        ("actor.type", {"actor": {}}),
        ("actor.type", {"actor": {"type": "robot", "id": "1"}}),
    ],
)
async def test_any_other_bad_argument_is_named(
    session_of: async_sessionmaker[AsyncSession], field: str, arguments: dict[str, Any]
) -> None:
    """Unknown priorities and types are errors; the reference changed them silently."""
    said = await refusal(session_of, **arguments)
    assert said.startswith(f"Invalid {field}: ")
    assert "; expected " in said


async def test_what_customers_wrote_is_not_repeated(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    said = await refusal(session_of, service_address="secret street 1 " * 40)
    assert "secret" not in said


async def test_anything_else_is_a_runtime_error_with_its_cause(
    database_url: str,
) -> None:
    """A write that fails midway leaves no half of a ticket, and the session usable."""
    never = text("ALTER TABLE ticket_messages ADD CONSTRAINT calm CHECK (body <> 'PANIC')")
    async with calling(database_url) as session_of:
        async with session_of.begin() as session:
            await session.execute(never)
        async with session_of.begin() as session:
            with pytest.raises(RuntimeError, match=r"^Failed to create ticket: .*calm") as failed:
                await call(session, description="PANIC")
            await call(session)
        assert await written(session_of) == {1}
    assert isinstance(failed.value.__cause__, asyncpg.CheckViolationError)


async def test_a_database_without_our_tables_is_a_runtime_error(
    database_url: str,
) -> None:
    async with calling(database_url) as session_of, session_of() as session:
        await session.execute(text("DROP TABLE tickets"))
        with pytest.raises(RuntimeError, match=r"^Failed to create ticket: ") as failed:
            await call(session)
        assert await session.scalar(text("SELECT 1")) == 1
    assert isinstance(failed.value.__cause__, asyncpg.UndefinedTableError)
