"""The state of the whole, in one look: what waits, for how long, and what comes next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from db import clock_reading

STATUS: Final = """
SELECT now() AS at,
  (SELECT count(*) FROM outbox) AS outbox_rows,
  (SELECT coalesce(sum(facts), 0) FROM outbox)::bigint AS outbox_facts,
  (SELECT min(created_at) FROM outbox) AS outbox_since,
  (SELECT count(*) FROM parked_requests) AS parked,
  (SELECT min(parked_at) FROM parked_requests) AS parked_since,
  (SELECT count(*) FROM held_facts) AS held,
  (SELECT min(held_at) FROM held_facts) AS held_since,
  (SELECT count(*) FROM tickets
    WHERE status IN ('open', 'in_progress', 'waiting') AND sla_due_date < now()) AS overdue
"""

LEASES: Final = "SELECT name, holder, fence, expires_at FROM leases ORDER BY name"

HELD_REASONS: Final = """
SELECT reason, count(*) FROM held_facts GROUP BY reason ORDER BY 2 DESC, 1 LIMIT 20
"""

LOST_POSITIONS: Final = """
SELECT topic, partition, lost_offset, resumed_offset, reported_at FROM lost_positions
 WHERE group_id = $1 ORDER BY reported_at DESC LIMIT 10
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The counts of everything that waits, and since when the oldest does."""

    at: datetime
    outbox_rows: int
    outbox_facts: int
    outbox_since: datetime | None
    parked: int
    parked_since: datetime | None
    held: int
    held_since: datetime | None
    overdue: int


@dataclass(frozen=True, slots=True)
class Due:
    """A running clock of a ticket, and when its target is used up."""

    ticket_number: str
    tenant_id: str
    metric: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Who has a lease, or had it last, and until when."""

    name: str
    holder: str
    fence: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LostPosition:
    """A stretch of records that retention deleted before they were read."""

    topic: str
    partition: int
    lost_offset: int
    resumed_offset: int
    reported_at: datetime


async def waiting(connection: asyncpg.Connection) -> Waiting:
    """Count what waits; these tables are small, and overdue tickets are read off an index."""
    return Waiting(**await connection.fetchrow(STATUS))


async def next_due(connection: asyncpg.Connection, now: datetime) -> Due | None:
    """The clock that is due next. What was due before and is not told is the timers' to tell."""
    for row in await clock_reading.breach_next(connection, since=now, limit=1):
        return Due(row["ticket_number"], row["tenant_id"], row["metric"], row["due_at"])
    return None


async def leases(connection: asyncpg.Connection) -> list[LeaseHolder]:
    """Who holds what."""
    return [LeaseHolder(*row) for row in await connection.fetch(LEASES)]


async def held_reasons(connection: asyncpg.Connection) -> list[tuple[str, int]]:
    """Why facts are held back, the most frequent first."""
    return [(row[0], row[1]) for row in await connection.fetch(HELD_REASONS)]


async def lost_positions(connection: asyncpg.Connection, group_id: str) -> list[LostPosition]:
    """The latest losses of a group."""
    return [LostPosition(*row) for row in await connection.fetch(LOST_POSITIONS, group_id)]
