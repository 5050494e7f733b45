"""Who may do what: the owner migrates, the service serves all tenants, a tenant sees its own.

Every table that names a tenant has row-level security, enabled and not forced. The owner passes it
by. The service's role passes it by as BYPASSRLS, because PostgreSQL refuses COPY FROM to a role
under row-level security whatever its policies say; where nobody may give it that, a policy of its
own still shows it all tenants and it writes with INSERT (`may_copy`). Every other role sees the
tenant that the transaction names in `ticketing.tenant_id`, and no tenant without one.
"""

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.errors import sqlstate
from db.rights import RIGHTS, TENANT_TABLES, Rights

INSUFFICIENT_PRIVILEGE = "42501"


class RoleMissing(Exception):
    """Role {role} doesn't exist."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"Role {role} doesn't exist in this database: make it first, for example with"
            f" CREATE ROLE {quoted(role)} LOGIN."
        )


def statements(role: str, rights: Rights, *, schema: str = "public") -> list[str]:
    """The GRANTs and policies that give `role` its rights; they can be run again.

    For the service `ALTER ROLE .. BYPASSRLS` is wanted too, which takes a right of its own: `grant`
    tries it.
    """
    name = quoted(role)
    granted = [f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {name}"]
    granted += [f"GRANT {what} ON {table} TO {name}" for table, what in RIGHTS[rights].items()]
    granted.append(f"GRANT USAGE ON SEQUENCE outbox_id_seq TO {name}")
    if rights is Rights.SERVICE:
        policy = quoted(f"all_tenants_for_{role}")
        for table in TENANT_TABLES:
            granted.append(f"DROP POLICY IF EXISTS {policy} ON {table}")
            granted.append(f"CREATE POLICY {policy} ON {table} TO {name} USING (true)")
    return granted


def bypass_statement(role: str) -> str:
    return f"ALTER ROLE {quoted(role)} BYPASSRLS"


def grant(connection: Connection, role: str, rights: Rights) -> str | None:
    """Give the rights in the caller's transaction; returns what is left to do by a superuser.

    Raises RoleMissing.
    """
    found = connection.execute(
        text(
            "SELECT rolbypassrls OR rolsuper AS bypasses, current_schema() AS schema"
            " FROM pg_roles WHERE rolname = :role"
        ),
        {"role": role},
    ).one_or_none()
    if found is None:
        raise RoleMissing(role)
    for statement in statements(role, rights, schema=found.schema):
        connection.execute(text(statement))
    if rights is Rights.TENANT or found.bypasses:
        return None
    return _let_it_copy(connection, role)


def _let_it_copy(connection: Connection, role: str) -> str | None:
    statement = bypass_statement(role)
    try:
        with connection.begin_nested():
            connection.execute(text(statement))
    except DBAPIError as error:
        if sqlstate(error) != INSUFFICIENT_PRIVILEGE:
            raise
        return (
            f"Only a superuser can let {role} write with COPY, which is faster than INSERT:"
            f" {statement};"
        )
    return None


async def may_copy(connection: asyncpg.Connection) -> bool:
    """Can this role COPY into the tenants' tables? PostgreSQL refuses it under row security."""
    allowed: bool = await connection.fetchval("SELECT NOT row_security_active('tickets'::regclass)")
    return allowed


def quoted(identifier: str) -> str:
    """An identifier as SQL needs it, whatever is in it."""
    return '"' + identifier.replace('"', '""') + '"'
