"""The seed's workflows, end to end on real PostgreSQL."""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from devstack.machine import DATABASE_VARIABLE
from devstack.stack import Stack
from examples.workflows import installation, onboarding, steps
from examples.workflows.lead import EXAMPLE
from examples.workflows.sessions import sessions
from examples.workflows.worker_process import CHECKOUT
from tests.integration.tenant_login import be, tenant_sessions
from tests.scenarios.onboarded import assert_onboarded_once, prepare_ledger

OTHER_TENANT = "other-isp"


@pytest.fixture
async def session_of(database_url: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """Makes sessions of the database's owner."""
    await prepare_ledger(database_url)
    async with sessions(database_url) as made:
        yield made


async def test_full_onboarding_workflow(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    """The reference's own test, which it never had: customer, licence, tenant, ticket, access."""
    async with session_of.begin() as session:
        customer_id = await steps.create_customer(session, EXAMPLE)
        licence = await steps.issue_licence(session, EXAMPLE, customer_id)
        portal = await steps.provision_tenant(session, EXAMPLE, customer_id)
        ticket = await steps.open_ticket(session, EXAMPLE, customer_id, "onboarding:1")
    assert licence
    assert EXAMPLE.tenant_id in portal
    async with tenant_sessions(database_url) as support:
        async with support() as session:
            await be(session, EXAMPLE.tenant_id)
            found = await session.execute(
                text(
                    "SELECT ticket_number, customer_id::text, assigned_team, body"
                    "  FROM tickets JOIN ticket_messages m ON m.ticket_id = tickets.id"
                    " WHERE assigned_team = 'onboarding_team' AND status = 'open'"
                )
            )
            assert [tuple(row) for row in found] == [
                (ticket["ticket_number"], customer_id, "onboarding_team", ticket["description"])
            ]
        async with support() as session:
            await be(session, OTHER_TENANT)
            for table in ("tickets", "ticket_messages", "ticket_facts", "requests", "customers"):
                assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608  names of ours
            with pytest.raises(ValueError, match="customer lookup failed"):
                await steps.open_ticket(session, EXAMPLE, customer_id, "onboarding:2")


async def test_all_six_steps_and_once_more(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    done = await onboarding.onboard_customer(session_of, EXAMPLE)
    assert await onboarding.onboard_customer(session_of, EXAMPLE) == done
    await assert_onboarded_once(database_url, EXAMPLE, done)


async def test_onboarding_goes_on_where_it_stopped(
    session_of: async_sessionmaker[AsyncSession], database_url: str
) -> None:
    async with session_of.begin() as session:
        customer_id = await steps.create_customer(session, EXAMPLE)
        licence = await steps.issue_licence(session, EXAMPLE, customer_id)
    done = await onboarding.onboard_customer(session_of, EXAMPLE)
    assert (done.customer_id, done.licence) == (customer_id, licence)
    await assert_onboarded_once(database_url, EXAMPLE, done)


async def test_another_lead_is_another_customer_with_another_ticket(
    session_of: async_sessionmaker[AsyncSession],
) -> None:
    first = await onboarding.onboard_customer(session_of, EXAMPLE)
    second = await onboarding.onboard_customer(session_of, replace(EXAMPLE, id="lead-2"))
    assert not set(asdict(first).values()) & set(asdict(second).values())


@pytest.fixture
async def order(session_of: async_sessionmaker[AsyncSession]) -> installation.Order:
    """An order of a customer that the ordering system knows by a number."""
    async with session_of.begin() as session:
        await steps.create_customer(session, EXAMPLE)
        await session.execute(text("UPDATE customers SET external_id = 4711"))
    return installation.Order(
        "order-77", EXAMPLE.tenant_id, 4711, EXAMPLE.service_address, date(2026, 12, 1)
    )


async def test_an_installation_and_its_ticket_stand_together(
    session_of: async_sessionmaker[AsyncSession], order: installation.Order
) -> None:
    for _ in range(2):  # the second is a retry
        async with session_of.begin() as session:
            ticket = await installation.schedule_installation(session, order)
    async with session_of() as session:
        visit = await session.get_one(installation.Appointment, order.id)
        numbers = await session.scalars(text("SELECT ticket_number FROM tickets"))
        assert [visit.ticket_number] == list(numbers) == [ticket["ticket_number"]]
    assert ticket["service_address"] == order.service_address
    assert ticket["context"]["routing"] == {"team": "field_ops"}


async def test_an_installation_and_its_ticket_fall_together(
    session_of: async_sessionmaker[AsyncSession], order: installation.Order
) -> None:
    async with session_of() as session:
        await installation.schedule_installation(session, order)
        await session.rollback()
    async with session_of() as session:
        assert await session.get(installation.Appointment, order.id) is None
        assert await session.scalar(text("SELECT count(*) FROM tickets")) == 0


@pytest.mark.parametrize("module", [onboarding, installation])
def test_the_plain_programs_run(stack: Stack, module: object) -> None:
    """As a reader starts them, on the server of these tests."""
    name = getattr(module, "__name__", "")
    done = subprocess.run(
        [sys.executable, "-m", name],
        cwd=CHECKOUT,
        env={DATABASE_VARIABLE: stack.postgres.url, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "TCK-" in done.stdout
