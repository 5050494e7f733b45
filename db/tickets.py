"""Tickets that are changed: found by tenant, locked in one order, and written in one statement."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from db import tables
from db.bulk import Row, Rows, unnested

_WANTED: Final = """
  (SELECT r.tenant_id, r.id
     FROM unnest($1::text[], $2::text[]::uuid[]) AS r (tenant_id, id)
    UNION
   SELECT r.tenant_id, n.id
     FROM unnest($3::text[], $4::text[]) AS r (tenant_id, ticket_number)
    CROSS JOIN LATERAL (SELECT t.id FROM tickets t
       WHERE t.tenant_id = r.tenant_id AND t.ticket_number = r.ticket_number LIMIT 1) n)
"""

FIELDS: Final = """
t.id::text, t.ticket_number, t.tenant_id, t.status, t.priority, t.origin_type,
t.target_type, t.customer_id::text,
(SELECT c.external_id FROM customers c
  WHERE c.tenant_id = t.tenant_id AND c.id = t.customer_id) AS customer_external_id,
t.partner_id::text, t.assigned_team, t.assigned_to_user_id, t.ticket_type,
t.service_address, t.affected_services::text, t.device_serial_numbers::text,
t.context::text, t.sla_due_date, t.first_response_due_at, t.first_response_at,
t.resolved_at, t.closed_at, t.resolution_time_minutes, t.escalation_level, t.escalated_at,
t.escalated_to_user_id, t.last_response_at, t.rating, t.rating_comment, t.sequence,
t.last_change_sequence, t.created_at, t.updated_at, t.last_change_at, t.sla_breached
"""
"""Of handlers.ticket.Ticket, in their order, but for its clocks."""

LOCK: Final = f"""
SELECT {FIELDS}
  FROM {_WANTED} w
  JOIN tickets t ON t.tenant_id = w.tenant_id AND t.id = w.id
 ORDER BY t.tenant_id, t.id
   FOR NO KEY UPDATE OF t
"""  # noqa: S608  no value in it
"""Always by tenant, so that nothing is found by an id alone. All who lock tickets lock them in this
order: they wait for one another, and never both at once."""


LOCK_FREE: Final = f"""
SELECT {FIELDS}
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, id)
 CROSS JOIN LATERAL (SELECT * FROM tickets t
    WHERE t.tenant_id = r.tenant_id AND t.id = r.id::uuid
    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) t
"""  # noqa: S608  no value in it


MISSING: Final = """
SELECT r.tenant_id, r.id FROM unnest($1::text[], $2::text[]) AS r (tenant_id, id)
 WHERE NOT EXISTS (SELECT FROM tickets t WHERE t.tenant_id = r.tenant_id AND t.id = r.id::uuid)
"""


async def lock(
    connection: asyncpg.Connection,
    ids: Sequence[tuple[str, str]],
    numbers: Sequence[tuple[str, str]],
) -> list[asyncpg.Record]:
    """The tickets named by (tenant, id) or (tenant, number), locked until the transaction ends.

    Columns: the fields of handlers.ticket.Ticket in their order. To be asked before the write's
    outbox number is taken: then a lower number never holds a later fact of a ticket.
    """
    rows: list[asyncpg.Record] = await connection.fetch(LOCK, *_columns(ids), *_columns(numbers))
    return rows


async def lock_free(
    connection: asyncpg.Connection, keys: Sequence[tuple[str, str]]
) -> list[asyncpg.Record]:
    """Those of these tickets (tenant, id) that nobody holds, as `lock` gives them."""
    rows: list[asyncpg.Record] = await connection.fetch(LOCK_FREE, *_columns(sorted(keys)))
    return rows


async def missing(
    connection: asyncpg.Connection, keys: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those of these tickets (tenant, id) that do not exist."""
    rows = await connection.fetch(MISSING, *_columns(sorted(keys)))
    return [(row[0], row[1]) for row in rows]


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


async def update(
    connection: asyncpg.Connection, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Write locked tickets as they are now. columns: tenant_id, id, and what may have changed."""
    source, arguments = unnested(Rows(tables.tickets, columns, rows))
    await connection.execute(updating(columns, source), *arguments)


def updating(columns: tuple[str, ...], source: str) -> str:
    """The statement of `update`."""
    values = ", ".join(f'"{name}" = r."{name}"' for name in columns if name not in _KEY)
    return (
        f"UPDATE tickets t SET {values} FROM ({source}) r "  # noqa: S608  names of ours
        "WHERE t.tenant_id = r.tenant_id AND t.id = r.id"
    )


_KEY: Final = ("tenant_id", "id")
