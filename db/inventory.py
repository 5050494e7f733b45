"""Questions of an audit: the facts of a window, and the rows that concern some records.

All belong in one read-only snapshot. Those about a window read whole tables where no index helps:
they are for an operator who waits, not for the service. What fits together is `db.loose_ends`.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg

SNAPSHOT: Final = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL idle_in_transaction_session_timeout = 0
"""
"""It idles while Kafka is read."""

FACTS_AT_ONCE: Final = 5_000

_RULING: Final = """
q.tenant_id, q.request_key::text, q.outcome, q.topic, q.partition, q."offset",
EXISTS (SELECT FROM tickets t WHERE t.tenant_id = q.tenant_id AND t.id = q.ticket_id), q.decided_at
"""

RULINGS: Final = f"""
SELECT {_RULING} FROM unnest($1::text[], $2::uuid[]) AS r (tenant_id, request_key)
 CROSS JOIN LATERAL (SELECT * FROM requests q
    WHERE q.tenant_id = r.tenant_id AND q.request_key = r.request_key LIMIT 1) q
UNION
SELECT {_RULING} FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[])
       AS s (topic, partition, first, last)
  JOIN requests q ON q.topic = s.topic AND q.partition = s.partition
   AND q."offset" BETWEEN s.first AND s.last
"""  # noqa: S608  constants of ours

REJECTIONS: Final = """
SELECT f.subject_id::text, f.occurred_at
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, subject_id)
 CROSS JOIN LATERAL (SELECT f.subject_id, f.occurred_at FROM ticket_facts f
    WHERE f.tenant_id = r.tenant_id AND f.subject_id = r.subject_id::uuid AND f.sequence = 0
    LIMIT 1) f
"""

UNKNOWN_CUSTOMERS: Final = """
SELECT f.tenant_id, f.ticket_id::text, max(f.occurred_at) FROM ticket_facts f
 WHERE f.ticket_id = ANY($1::text[]::uuid[]) AND f.sequence = 0
   AND f.data::json ->> 'code' = 'customer_not_found'
 GROUP BY 1, 2
"""

# Of several edits the one that was handled: what failed again is followed by another.
LETTERS: Final = """
SELECT d.topic, d.partition, d."offset", d.record_timestamp, d.key, d.value, d.header_names,
       d.header_values, d.state,
       CASE WHEN d.publish_error IS NOT NULL OR d.outbox_id IS NULL THEN 'kept'
            WHEN EXISTS (SELECT FROM outbox o WHERE o.id = d.outbox_id) THEN 'waiting'
            ELSE 'sent' END AS fate,
       d.tenant_id, d.failed_at, d.outcome, e.value AS edited
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
       AS s (topic, partition, first, last)
  JOIN dead_letters d ON d.topic = s.topic AND d.partition = s.partition
   AND d."offset" BETWEEN s.first AND s.last
  LEFT JOIN LATERAL (SELECT t.value FROM dead_letter_steps t
         WHERE t.topic = d.topic AND t.partition = d.partition AND t."offset" = d."offset"
           AND t.record_timestamp = d.record_timestamp AND t.state = d.state
         ORDER BY t.number DESC LIMIT 1) e ON true
"""

PARTIES: Final = """
SELECT 'customer', id::text, tenant_id, updated_at FROM customers WHERE id = ANY($1::uuid[])
UNION ALL
SELECT 'partner', id::text, tenant_id, updated_at FROM partners WHERE id = ANY($1::uuid[])
"""

FACTS: Final = """
SELECT f.tenant_id, f.subject_id::text, f.sequence, f.ce_type, f.ticket_id::text, f.ticket_number,
       f.causation_id, f.traceparent, f.occurred_at, sha256(convert_to(f.data, 'UTF8')),
       CASE WHEN h.sequence IS NOT NULL THEN 'kept'
            WHEN EXISTS (SELECT FROM outbox o WHERE o.id = f.outbox_id) THEN 'waiting'
            ELSE 'sent' END,
       d.tenant_id, d.ticket_id, d.sequence
  FROM ticket_facts f LEFT JOIN held_facts h USING (tenant_id, subject_id, sequence)
 CROSS JOIN LATERAL json_to_record(f.data::json)
       AS d (tenant_id text, ticket_id text, sequence text)
 WHERE f.occurred_at BETWEEN $1 AND $2
"""

EXISTING: Final = """
SELECT f.subject_id::text, f.sequence
  FROM unnest($1::text[], $2::text[], $3::int[]) AS r (tenant_id, subject_id, sequence)
 CROSS JOIN LATERAL (SELECT f.subject_id, f.sequence FROM ticket_facts f
    WHERE f.tenant_id = r.tenant_id AND f.subject_id = r.subject_id::uuid
      AND f.sequence = r.sequence LIMIT 1) f
"""

LOST: Final = """
SELECT topic, partition, lost_offset, resumed_offset FROM lost_positions
 WHERE group_id = $1 AND reported_at BETWEEN $2 AND $3
"""

REPLAYS: Final = "SELECT started_at, finished_at FROM replays"

Stretches = Sequence[tuple[str, int, int, int]]
"""Topic, partition, first and last offset."""


async def rulings(
    connection: asyncpg.Connection, keys: Sequence[tuple[str, str]], stretches: Stretches
) -> list[Any]:
    """The rows of these identities (tenant, request key), and those decided by these records."""
    found: list[Any] = await connection.fetch(RULINGS, *_columns(keys, 2), *_columns(stretches, 4))
    return found


async def rejections(
    connection: asyncpg.Connection, facts: Sequence[tuple[str, str]]
) -> dict[str, datetime]:
    """Which of these rejections (tenant, ce_id) are recorded, and when."""
    rows = await connection.fetch(REJECTIONS, *_columns(facts, 2))
    return {row[0]: row[1] for row in rows}


async def unknown_customers(
    connection: asyncpg.Connection, tickets: Sequence[str]
) -> dict[tuple[str, str], datetime]:
    """By (tenant, ticket): when it was last not opened since its customer was not found.

    tickets: those that would have been opened. Reads the whole table, for want of an index.
    """
    rows = await connection.fetch(UNKNOWN_CUSTOMERS, tickets)
    return {(tenant, ticket): at for tenant, ticket, at in rows}


async def letters(connection: asyncpg.Connection, stretches: Stretches) -> list[Any]:
    """The dead letters of these records, whole."""
    found: list[Any] = await connection.fetch(LETTERS, *_columns(stretches, 4))
    return found


async def parties(connection: asyncpg.Connection, ids: Sequence[str]) -> list[Any]:
    """These customers and partners: party, id, tenant, and when it was last changed."""
    found: list[Any] = await connection.fetch(PARTIES, ids)
    return found


async def facts(
    connection: asyncpg.Connection, since: datetime, until: datetime
) -> AsyncIterator[list[Any]]:
    """Every fact that occurred then, some thousands at a time. Columns: FACTS."""
    cursor = await connection.cursor(FACTS, since, until)
    while rows := await cursor.fetch(FACTS_AT_ONCE):
        yield rows


async def existing(
    connection: asyncpg.Connection, keys: Iterable[tuple[str, str, int]]
) -> set[tuple[str, int]]:
    """Which of these facts (tenant, ticket, sequence) there are: ticket and sequence."""
    rows = await connection.fetch(EXISTING, *_columns(list(keys), 3))
    return {(ticket, sequence) for ticket, sequence in rows}


async def lost_positions(
    connection: asyncpg.Connection, group_id: str, since: datetime, until: datetime
) -> list[Any]:
    """What the group reported then: topic, partition, its position, and where it went on."""
    found: list[Any] = await connection.fetch(LOST, group_id, since, until)
    return found


async def replays(connection: asyncpg.Connection) -> list[Any]:
    """When records were replayed: the beginnings and ends of all replays."""
    found: list[Any] = await connection.fetch(REPLAYS)
    return found


def _columns(rows: Sequence[Sequence[object]], count: int) -> list[Sequence[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(count)]
