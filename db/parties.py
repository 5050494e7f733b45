"""Customers and partners, as `customer.changed` and `partner.changed` left them."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from sqlalchemy import Table

from db.bulk import Row, Rows, insert, unnested
from db.requests import DecidedElsewhere

PARTY_COLUMNS: Final = (
    "id",
    "tenant_id",
    "external_id",
    "name",
    "status",
    "tier",
    "updated_at",
)

ADD_UNLISTED: Final = """
INSERT INTO customers (id, tenant_id, status, updated_at)
SELECT id::uuid, tenant_id, 'unverified', to_timestamp(0)
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, id)
    ON CONFLICT (id) DO NOTHING
"""


async def stored(
    connection: asyncpg.Connection,
    table: Table,
    ids: Sequence[str],
    external_ids: Sequence[tuple[str, int]],
) -> list[Any]:
    """The rows of these ids and the present owners of these external ids, locked in id order.

    Each has id, tenant_id, external_id, name, status, tier, updated_at. The lock lets tickets
    that refer to them be written meanwhile.
    """
    rows: list[Any] = await connection.fetch(
        storing(table),
        ids,
        [tenant for tenant, _ in external_ids],
        [str(number) for _, number in external_ids],
    )
    return rows


def storing(table: Table) -> str:
    """The question of `stored`. LATERAL with LIMIT leaves no way but one index probe per key."""
    return f"""
        SELECT p.id::text, p.tenant_id, p.external_id, p.name, p.status, p.tier, p.updated_at
          FROM (SELECT id::uuid FROM unnest($1::text[]) AS r (id) UNION
                SELECT o.id FROM unnest($2::text[], $3::text[]) AS r (tenant_id, external_id)
                 CROSS JOIN LATERAL (SELECT o.id FROM {table.name} o
                    WHERE o.tenant_id = r.tenant_id AND o.external_id = r.external_id::bigint
                    LIMIT 1) o
                 ORDER BY id) AS wanted (id)
         CROSS JOIN LATERAL (SELECT * FROM {table.name} p WHERE p.id = wanted.id
            LIMIT 1 FOR NO KEY UPDATE) p
        """  # noqa: S608  the table is ours


async def save(
    connection: asyncpg.Connection,
    table: Table,
    *,
    released: Sequence[str],
    replaced: Sequence[Row],
    added: Sequence[Row],
) -> None:
    """Write rows of PARTY_COLUMNS. released: ids whose external id others take over now.

    The caller holds the rows to be replaced. Where somebody else has meanwhile added one of the
    others, or taken its external id, this raises asyncpg's UniqueViolationError: look again.
    """
    if released:
        await connection.execute(releasing(table), released)
    if replaced:
        source, arguments = unnested(Rows(table, PARTY_COLUMNS, replaced))
        await connection.execute(replacing(table, source), *arguments)
    if added:
        await insert(connection, [Rows(table, PARTY_COLUMNS, added)])


def releasing(table: Table) -> str:
    return f"UPDATE {table.name} SET external_id = NULL WHERE id = ANY ($1::text[]::uuid[])"  # noqa: S608  the table is ours


def replacing(table: Table, source: str) -> str:
    """The UPDATE of rows that the caller holds, which lets tickets be written meanwhile."""
    values = ", ".join(f"{name} = r.{name}" for name in PARTY_COLUMNS[2:])
    return (
        f"UPDATE {table.name} p SET {values}, recorded_at = now() FROM ({source}) r "  # noqa: S608  names of ours
        f"CROSS JOIN LATERAL (SELECT f.ctid FROM {table.name} f WHERE f.id = r.id LIMIT 1) found "
        "WHERE p.ctid = found.ctid"
    )


async def add_unlisted_customers(
    connection: asyncpg.Connection, customers: Sequence[tuple[str, str]]
) -> None:
    """Make room for tickets of customers (tenant, id) that nobody has announced yet.

    Their status is `unverified`, and they are older than any announcement. Raises DecidedElsewhere
    when one of them has been announced meanwhile, by another tenant perhaps.
    """
    unlisted = sorted({(customer_id, tenant) for tenant, customer_id in customers})
    ids, tenants = zip(*unlisted, strict=True)
    status = await connection.execute(ADD_UNLISTED, tenants, ids)
    if status != f"INSERT 0 {len(unlisted)}":
        raise DecidedElsewhere
