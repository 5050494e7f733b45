"""Three roles, each held to its rights by PostgreSQL itself (DESIGN 2.1)."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db import bulk, migrate
from db.connect import connect, engine
from db.grants import RoleMissing, may_copy
from db.rights import Rights
from db.tables import customers
from devstack.databases import create_database, drop_database
from devstack.stack import Stack
from handlers.workflow import TicketingService

COLUMNS = ("id", "tenant_id", "status", "updated_at")
MOMENT = "2026-01-01T00:00:00+00:00"


@dataclass(frozen=True, slots=True)
class Login:
    role: str
    url: str


def customer(tenant_id: str, digit: str) -> tuple[str, str, str, str]:
    return (f"{digit * 8}-0000-4000-8000-000000000000", tenant_id, "active", MOMENT)


async def add_customers(url: str) -> None:
    connection = await connect(url)
    rows = [customer("north", "1"), customer("south", "2")]
    await bulk.copy(connection, bulk.Rows(customers, COLUMNS, rows))
    await connection.close()


async def execute(url: str, *statements: str) -> None:
    connection = await connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture
def login(database_url: str) -> Iterator[Login]:
    """A role that may log in and nothing else, dropped after the test."""
    role, password = f"ticketing_test_{secrets.token_hex(6)}", secrets.token_hex(8)
    asyncio.run(execute(database_url, f"CREATE ROLE {role} LOGIN PASSWORD '{password}'"))
    parts = urlsplit(database_url)
    address = parts.netloc.rpartition("@")[2]
    yield Login(role, parts._replace(netloc=f"{role}:{password}@{address}").geturl())
    asyncio.run(execute(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}"))


async def test_the_service_writes_for_all_tenants_by_copy(database_url: str, login: Login) -> None:
    upgraded = await migrate.upgrade(database_url, grant_to=login.role)
    assert upgraded.left_to_do is None
    await add_customers(login.url)
    service = await connect(login.url)
    assert await may_copy(service)
    assert await service.fetchval("SELECT count(DISTINCT tenant_id) FROM customers") == 2
    await service.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ticket_facts SET data = ''",
        "DELETE FROM ticket_facts",
        "TRUNCATE ticket_facts",
        "UPDATE ticket_messages SET body = ''",
        "DELETE FROM ticket_messages",
        "UPDATE policies SET version = 2",
        "DELETE FROM policies",
        "DELETE FROM tickets",
        "DROP TABLE tickets",
        "ALTER TABLE tickets ADD COLUMN extra text",
        "CREATE TABLE extra (id int)",
        "UPDATE alembic_version SET version_num = 'x'",
    ],
)
async def test_the_service_can_neither_change_facts_nor_the_schema(
    database_url: str, login: Login, statement: str
) -> None:
    await migrate.upgrade(database_url, grant_to=login.role)
    service = await connect(login.url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)
    await service.close()


async def test_granting_again_changes_nothing(database_url: str, login: Login) -> None:
    for _ in range(2):
        await migrate.upgrade(database_url, grant_to=login.role)
    await add_customers(login.url)


async def test_where_nobody_may_bypass_row_security_the_service_inserts(
    stack: Stack, login: Login
) -> None:
    """The owner is no superuser here, as with a database that somebody else runs."""
    url = create_database(stack.postgres.url)
    await execute(url, f"GRANT CREATE ON SCHEMA public TO {login.role}")
    owner = urlsplit(login.url)._replace(path=urlsplit(url).path).geturl()
    service = f"{login.role}_service"
    await execute(url, f"CREATE ROLE {service} LOGIN PASSWORD 'p'")
    try:
        upgraded = await migrate.upgrade(owner, grant_to=service)
        assert upgraded.left_to_do is not None
        assert f'ALTER ROLE "{service}" BYPASSRLS;' in upgraded.left_to_do

        address = urlsplit(url).netloc.rpartition("@")[2]
        connection = await connect(urlsplit(url)._replace(netloc=f"{service}:p@{address}").geturl())
        rows = bulk.Rows(customers, COLUMNS, [customer("north", "1"), customer("south", "2")])
        assert not await may_copy(connection)
        with pytest.raises(asyncpg.FeatureNotSupportedError, match="row-level security"):
            await bulk.copy(connection, rows)
        await bulk.insert(connection, [rows])
        assert await connection.fetchval("SELECT count(*) FROM customers") == 2
        await connection.close()
    finally:
        drop_database(url)
        await execute(stack.postgres.url, f"DROP ROLE {service}")


async def test_a_tenant_sees_and_writes_its_own_alone(database_url: str, login: Login) -> None:
    await migrate.upgrade(database_url, grant_to=login.role, rights=Rights.TENANT)
    await add_customers(database_url)
    tenant = await connect(login.url)
    seen = "SELECT array_agg(DISTINCT tenant_id) FROM customers"
    assert await tenant.fetchval(seen) is None
    async with tenant.transaction():
        await tenant.execute("SELECT set_config('ticketing.tenant_id', 'north', true)")
        assert await tenant.fetchval(seen) == ["north"]
        request = (
            "INSERT INTO requests (tenant_id, request_key, kind, outcome, content_hash, decided_at)"
            " VALUES ($1, gen_random_uuid(), 'request', 'created', 0, now())"
        )
        await tenant.execute(request, "north")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            async with tenant.transaction():
                await tenant.execute(request, "south")
    assert await tenant.fetchval(seen) is None
    await tenant.close()


async def test_a_tenants_reads_use_the_keys_that_start_with_it(
    database_url: str, login: Login
) -> None:
    await migrate.upgrade(database_url, grant_to=login.role, rights=Rights.TENANT)
    tenant = await connect(login.url)
    async with tenant.transaction():
        await tenant.execute("SELECT set_config('ticketing.tenant_id', 'north', true)")
        await tenant.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(
            row[0] for row in await tenant.fetch("EXPLAIN SELECT * FROM tickets WHERE status = 'x'")
        )
    await tenant.close()
    assert "Index Cond: ((tenant_id = current_setting('ticketing.tenant_id'" in plan


async def test_a_role_that_is_not_there_is_named(database_url: str) -> None:
    with pytest.raises(RoleMissing, match="Role nobody_here doesn't exist"):
        await migrate.upgrade(database_url, grant_to="nobody_here")


async def test_a_workflow_opens_tickets_as_a_tenant(database_url: str, login: Login) -> None:
    await migrate.upgrade(database_url, grant_to=login.role, rights=Rights.TENANT)
    await add_customers(database_url)
    database = engine(login.url)
    async with AsyncSession(database) as session, session.begin():
        await session.execute(text("SELECT set_config('ticketing.tenant_id', 'north', true)"))
        service = TicketingService(db=session)
        customer_id = customer("north", "1")[0]
        call: dict[str, Any] = {
            "title": "Installation",
            "description": "Next week.",
            "tenant_id": "north",
        }
        ticket = await service.create_ticket(customer_id=customer_id, request_id="w-1", **call)
        again = await service.create_ticket(customer_id=customer_id, request_id="w-1", **call)
        assert again == ticket
        with pytest.raises(ValueError, match="customer lookup failed"):
            await service.create_ticket(customer_id=customer("south", "2")[0], **call)
    async with AsyncSession(database) as session, session.begin():
        await session.execute(text("SELECT set_config('ticketing.tenant_id', 'south', true)"))
        assert (await session.execute(text("SELECT count(*) FROM tickets"))).scalar() == 0
    await database.dispose()
