"""TicketingService under row-level security: a tenant's role opens its own tenant's tickets."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from tests.integration.calls import (
    ANNA_NUMBER,
    FOREIGN,
    NORTH,
    PARTNER,
    SOUTH,
    SOUTHERNER,
    call,
    calling,
    written,
)
from tests.integration.tenant_login import be, tenant_sessions
from tests.records import in_days


@pytest.fixture
async def session_of(database_url: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions of the owner, who sees all, on a database that knows Anna."""
    async with calling(database_url) as made:
        yield made


@pytest.fixture
async def tenant_session(
    session_of: async_sessionmaker[AsyncSession],  # noqa: ARG001  fills the database
    database_url: str,
) -> AsyncIterator[AsyncSession]:
    """A session of a role with a tenant's rights, which has not named its tenant yet."""
    async with tenant_sessions(database_url) as tenants, tenants() as session:
        yield session


async def test_a_tenant_opens_tickets_for_its_own_customers(
    tenant_session: AsyncSession, session_of: async_sessionmaker[AsyncSession]
) -> None:
    await be(tenant_session, NORTH)
    first = await call(tenant_session, request_id="r1")
    assert await call(tenant_session, request_id="r1", customer_id=ANNA_NUMBER) == first
    await call(tenant_session, origin_type="tenant", target_type="partner", partner_id=PARTNER)
    await tenant_session.commit()
    assert await written(session_of) == {2}


async def test_a_tenants_ticket_may_wait_for_a_visit_from_the_start(
    tenant_session: AsyncSession,
) -> None:
    """Its clocks are inserted as they stand: a tenant's role may change none."""
    await be(tenant_session, NORTH)
    await call(tenant_session, context={"scheduled_visit": in_days(100)})
    states = await tenant_session.execute(text("SELECT state FROM sla_clocks"))
    assert states.scalars().all() == ["paused", "paused"]
    kinds = await tenant_session.execute(text("SELECT DISTINCT kind FROM sla_segments"))
    assert set(kinds.scalars()) == {"started", "paused"}


async def test_a_tenant_does_not_see_anothers_customers_and_partners(
    tenant_session: AsyncSession,
) -> None:
    await be(tenant_session, NORTH)
    for arguments in (
        {"customer_id": SOUTHERNER},
        {"customer_id": 2001},
        {"customer_id": SOUTHERNER, "tenant_id": SOUTH},
        {"customer_id": 2001, "tenant_id": SOUTH},
    ):
        with pytest.raises(ValueError, match="customer lookup failed"):
            await call(tenant_session, **arguments)
    with pytest.raises(ValueError, match="Partner not found or inactive"):
        await call(tenant_session, origin_type="tenant", target_type="partner", partner_id=FOREIGN)


async def test_a_tenant_can_not_write_for_another(
    tenant_session: AsyncSession, session_of: async_sessionmaker[AsyncSession]
) -> None:
    """Also where no customer is looked up; its own tickets are possible afterwards."""
    await be(tenant_session, NORTH)
    with pytest.raises(RuntimeError, match="row-level security") as failed:
        await call(
            tenant_session,
            tenant_id=SOUTH,
            customer_id=None,
            origin_type="platform",
        )
    assert isinstance(failed.value.__cause__, asyncpg.InsufficientPrivilegeError)
    await call(tenant_session)
    await tenant_session.commit()
    assert await written(session_of) == {1}


async def test_who_names_no_tenant_opens_nothing(tenant_session: AsyncSession) -> None:
    with pytest.raises(ValueError, match="customer lookup failed"):
        await call(tenant_session)
    with pytest.raises(RuntimeError, match="row-level security"):
        await call(tenant_session, customer_id=None, origin_type="platform")


async def test_a_tenant_sees_its_own_tickets_only(
    tenant_session: AsyncSession, session_of: async_sessionmaker[AsyncSession]
) -> None:
    async with session_of.begin() as session:
        await call(session, tenant_id=SOUTH, customer_id=SOUTHERNER, request_id="r1")
    await be(tenant_session, NORTH)
    mine = await call(tenant_session, request_id="r1")
    for table, column in (
        ("tickets", "id"),
        ("ticket_messages", "ticket_id"),
        ("ticket_facts", "ticket_id"),
        ("requests", "ticket_id"),
    ):
        seen = await tenant_session.scalars(text(f"SELECT {column}::text FROM {table}"))  # noqa: S608  names of ours
        assert list(seen) == [mine["ticket_id"]]
