"""Requests that wait for their customer, with the record that they came in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

INSERT: Final = """
INSERT INTO parked_requests (tenant_id, request_key, customer_ref, topic, partition, "offset",
    record_timestamp, key, value, header_names, header_values, party_ends, parked_at,
    grace_started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::text::jsonb, $13, $14)
"""

# A topic's partition counts as read when nothing of it is left before the end seen at parking.
_READ = """
NOT EXISTS (SELECT FROM jsonb_each(p.party_ends) AS t (topic, ends),
                        jsonb_each_text(t.ends) AS e (partition, "end")
             WHERE e."end"::bigint > coalesce((SELECT s.position FROM party_positions s
                     WHERE s.topic = t.topic AND s.partition = e.partition::int), 0))
"""

START_GRACE: Final = f"""
UPDATE parked_requests SET grace_started_at = now() WHERE ctid = ANY (ARRAY(
  SELECT p.ctid FROM parked_requests p WHERE p.grace_started_at IS NULL AND {_READ}
     FOR NO KEY UPDATE SKIP LOCKED))
"""  # noqa: S608  a constant of ours

DUE: Final = """
SELECT p.tenant_id, p.request_key::text, coalesce(octet_length(p.value), 0)
  FROM parked_requests p
 WHERE p.grace_started_at + make_interval(secs => $1) <= now()
    OR CASE WHEN p.customer_ref ~ '-'
            THEN (SELECT c.tenant_id = p.tenant_id AND c.status <> 'deleted' FROM customers c
                   WHERE c.id = p.customer_ref::uuid LIMIT 1)
            ELSE (SELECT c.status <> 'deleted' FROM customers c
                   WHERE c.tenant_id = p.tenant_id AND c.external_id = p.customer_ref::bigint
                   LIMIT 1) END
 ORDER BY p.parked_at, p.tenant_id, p.request_key
 LIMIT $2
"""

CLAIM: Final = """
SELECT p.tenant_id, p.request_key::text, p.topic, p.partition, p."offset", p.record_timestamp,
       p.key, p.value, p.header_names, p.header_values,
       coalesce(p.grace_started_at + make_interval(secs => $3) <= now(), false) AS expired
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, request_key)
 CROSS JOIN LATERAL (SELECT * FROM parked_requests p
    WHERE p.tenant_id = r.tenant_id AND p.request_key = r.request_key::uuid
    LIMIT 1 FOR UPDATE SKIP LOCKED) p
"""

REMOVE: Final = """
DELETE FROM parked_requests WHERE ctid = ANY (ARRAY(
  SELECT p.ctid FROM unnest($1::text[], $2::text[]) AS r (tenant_id, request_key)
   CROSS JOIN LATERAL (SELECT p.ctid FROM parked_requests p WHERE p.tenant_id = r.tenant_id
                          AND p.request_key = r.request_key::uuid LIMIT 1) p))
"""

NEXT_EXPIRY: Final = """
SELECT extract(epoch FROM min(grace_started_at) + make_interval(secs => $1) - now())::float8
  FROM parked_requests
"""


class ParkedRequest(NamedTuple):
    """A row of parked_requests, in the order of INSERT. record_timestamp: ms since 1970."""

    tenant_id: str
    request_key: str
    customer_ref: str
    topic: str
    partition: int
    offset: int
    record_timestamp: int
    key: bytes | None
    value: bytes | None
    header_names: Sequence[bytes]
    header_values: Sequence[bytes | None]
    party_ends: str
    parked_at: datetime
    grace_started_at: datetime | None


class Due(NamedTuple):
    """A parked request to be decided. size: the bytes of its record's value."""

    tenant_id: str
    request_key: str
    size: int


async def park(connection: asyncpg.Connection, rows: Sequence[ParkedRequest]) -> None:
    """Keep these requests until their customer is known or the grace is over."""
    await connection.executemany(INSERT, rows)


async def start_grace(connection: asyncpg.Connection) -> None:
    """Let the grace run for requests whose party topics have been read far enough."""
    await connection.execute(START_GRACE)


async def due(connection: asyncpg.Connection, grace_seconds: float, limit: int) -> list[Due]:
    """Parked requests to decide, the oldest first: the customer is known, or time is up."""
    return [Due(*row) for row in await connection.fetch(DUE, grace_seconds, limit)]


async def claim(
    connection: asyncpg.Connection, keys: Sequence[tuple[str, str]], grace_seconds: float
) -> list[Any]:
    """Lock these parked requests and read them; those that somebody else holds are left out."""
    tenants, request_keys = zip(*keys, strict=True)
    rows: list[Any] = await connection.fetch(CLAIM, tenants, request_keys, grace_seconds)
    return rows


async def remove(connection: asyncpg.Connection, keys: Sequence[tuple[str, str]]) -> None:
    """Forget these parked requests (tenant, request key), which the caller holds: decided."""
    await connection.execute(REMOVE, *zip(*keys, strict=True))


async def count(connection: asyncpg.Connection) -> int:
    """How many requests wait."""
    found: int = await connection.fetchval("SELECT count(*) FROM parked_requests")
    return found


async def seconds_to_next_expiry(
    connection: asyncpg.Connection, grace_seconds: float
) -> float | None:
    """How long until the grace of the next parked request is over; None when none runs."""
    found: float | None = await connection.fetchval(NEXT_EXPIRY, grace_seconds)
    return found


async def record_positions(
    connection: asyncpg.Connection, positions: Sequence[tuple[str, int, int]]
) -> None:
    """Note how far the party topics are read: (topic, partition, next offset to read)."""
    if not positions:
        return
    topics, partitions, offsets = zip(*positions, strict=True)
    await connection.execute(
        """
        INSERT INTO party_positions (topic, partition, position, recorded_at)
        SELECT topic, partition, position, now()
          FROM unnest($1::text[], $2::int[], $3::bigint[]) AS r (topic, partition, position)
         ORDER BY topic, partition
            ON CONFLICT (topic, partition) DO UPDATE
           SET position = greatest(party_positions.position, excluded.position),
               recorded_at = now()
        """,
        topics,
        partitions,
        offsets,
    )
