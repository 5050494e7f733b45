"""The arbiter of identities, and everything that a batch must know before it is decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

from db import tables
from db.bulk import Row, Rows, unnested

LOOK_UP: Final = """
SELECT now() AS now, nextval('outbox_id_seq') AS outbox_id,
  (SELECT json_agg(json_build_array(r.tenant_id, r.request_key, q.outcome, q.content_hash,
                                    q.topic, q.partition, q."offset", q.ticket_id))::text
     FROM unnest($1::text::text[], $2::text::uuid[]) AS r (tenant_id, request_key)
    CROSS JOIN LATERAL (SELECT * FROM requests q
       WHERE q.tenant_id = r.tenant_id AND q.request_key = r.request_key LIMIT 1) q) AS decided,
  (SELECT json_agg(json_build_array(r.tenant_id, r.id, c.tenant_id, c.status))::text
     FROM unnest($3::text::text[], $4::text::uuid[]) AS r (tenant_id, id)
     LEFT JOIN LATERAL (SELECT * FROM customers c WHERE c.id = r.id LIMIT 1) c ON true
    WHERE c.id IS NULL OR c.tenant_id <> r.tenant_id OR c.status = 'deleted') AS strangers,
  (SELECT json_agg(json_build_array(r.tenant_id, r.external_id, c.id))::text
     FROM unnest($5::text::text[], $6::text::bigint[]) AS r (tenant_id, external_id)
    CROSS JOIN LATERAL (SELECT * FROM customers c
       WHERE c.tenant_id = r.tenant_id AND c.external_id = r.external_id LIMIT 1) c
    WHERE c.status <> 'deleted') AS customers,
  (SELECT json_agg(json_build_array(p.id, p.tenant_id, p.status))::text
     FROM unnest($7::text::uuid[]) AS r (id)
    CROSS JOIN LATERAL (SELECT * FROM partners p WHERE p.id = r.id LIMIT 1) p) AS partners,
  (SELECT json_agg(json_build_array(d.topic, d.partition, d."offset", d.record_timestamp))::text
     FROM unnest($8::text[], $9::text::int[], $10::text::bigint[], $11::text::bigint[])
          AS r (topic, partition, first, last)
    CROSS JOIN LATERAL (SELECT * FROM dead_letters d
       WHERE d.topic = r.topic AND d.partition = r.partition
         AND d."offset" BETWEEN r.first AND r.last LIMIT 100000) d) AS dead,
  (SELECT json_agg(json_build_array(r.tenant_id, p.version, p.applied_at))::text
     FROM unnest($12::text::text[]) AS r (tenant_id)
    CROSS JOIN LATERAL (SELECT version, applied_at FROM policies p WHERE p.tenant_id = r.tenant_id
                         ORDER BY p.version DESC LIMIT 1) p) AS policies
"""
"""One question for a whole batch. Only what stands out comes back: on an ordinary batch nothing
but the time and a number, however large it is. LATERAL with LIMIT leaves the planner no other way
than one index probe per key, whatever its statistics say. Lists come as text, because sessions of
SQLAlchemy decode JSON by themselves, and numbers go as text, because asyncpg asks each new server
process about their array types first."""

REJECTIONS: Final = """
SELECT f.subject_id::text
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, subject_id)
 CROSS JOIN LATERAL (SELECT f.subject_id FROM ticket_facts f
    WHERE f.tenant_id = r.tenant_id AND f.subject_id = r.subject_id::uuid AND f.sequence = 0
    LIMIT 1) f
"""

TAKEN_NUMBERS: Final = """
SELECT t.tenant_id, t.ticket_number
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, ticket_number)
 CROSS JOIN LATERAL (SELECT t.tenant_id, t.ticket_number FROM tickets t
    WHERE t.tenant_id = r.tenant_id AND t.ticket_number = r.ticket_number LIMIT 1) t
"""

FORGET_PARKED: Final = """
DELETE FROM requests WHERE outcome = 'parked' AND ctid = ANY (ARRAY(
  SELECT q.ctid FROM unnest($1::text[], $2::text[]) AS r (tenant_id, request_key)
   CROSS JOIN LATERAL (SELECT q.ctid FROM requests q WHERE q.tenant_id = r.tenant_id
                          AND q.request_key = r.request_key::uuid LIMIT 1) q))
"""

FIRST_FACT: Final = """
SELECT data FROM ticket_facts WHERE tenant_id = $1 AND subject_id = $2 AND sequence = 1
"""


class DecidedElsewhere(Exception):
    """Another worker decided one of these identities meanwhile: look again."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive records of one partition, first and last included."""

    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What LOOK_UP returns, row by row as it selects them."""

    now: datetime
    outbox_id: int
    decided: list[list[Any]]
    strangers: list[list[Any]]
    customers: list[list[Any]]
    partners: list[list[Any]]
    dead: list[list[Any]]
    policies: list[list[Any]]


async def look_up(
    connection: asyncpg.Connection,
    *,
    keys: Sequence[tuple[str, str]],
    customers: Sequence[tuple[str, str]],
    external_ids: Sequence[tuple[str, int]],
    partners: Sequence[str],
    stretches: Sequence[Stretch],
) -> Answer:
    """Everything known about a batch, in one round trip."""
    row = await connection.fetchrow(
        LOOK_UP,
        _array(tenant for tenant, _ in keys),
        _array(key for _, key in keys),
        _array(tenant for tenant, _ in customers),
        _array(customer for _, customer in customers),
        _array(tenant for tenant, _ in external_ids),
        _array(str(number) for _, number in external_ids),
        _array(partners),
        [stretch.topic for stretch in stretches],
        _array(str(stretch.partition) for stretch in stretches),
        _array(str(stretch.first) for stretch in stretches),
        _array(str(stretch.last) for stretch in stretches),
        _array(sorted({tenant for tenant, _ in keys})),
    )
    now, outbox_id, *lists = row
    return Answer(now, outbox_id, *[orjson.loads(found) if found else [] for found in lists])


def _array(values: Iterable[str]) -> str:
    """An array literal of values that hold no quote or backslash: tenants, UUIDs, integers."""
    joined = '","'.join(values)
    return f'{{"{joined}"}}' if joined else "{}"


async def rejections(connection: asyncpg.Connection, facts: Sequence[tuple[str, str]]) -> set[str]:
    """Which of these rejections (tenant, ce_id) are recorded."""
    tenants, ids = zip(*facts, strict=True)
    return {row[0] for row in await connection.fetch(REJECTIONS, tenants, ids)}


async def taken_numbers(
    connection: asyncpg.Connection, numbers: Sequence[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Which of these ticket numbers (tenant, number) are given out already."""
    tenants, names = zip(*numbers, strict=True)
    return {(row[0], row[1]) for row in await connection.fetch(TAKEN_NUMBERS, tenants, names)}


async def first_fact(
    connection: asyncpg.Connection, tenant_id: str, ticket_id: str
) -> dict[str, Any]:
    """The data of a ticket's `ticket.created`, as it was published."""
    data = await connection.fetchval(FIRST_FACT, tenant_id, ticket_id)
    found: dict[str, Any] = orjson.loads(data)
    return found


async def settle(
    connection: asyncpg.Connection, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Give identities that were rejected or parked their new outcome.

    Raises DecidedElsewhere when one of them has been decided by somebody else since the look-up.
    """
    source, arguments = unnested(Rows(tables.requests, columns, rows))
    status = await connection.execute(settling(columns, source), *arguments)
    if status != f"UPDATE {len(rows)}":
        raise DecidedElsewhere


def settling(columns: tuple[str, ...], source: str) -> str:
    """The statement of `settle`.

    It finds each row by its key, and changes the version that it found: a row that somebody else
    has changed meanwhile stands elsewhere, and is left alone.
    """
    keys = ("tenant_id", "request_key")
    values = ", ".join(f'"{name}" = r."{name}"' for name in columns if name not in keys)
    return (
        f"UPDATE requests q SET {values} FROM ({source}) r "  # noqa: S608  names of ours
        "CROSS JOIN LATERAL (SELECT f.ctid FROM requests f WHERE f.tenant_id = r.tenant_id "
        "AND f.request_key = r.request_key LIMIT 1) found "
        "WHERE q.ctid = found.ctid AND q.outcome IN ('rejected', 'parked')"
    )


async def forget_parked(connection: asyncpg.Connection, keys: Sequence[tuple[str, str]]) -> None:
    """Free these identities (tenant, request key): their record turned out to be a dead letter.

    One that another record has used up meanwhile stays.
    """
    await connection.execute(FORGET_PARKED, *zip(*keys, strict=True))
