"""Customers and partners, as `customer.changed` and `partner.changed` left them."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from sqlalchemy import Table

from db.bulk import Row, Rows, unnested

PARTY_COLUMNS: Final = (
    "id",
    "tenant_id",
    "external_id",
    "name",
    "status",
    "tier",
    "updated_at",
)


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
        f"""
        SELECT id::text, tenant_id, external_id, name, status, tier, updated_at
          FROM {table.name} WHERE id IN (
            SELECT unnest($1::uuid[]) UNION
            SELECT p.id FROM unnest($2::text[], $3::bigint[]) AS r (tenant_id, external_id)
             CROSS JOIN LATERAL (SELECT id FROM {table.name} p WHERE p.tenant_id = r.tenant_id
                                    AND p.external_id = r.external_id LIMIT 1) p)
         ORDER BY id FOR NO KEY UPDATE
        """,  # noqa: S608  the table is ours
        ids,
        [tenant for tenant, _ in external_ids],
        [number for _, number in external_ids],
    )
    return rows


async def save(
    connection: asyncpg.Connection,
    table: Table,
    rows: Sequence[Row],
    released: Sequence[str],
) -> None:
    """Insert or replace these rows. released: ids whose external id others take over now."""
    if released:
        await connection.execute(
            f"UPDATE {table.name} SET external_id = NULL WHERE id = ANY($1::uuid[])",  # noqa: S608  the table is ours
            released,
        )
    source, arguments = unnested(Rows(table, PARTY_COLUMNS, rows))
    names = ", ".join(PARTY_COLUMNS)
    values = ", ".join(f"{name} = excluded.{name}" for name in PARTY_COLUMNS[2:])
    await connection.execute(
        f"INSERT INTO {table.name} ({names}) {source} "
        f"ON CONFLICT (id) DO UPDATE SET {values}, recorded_at = now()",
        *arguments,
    )


async def add_unlisted_customers(
    connection: asyncpg.Connection, customers: Sequence[tuple[str, str]]
) -> None:
    """Make room for tickets of customers (tenant, id) that nobody has announced yet.

    Their status is `unverified`, and they are older than any announcement.
    """
    tenants, ids = zip(*customers, strict=True)
    await connection.execute(
        """
        INSERT INTO customers (id, tenant_id, status, updated_at)
        SELECT DISTINCT id, tenant_id, 'unverified', to_timestamp(0)
          FROM unnest($1::text[], $2::uuid[]) AS r (tenant_id, id)
         ORDER BY id ON CONFLICT (id) DO NOTHING
        """,
        tenants,
        ids,
    )
