"""The clocks of tickets. Whoever writes one holds its ticket's row, the only lock there is."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from db import tables
from db.bulk import Row, Rows, unnested

Key = tuple[str, str]
"""Tenant and ticket id."""

FIELDS: Final = """
c.tenant_id, c.ticket_id::text, c.metric, c.cycle, c.state, c.started_at, c.target_seconds,
c.policy, c.policy_version, c.counted_at, c.elapsed_us, c.paused_us, c.pauses, c.pause_reasons,
c.due_at, c.next_fire_at, c.fired, c.breach_sequence, c.breaches, c.ended_at, c.annulled_at,
c.segments
"""

READ: Final = f"""
SELECT {FIELDS}
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, ticket_id)
 CROSS JOIN (VALUES ('first_response'), ('resolution')) AS m (metric)
 CROSS JOIN LATERAL (SELECT * FROM sla_clocks c
    WHERE c.tenant_id = r.tenant_id AND c.ticket_id = r.ticket_id::uuid AND c.metric = m.metric
    ORDER BY c.cycle DESC LIMIT 1) c
"""  # noqa: S608  no value in it
"""The last cycle of each metric: the others are over."""

LOOK: Final = """
SELECT tenant_id, ticket_id::text, NULL::float8 FROM (
  SELECT tenant_id, ticket_id FROM sla_clocks
   WHERE next_fire_at IS NOT NULL AND next_fire_at < now()
   ORDER BY next_fire_at LIMIT $1 OFFSET $2) due
 UNION ALL
SELECT NULL, NULL, extract(epoch FROM next_fire_at - now())::float8 FROM (
  SELECT next_fire_at FROM sla_clocks
   WHERE next_fire_at IS NOT NULL AND next_fire_at >= now()
   ORDER BY next_fire_at LIMIT 1) next
"""
"""Two ends of one index, however many clocks are running: of one that moves on with every row, as
clock_timestamp() does, no index knows the end."""

POSTPONE: Final = """
UPDATE sla_clocks c SET next_fire_at = clock_timestamp() + make_interval(secs => $3)
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, ticket_id)
 WHERE c.tenant_id = r.tenant_id AND c.ticket_id = r.ticket_id::uuid
   AND c.next_fire_at < clock_timestamp()
"""


class Look(NamedTuple):
    """Whose clocks are due, the first ones first, and in how many seconds the next will be."""

    due: list[Key]
    seconds: float | None


async def read(connection: asyncpg.Connection, keys: Sequence[Key]) -> list[Any]:
    """The clocks of these tickets, the last cycle of each metric. Columns: FIELDS."""
    rows: list[Any] = await connection.fetch(READ, *_columns(keys))
    return rows


async def look(connection: asyncpg.Connection, limit: int, held: int = 0) -> Look:
    """The tickets of the clocks that are due, each once, without a lock.

    held: how many of the first ones are passed over, since somebody holds their tickets.
    """
    due: dict[Key, None] = {}
    seconds = None
    for tenant_id, ticket_id, left in await connection.fetch(LOOK, limit, held):
        if tenant_id is None:
            seconds = left
        else:
            due[tenant_id, ticket_id] = None
    return Look(list(due), seconds)


async def postpone(connection: asyncpg.Connection, keys: Sequence[Key], seconds: float) -> None:
    """Look at the clocks of these tickets that are due again later; their due times stay."""
    await connection.execute(POSTPONE, *_columns(keys), seconds)


async def put(
    connection: asyncpg.Connection, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Write clocks of locked tickets as they are now, and begin new cycles."""
    source, arguments = unnested(Rows(tables.sla_clocks, columns, rows))
    await connection.execute(putting(columns, source), *arguments)


def putting(columns: tuple[str, ...], source: str) -> str:
    """The statement of `put`."""
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in _KEY)
    return (
        f"INSERT INTO sla_clocks ({names}) {source} "
        f"ON CONFLICT (tenant_id, ticket_id, metric, cycle) DO UPDATE SET {values}"
    )


_KEY: Final = ("tenant_id", "ticket_id", "metric", "cycle")


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [tenant for tenant, _ in keys], [ticket for _, ticket in keys]
