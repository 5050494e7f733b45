"""Resolved tickets whose tenant's policy closes them after some days: found, then locked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from db.outbox import NEXT_NUMBER
from db.tickets import FIELDS

LOOK: Final = """
WITH RECURSIVE ever (tenant_id) AS (
  SELECT ''
   UNION ALL
  SELECT n.tenant_id FROM ever e
   CROSS JOIN LATERAL (SELECT p.tenant_id FROM policies p
      WHERE p.auto_close_days IS NOT NULL AND p.tenant_id > e.tenant_id
      ORDER BY p.tenant_id LIMIT 1) n
), first AS (
  SELECT e.tenant_id, p.days, t.due_at FROM ever e
   CROSS JOIN LATERAL (SELECT p.auto_close_days AS days FROM policies p
      WHERE p.tenant_id = e.tenant_id ORDER BY p.version DESC LIMIT 1) p
   CROSS JOIN LATERAL (SELECT t.resolved_at + make_interval(secs => 86400 * p.days) AS due_at
       FROM tickets t WHERE t.tenant_id = e.tenant_id AND t.status = 'resolved'
      ORDER BY t.resolved_at LIMIT 1) t
   WHERE p.days IS NOT NULL
)
SELECT
  (SELECT extract(epoch FROM min(f.due_at) - now())::float8 FROM first f),
  (SELECT json_agg(json_build_array(d.tenant_id, d.id))::text FROM (
     SELECT t.tenant_id, t.id
       FROM (SELECT * FROM first f WHERE f.due_at <= now() ORDER BY f.due_at, f.tenant_id) f
      CROSS JOIN LATERAL (SELECT t.tenant_id, t.id FROM tickets t
         WHERE t.tenant_id = f.tenant_id AND t.status = 'resolved'
           AND t.resolved_at <= now() - make_interval(secs => 86400 * f.days)
         ORDER BY t.resolved_at LIMIT $1) t
      LIMIT $1) d)
"""
"""Goes from one tenant that ever had days to the next, and there to the ticket resolved first: some
probes for each such tenant, whatever the number of tickets, policies and versions. The tenant that
waits longest comes first, so that no other's backlog keeps it waiting."""

LOCK: Final = f"""
SELECT {FIELDS}
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, id)
 CROSS JOIN LATERAL (SELECT * FROM tickets t
    WHERE t.tenant_id = r.tenant_id AND t.id = r.id::uuid AND t.status = 'resolved'
    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) t
"""  # noqa: S608  no value in it

OPEN: Final = f"""
SELECT now(), {NEXT_NUMBER}, (SELECT json_object_agg(r.tenant_id, p.days)::text
  FROM unnest($1::text[]) AS r (tenant_id)
 CROSS JOIN LATERAL (SELECT p.auto_close_days AS days FROM policies p
    WHERE p.tenant_id = r.tenant_id ORDER BY p.version DESC LIMIT 1) p
 WHERE p.days IS NOT NULL)
"""  # noqa: S608  no value in it

Key = tuple[str, str]
"""Tenant and ticket id."""


class Look(NamedTuple):
    """What is due, and in how many seconds the first ticket is; None when none will be."""

    due: list[Key]
    seconds: float | None


class Opened(NamedTuple):
    """A write's time and number, and the days after which tickets close, of tenants with any."""

    now: datetime
    outbox_id: int
    days: dict[str, float]


async def look(connection: asyncpg.Connection, limit: int) -> Look:
    """The tickets to close, without a lock; those of one tenant in the order of their time."""
    seconds, due = await connection.fetchrow(LOOK, limit)
    return Look(
        [] if due is None else [(tenant, id_) for tenant, id_ in orjson.loads(due)], seconds
    )


async def lock(connection: asyncpg.Connection, keys: Sequence[Key]) -> list[Any]:
    """Those of these tickets that are still resolved, locked until the transaction ends.

    In this order, which ought to be that of all who lock tickets. What somebody else holds is left
    out. Columns: the fields of handlers.ticket.Ticket.
    """
    tenants, ids = zip(*keys, strict=True)
    rows: list[Any] = await connection.fetch(LOCK, tenants, ids)
    return rows


async def open_write(connection: asyncpg.Connection, tenants: Sequence[str]) -> Opened:
    """Take the number of this write, after its locks, and ask again for what is in force."""
    now, outbox_id, days = await connection.fetchrow(OPEN, tenants)
    return Opened(now, outbox_id, {} if days is None else orjson.loads(days))
