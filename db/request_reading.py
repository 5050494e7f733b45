"""What became of a request: by its identity, or by the record that it came in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

TENANTS: Final = """
WITH RECURSIVE tenants (tenant_id) AS (
  (SELECT tenant_id FROM requests ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT r.tenant_id FROM requests r WHERE r.tenant_id > tenants.tenant_id
           ORDER BY r.tenant_id LIMIT 1)
    FROM tenants WHERE tenants.tenant_id IS NOT NULL)
SELECT tenant_id FROM tenants WHERE tenant_id IS NOT NULL
"""
"""From one tenant to the next along the index, however many requests each has."""

DECIDED: Final = """
q.tenant_id, q.request_key::text, q.kind, q.outcome, q.code, q.ticket_id::text, q.topic,
q.partition, q."offset", q.decided_at,
(SELECT p.parked_at FROM parked_requests p
  WHERE p.tenant_id = q.tenant_id AND p.request_key = q.request_key) AS parked_at,
(SELECT p.grace_started_at FROM parked_requests p
  WHERE p.tenant_id = q.tenant_id AND p.request_key = q.request_key) AS grace_started_at
"""

BY_KEYS: Final = f"""
SELECT {DECIDED} FROM unnest($1::text[], $2::uuid[]) AS r (tenant_id, request_key)
 CROSS JOIN LATERAL (
       SELECT * FROM requests q
        WHERE q.tenant_id = r.tenant_id AND q.request_key = r.request_key LIMIT 1) q
 ORDER BY q.decided_at, q.tenant_id
"""  # noqa: S608  constants of ours

BY_RECORD: Final = f"""
SELECT {DECIDED} FROM requests q
 WHERE q.topic = $1 AND q.partition = $2 AND q."offset" = $3 ORDER BY q.decided_at
"""  # noqa: S608  constants of ours


@dataclass(frozen=True, slots=True)
class Decided:
    """A row of the arbiter. parked_at, grace_started_at: while it waits for its customer."""

    tenant_id: str
    request_key: str
    kind: str
    outcome: str
    code: str | None
    ticket_id: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    decided_at: datetime
    parked_at: datetime | None
    grace_started_at: datetime | None


async def tenants(connection: asyncpg.Connection) -> list[str]:
    """Every tenant that a request was ever decided for."""
    return [row[0] for row in await connection.fetch(TENANTS)]


async def by_keys(connection: asyncpg.Connection, keys: list[tuple[str, str]]) -> list[Decided]:
    """The outcomes of these identities (tenant, request key)."""
    rows = await connection.fetch(BY_KEYS, [key[0] for key in keys], [key[1] for key in keys])
    return [Decided(**row) for row in rows]


async def by_record(
    connection: asyncpg.Connection, topic: str, partition: int, offset: int
) -> list[Decided]:
    """The outcomes that this record gave: more than one only if its topic was made anew."""
    rows: list[Any] = await connection.fetch(BY_RECORD, topic, partition, offset)
    return [Decided(**row) for row in rows]
