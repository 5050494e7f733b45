"""Clocks as people ask for them: those of a ticket with their history, and those at risk.

The index of what fires next leads to what breaches next: a clock tells of nothing later than its
breach before it has told of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from db.clocks import FIELDS
from db.ticket_reading import TENANTS

_CLOCK: Final = f"{FIELDS}, c.calendar_version"

OF_TICKET: Final = f"""
SELECT {_CLOCK} FROM sla_clocks c WHERE c.tenant_id = $1 AND c.ticket_id = $2
 ORDER BY c.started_at, c.metric, c.cycle
"""  # noqa: S608  constants of ours

SEGMENTS: Final = """
SELECT metric, cycle, number, kind, at, pause_reasons, until, target_seconds, policy,
       policy_version, calendar_version
  FROM sla_segments WHERE tenant_id = $1 AND ticket_id = $2 ORDER BY metric, cycle, number
"""

_UNBREACHED: Final = """
c.next_fire_at IS NOT NULL AND (c.breach_sequence IS NULL OR c.annulled_at IS NOT NULL)
AND ($1::text IS NULL OR c.tenant_id = $1) AND ($2::text IS NULL OR c.metric = $2)
AND ($4::timestamptz IS NULL OR c.due_at >= $4) AND ($5::timestamptz IS NULL OR c.due_at <= $5)
"""
"""What is not asked for is no condition to the planner either: coalesce() would be a rare one."""

_POSTPONED: Final = "interval '1 minute'"
"""A clock that can't be dealt with is tried again so long after it was due."""

LOOKED_AT: Final = 20
"""For each clock that is wanted: most of them have told their warnings and breach next."""

_TICKET: Final = """
t.ticket_number, t.subject AS title, t.status AS ticket_status, t.priority, t.assigned_team
"""

BREACH_NEXT: Final = f"""
WITH near AS MATERIALIZED (
  SELECT c.due_at FROM sla_clocks c
   WHERE {_UNBREACHED} AND ($5::timestamptz IS NULL OR c.next_fire_at <= $5 + {_POSTPONED})
   ORDER BY c.next_fire_at LIMIT {LOOKED_AT} * $3),
bound (at) AS (
  SELECT coalesce((SELECT due_at FROM near ORDER BY due_at OFFSET $3 - 1 LIMIT 1), 'infinity'))
SELECT {_CLOCK}, {_TICKET} FROM (
  SELECT * FROM sla_clocks c
   WHERE {_UNBREACHED} AND c.due_at <= (SELECT at FROM bound)
     AND c.next_fire_at <= (SELECT at + {_POSTPONED} FROM bound)
   ORDER BY c.due_at LIMIT $3) c
 CROSS JOIN LATERAL (SELECT * FROM tickets t
    WHERE t.tenant_id = c.tenant_id AND t.id = c.ticket_id LIMIT 1) t
 ORDER BY c.due_at, t.ticket_number, c.metric
"""  # noqa: S608  constants of ours
"""Some of those that fire next give a time by which there are enough: all until then are read."""

BREACHED: Final = f"""{TENANTS}
SELECT {_CLOCK}, {_TICKET}
  FROM tenants CROSS JOIN unnest('{{open,in_progress,waiting}}'::text[]) AS s (status)
 CROSS JOIN LATERAL (SELECT * FROM tickets t
    WHERE t.tenant_id = tenants.tenant_id AND t.status = s.status AND t.sla_breached) t
 CROSS JOIN (VALUES ('first_response'), ('resolution')) AS m (metric)
 CROSS JOIN LATERAL (SELECT * FROM sla_clocks c
    WHERE c.tenant_id = t.tenant_id AND c.ticket_id = t.id AND c.metric = m.metric
    ORDER BY c.cycle DESC LIMIT 1) c
 WHERE c.state IN ('running', 'paused') AND c.breach_sequence IS NOT NULL
   AND c.annulled_at IS NULL AND c.metric = coalesce($2, c.metric)
 ORDER BY c.due_at, t.ticket_number, c.metric LIMIT $3
"""  # noqa: S608  constants of ours
"""No index knows of breaches: this walks the tickets that are open."""

TIMERS: Final = """
SELECT (SELECT count(*) FROM sla_clocks WHERE next_fire_at < now()) AS overdue,
       (SELECT min(next_fire_at) FROM sla_clocks WHERE next_fire_at < now()) AS overdue_since,
       (SELECT min(next_fire_at) FROM sla_clocks WHERE next_fire_at >= now()) AS next_fire_at
"""


@dataclass(frozen=True, slots=True)
class Timers:
    """What the timers have to tell: how many clocks wait, since when, and when the next will."""

    overdue: int
    overdue_since: datetime | None
    next_fire_at: datetime | None


async def of_ticket(connection: asyncpg.Connection, tenant_id: str, ticket_id: str) -> list[Any]:
    """All clocks of a ticket, every cycle, the newest last. Columns: FIELDS, calendar_version."""
    rows: list[Any] = await connection.fetch(OF_TICKET, tenant_id, ticket_id)
    return rows


async def segments(
    connection: asyncpg.Connection, tenant_id: str, ticket_id: str
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """What happened to a ticket's clocks, by metric and cycle. Columns: SEGMENTS."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in await connection.fetch(SEGMENTS, tenant_id, ticket_id):
        segment = dict(row)
        found.setdefault((segment.pop("metric"), segment.pop("cycle")), []).append(segment)
    return found


async def breach_next(
    connection: asyncpg.Connection,
    *,
    tenant_id: str | None = None,
    metric: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> Sequence[Any]:
    """The clocks whose breach is to be told, by due time, due between these instants.

    Columns: as `of_ticket`, ticket_number, title, ticket_status, priority and assigned_team.
    """
    rows: list[Any] = await connection.fetch(BREACH_NEXT, tenant_id, metric, limit, since, until)
    return rows


async def breached(
    connection: asyncpg.Connection,
    *,
    tenant_id: str | None = None,
    metric: str | None = None,
    limit: int,
) -> Sequence[Any]:
    """The clocks that go on after their breach, the longest overdue first, as `breach_next`."""
    rows: list[Any] = await connection.fetch(BREACHED, tenant_id, metric, limit)
    return rows


async def timers(connection: asyncpg.Connection) -> Timers:
    """Whether the timers are on time; read off an index."""
    return Timers(*await connection.fetchrow(TIMERS))
