"""Customers and partners as operators compare them with what was announced; nothing is locked.

LATERAL with LIMIT leaves no way but one index probe for each key.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import Table

NO_ID = "00000000-0000-0000-0000-000000000000"
"""Before every id."""


def finding(table: Table) -> str:
    """The rows of these ids, and of the present owners of these (tenant, external id)."""
    return f"""
        SELECT p.id::text, p.tenant_id, p.external_id, p.name, p.status, p.tier, p.updated_at
          FROM (SELECT id::uuid FROM unnest($1::text[]) AS r (id) UNION
                SELECT o.id FROM unnest($2::text[], $3::text[]) AS r (tenant_id, external_id)
                 CROSS JOIN LATERAL (SELECT o.id FROM {table.name} o
                    WHERE o.tenant_id = r.tenant_id AND o.external_id = r.external_id::bigint
                    LIMIT 1) o) AS wanted (id)
         CROSS JOIN LATERAL (SELECT * FROM {table.name} p WHERE p.id = wanted.id LIMIT 1) p
        """  # noqa: S608  the table is ours


def listing(table: Table) -> str:
    """The next ids after one, with their statuses."""
    return f"SELECT id::text, status FROM {table.name} WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608  the table is ours


async def found(
    connection: asyncpg.Connection,
    table: Table,
    ids: Sequence[str],
    external_ids: Sequence[tuple[str, int]],
) -> list[Any]:
    """Rows of db.parties.PARTY_COLUMNS: of these ids, and who has these external ids now."""
    rows: list[Any] = await connection.fetch(
        finding(table),
        ids,
        [tenant for tenant, _ in external_ids],
        [str(number) for _, number in external_ids],
    )
    return rows


async def listed(
    connection: asyncpg.Connection, table: Table, after: str, *, limit: int
) -> list[tuple[str, str]]:
    """The next (id, status) after an id, in their order."""
    return [(row[0], row[1]) for row in await connection.fetch(listing(table), after, limit)]
