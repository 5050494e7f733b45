"""What actors have done to tickets since a moment. What time brought about is left out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from schemas.vocabulary import SYSTEM_ACTOR

MOST_SHOWN: Final = 50

LATER: Final = f"""
SELECT r.tenant_id, r.ticket_id, f.sequence, f.ce_type, f.occurred_at, f.actor_type, f.actor_id
  FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS r (tenant_id, ticket_id, since)
 CROSS JOIN LATERAL (
    SELECT f.sequence, f.ce_type, f.occurred_at, f.data::json #>> '{{actor,type}}' AS actor_type,
           f.data::json #>> '{{actor,id}}' AS actor_id
      FROM ticket_facts f
     WHERE f.tenant_id = r.tenant_id AND f.subject_id = r.ticket_id::uuid AND f.sequence > 1
       AND f.occurred_at > r.since AND f.data::json #>> '{{actor,type}}' <> '{SYSTEM_ACTOR}'
     ORDER BY f.sequence LIMIT $4) f
 ORDER BY r.tenant_id, r.ticket_id, f.sequence
"""  # noqa: S608  a constant of ours

ID_OF: Final = """
SELECT t.id::text FROM tickets t WHERE t.tenant_id = $1 AND t.ticket_number = $2
"""

Moment = tuple[str, str, datetime]
"""Tenant, ticket id, since when."""


class LaterChange(NamedTuple):
    """A fact that an actor caused. occurred_at: when it was decided, by the database's clock."""

    tenant_id: str
    ticket_id: str
    sequence: int
    ce_type: str
    occurred_at: datetime
    actor_type: str
    actor_id: str | None


async def later(
    connection: asyncpg.Connection, moments: Sequence[Moment], most: int = MOST_SHOWN
) -> list[LaterChange]:
    """What came later, the first of it for each ticket. Name no ticket twice."""
    if not moments:
        return []
    rows = await connection.fetch(LATER, *zip(*moments, strict=True), most)
    return [LaterChange(*row) for row in rows]


async def id_of(connection: asyncpg.Connection, tenant_id: str, number: str) -> str | None:
    """The ticket with this number."""
    found: str | None = await connection.fetchval(ID_OF, tenant_id, number)
    return found
