"""Tickets as people ask for them: by number, and newest first by customer, status or team.

Every question names its tenant or walks the tenants one by one along the primary key, because all
keys start with the tenant. LATERAL with LIMIT leaves the planner one probe for each.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

ALL_STATUSES: Final = ("open", "in_progress", "waiting", "resolved", "closed")

TENANTS: Final = """
WITH RECURSIVE tenants (tenant_id) AS (
  (SELECT tenant_id FROM tickets WHERE tenant_id = coalesce($1, tenant_id)
    ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT t.tenant_id FROM tickets t WHERE t.tenant_id > tenants.tenant_id
           ORDER BY t.tenant_id LIMIT 1)
    FROM tenants WHERE tenants.tenant_id IS NOT NULL AND $1::text IS NULL)
"""
"""From one tenant to the next along the index; only $1 where it is given."""

SUMMARY: Final = """
t.id::text AS ticket_id, t.ticket_number, t.tenant_id, t.subject AS title, t.status, t.priority,
t.assigned_team, t.customer_id::text, t.request_id, t.created_at, t.sla_due_date
"""

DETAIL: Final = f"""
{SUMMARY}, t.origin_type, t.target_type, t.origin_user_id, t.assigned_to_user_id,
t.partner_id::text, t.ticket_type, t.service_address, t.affected_services::text,
t.device_serial_numbers::text, t.context::text, t.group_key, t.requested_at, t.sla_breached,
t.first_response_due_at, t.first_response_at, t.resolved_at, t.closed_at,
t.resolution_time_minutes, t.escalation_level, t.escalated_at, t.escalated_to_user_id,
t.last_response_at, t.rating, t.rating_comment, t.sequence, t.created_by, t.updated_at
"""
JSON_COLUMNS: Final = ("affected_services", "device_serial_numbers", "context")

BY_NUMBER: Final = f"""{TENANTS}
SELECT {DETAIL} FROM tenants CROSS JOIN LATERAL (
    SELECT * FROM tickets t WHERE t.tenant_id = tenants.tenant_id AND t.ticket_number = $2
    LIMIT 1) t
 ORDER BY t.tenant_id
"""  # noqa: S608  constants of ours

BY_STATUS: Final = f"""{TENANTS}
SELECT {SUMMARY} FROM tenants CROSS JOIN unnest($2::text[]) AS s (status) CROSS JOIN LATERAL (
    SELECT * FROM tickets t WHERE t.tenant_id = tenants.tenant_id AND t.status = s.status
    ORDER BY t.created_at DESC LIMIT $3) t
 ORDER BY t.created_at DESC, t.ticket_number LIMIT $3
"""  # noqa: S608  constants of ours

BY_CUSTOMER: Final = f"""
SELECT {SUMMARY} FROM customers c CROSS JOIN LATERAL (
    SELECT * FROM tickets t
     WHERE t.tenant_id = c.tenant_id AND t.customer_id = c.id AND t.status = ANY($2)
       AND t.assigned_team IS NOT DISTINCT FROM coalesce($5, t.assigned_team)
     ORDER BY t.created_at DESC LIMIT $3) t
 WHERE c.id = $1 AND c.tenant_id = coalesce($4, c.tenant_id)
 ORDER BY t.created_at DESC, t.ticket_number
"""  # noqa: S608  constants of ours

BY_TEAM: Final = f"""{TENANTS}
SELECT {SUMMARY} FROM tenants CROSS JOIN LATERAL (
    SELECT * FROM tickets t
     WHERE t.tenant_id = tenants.tenant_id AND t.assigned_team = $4 AND t.status = ANY($2)
     ORDER BY t.created_at DESC LIMIT $3) t
 ORDER BY t.created_at DESC, t.ticket_number LIMIT $3
"""  # noqa: S608  constants of ours

BY_IDS: Final = f"""
SELECT {SUMMARY} FROM unnest($1::text[], $2::uuid[]) AS r (tenant_id, id) CROSS JOIN LATERAL (
    SELECT * FROM tickets t WHERE t.tenant_id = r.tenant_id AND t.id = r.id LIMIT 1) t
 ORDER BY t.created_at DESC, t.ticket_number
"""  # noqa: S608  constants of ours

CUSTOMER_IDS: Final = f"""{TENANTS}
SELECT c.id::text FROM tenants CROSS JOIN LATERAL (
    SELECT id FROM customers c
     WHERE c.tenant_id = tenants.tenant_id AND c.external_id = $2 LIMIT 1) c
"""  # noqa: S608  constants of ours

MESSAGES: Final = """
SELECT sequence, sender_type, sender_id, body, attachments::text, is_internal, created_at
  FROM ticket_messages WHERE tenant_id = $1 AND ticket_id = $2 ORDER BY sequence
"""

TIMELINE: Final = """
SELECT f.sequence, f.ce_type, f.occurred_at, f.causation_id, f.record, f.data,
       EXISTS (SELECT FROM outbox o WHERE o.id = f.outbox_id) AS is_waiting, h.reason AS held_reason
  FROM ticket_facts f
  LEFT JOIN held_facts h ON h.tenant_id = f.tenant_id AND h.subject_id = f.subject_id
                        AND h.sequence = f.sequence
 WHERE f.tenant_id = $1 AND f.subject_id = $2 ORDER BY f.sequence
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact with what became of it. data: as published. is_waiting: the relay has it to do.

    causation_id: the event or request that caused it; record: its place, where it has no such id.
    Neither: a workflow's call without an id, or time.
    """

    sequence: int
    ce_type: str
    occurred_at: datetime
    causation_id: str | None
    record: str | None
    data: dict[str, Any]
    is_waiting: bool
    held_reason: str | None

    @property
    def is_published(self) -> bool:
        return not self.is_waiting and self.held_reason is None


async def by_number(
    connection: asyncpg.Connection, number: str, tenant_id: str | None
) -> list[dict[str, Any]]:
    """The tickets of this number, all columns: one, or one for each tenant that has it."""
    rows = await connection.fetch(BY_NUMBER, tenant_id, number)
    return [_with_json(row) for row in rows]


async def newest(
    connection: asyncpg.Connection,
    *,
    tenant_id: str | None,
    statuses: tuple[str, ...] = ALL_STATUSES,
    team: str | None = None,
    customer_id: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """The newest tickets that fit everything named. customer_id: our own id, a UUID."""
    if customer_id is not None:
        rows = await connection.fetch(BY_CUSTOMER, customer_id, statuses, limit, tenant_id, team)
    elif team is not None:
        rows = await connection.fetch(BY_TEAM, tenant_id, statuses, limit, team)
    else:
        rows = await connection.fetch(BY_STATUS, tenant_id, statuses, limit)
    return [dict(row) for row in rows]


async def by_ids(
    connection: asyncpg.Connection, tickets: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The tickets of these (tenant, id)."""
    tenants, ids = [pair[0] for pair in tickets], [pair[1] for pair in tickets]
    return [dict(row) for row in await connection.fetch(BY_IDS, tenants, ids)]


async def customer_ids(
    connection: asyncpg.Connection, external_id: int, tenant_id: str | None
) -> list[str]:
    """The customers with this external id, at most one for each tenant that has tickets."""
    rows = await connection.fetch(CUSTOMER_IDS, tenant_id, external_id)
    return [row[0] for row in rows]


async def messages(
    connection: asyncpg.Connection, tenant_id: str, ticket_id: str
) -> list[dict[str, Any]]:
    """A ticket's messages in their order, internal ones too."""
    rows = await connection.fetch(MESSAGES, tenant_id, ticket_id)
    return [dict(row) | {"attachments": orjson.loads(row["attachments"])} for row in rows]


async def timeline(connection: asyncpg.Connection, tenant_id: str, subject_id: str) -> list[Fact]:
    """The facts of a ticket in their order, or the one fact of a rejection (its ce_id)."""
    rows = await connection.fetch(TIMELINE, tenant_id, subject_id)
    return [Fact(**dict(row) | {"data": orjson.loads(row["data"])}) for row in rows]


def _with_json(row: asyncpg.Record) -> dict[str, Any]:
    ticket = dict(row)
    return ticket | {name: orjson.loads(ticket[name]) for name in JSON_COLUMNS}
