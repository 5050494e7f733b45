"""Facts as they were published, to be sent again: only from `ticket_facts`, which keeps them all.

Everything is walked by outbox number, a stretch at a time: no statement reads more than a stretch,
however few of its facts are wanted, and none remembers the whole. Tenant, type and time are judged
on the way. OFFSET 0 keeps the planner from walking a tenant's facts by their key, again for each
stretch; LATERAL with LIMIT leaves one probe for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from db.outbox import FACT

LONGEST_TRANSACTION: Final = timedelta(hours=1)
"""A fact's time is that of its transaction's beginning, and its number is taken later. Numbers and
times disagree by no more than this, unless a workflow keeps its own transaction open for longer."""

_KEY: Final = """
f.outbox_id, f.tenant_id, f.subject_id::text, f.sequence, f.ce_type, octet_length(f.data),
f.occurred_at, o.id IS NULL AND h.sequence IS NULL
"""

_FATE: Final = """
  LEFT JOIN LATERAL (SELECT id FROM outbox o WHERE o.id = f.outbox_id LIMIT 1) o ON true
  LEFT JOIN LATERAL (SELECT h.sequence FROM held_facts h WHERE h.tenant_id = f.tenant_id
    AND h.subject_id = f.subject_id AND h.sequence = f.sequence LIMIT 1) h ON true
"""

KEYS: Final = f"""
SELECT {_KEY}
  FROM (SELECT * FROM ticket_facts WHERE outbox_id > $1 AND outbox_id <= $2 OFFSET 0) f {_FATE}
 WHERE f.tenant_id = coalesce($3, f.tenant_id)
   AND f.ce_type = ANY(coalesce($4, ARRAY[f.ce_type]))
   AND f.occurred_at >= coalesce($5, f.occurred_at)
   AND ($6::timestamptz IS NULL OR f.occurred_at < $6)
"""  # noqa: S608  constants of ours

KEYS_OF_SUBJECT: Final = f"""
SELECT {_KEY} FROM ticket_facts f {_FATE}
 WHERE f.tenant_id = $1 AND f.subject_id = $2
   AND f.ce_type = ANY(coalesce($3, ARRAY[f.ce_type]))
   AND f.occurred_at >= coalesce($4, f.occurred_at)
   AND ($5::timestamptz IS NULL OR f.occurred_at < $5)
"""  # noqa: S608  constants of ours

FACTS: Final = f"""
SELECT {FACT} FROM unnest($1::text[], $2::uuid[], $3::int[]) AS r (tenant_id, subject_id, sequence)
 CROSS JOIN LATERAL (SELECT * FROM ticket_facts f WHERE f.tenant_id = r.tenant_id
    AND f.subject_id = r.subject_id AND f.sequence = r.sequence LIMIT 1) f
"""  # noqa: S608  constants of ours

LAST: Final = "SELECT coalesce(max(outbox_id), 0) FROM ticket_facts"

PROBE: Final = """
SELECT outbox_id, occurred_at FROM ticket_facts WHERE outbox_id >= $1 ORDER BY outbox_id LIMIT 1
"""

STRETCH: Final = """
SELECT outbox_id FROM ticket_facts WHERE outbox_id > $1 AND outbox_id <= $2
 ORDER BY outbox_id OFFSET $3 LIMIT 1
"""

SUBJECTS: Final = """
WITH RECURSIVE tenants (tenant_id) AS (
  (SELECT tenant_id FROM ticket_facts WHERE tenant_id = coalesce($1, tenant_id)
    ORDER BY tenant_id LIMIT 1)
  UNION ALL
  SELECT (SELECT f.tenant_id FROM ticket_facts f WHERE f.tenant_id > tenants.tenant_id
           ORDER BY f.tenant_id LIMIT 1)
    FROM tenants WHERE tenants.tenant_id IS NOT NULL AND $1::text IS NULL)
SELECT f.tenant_id FROM tenants CROSS JOIN LATERAL (
    SELECT f.tenant_id FROM ticket_facts f
     WHERE f.tenant_id = tenants.tenant_id AND f.subject_id = $2 LIMIT 1) f
"""
"""From one tenant to the next along the key; only $1 where it is given."""


class Position(NamedTuple):
    """A fact's place in the order in which all are sent: a ticket's by their sequence."""

    outbox_id: int
    tenant_id: str
    subject_id: str
    sequence: int


class Past(NamedTuple):
    """A fact without its data. length: of its data, in bytes."""

    position: Position
    ce_type: str
    length: int
    occurred_at: datetime
    is_published: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which facts; what is None does not matter. subject: (tenant, the ticket's id)."""

    types: tuple[str, ...] | None = None
    tenant_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    subject: tuple[str, str] | None = None


async def bounds(connection: asyncpg.Connection, wanted: Filter) -> tuple[int, int]:
    """The numbers between which everything wanted is: above the first, up to the second."""
    last: int = await connection.fetchval(LAST)
    start, end = 0, last
    if wanted.since is not None:
        start = await _before(connection, _moved(wanted.since, -LONGEST_TRANSACTION), last)
    if wanted.until is not None:
        end = await _before(connection, _moved(wanted.until, LONGEST_TRANSACTION), last)
    return start, end


async def stretch_end(connection: asyncpg.Connection, start: int, end: int, *, facts: int) -> int:
    """The number up to which there are so many facts above `start`, or a few more: whole writes."""
    found: int | None = await connection.fetchval(STRETCH, start, end, facts - 1)
    return end if found is None else found


async def keys(connection: asyncpg.Connection, wanted: Filter, start: int, end: int) -> list[Past]:
    """What is wanted of the facts above one number, up to the other, in order."""
    rows = await connection.fetch(
        KEYS,
        *(start, end, wanted.tenant_id, wanted.types, wanted.since, wanted.until),
    )
    return _in_order(rows)


async def keys_of_subject(connection: asyncpg.Connection, wanted: Filter) -> list[Past]:
    """What is wanted of one ticket's facts, in order. wanted: names a subject."""
    rows = await connection.fetch(
        KEYS_OF_SUBJECT, *(wanted.subject or ()), wanted.types, wanted.since, wanted.until
    )
    return _in_order(rows)


async def facts(
    connection: asyncpg.Connection, positions: Sequence[Position]
) -> list[asyncpg.Record]:
    """These facts (columns: db.outbox.FACT) in this order, those that still exist."""
    rows = await connection.fetch(
        FACTS,
        [each.tenant_id for each in positions],
        [each.subject_id for each in positions],
        [each.sequence for each in positions],
    )
    found = {(row[0], row[1].hex(), row[2]): row for row in rows}
    wanted = [(each[1], each[2].replace("-", ""), each[3]) for each in positions]
    return [found[key] for key in wanted if key in found]


async def tenants_of(
    connection: asyncpg.Connection, subject_id: str, tenant_id: str | None
) -> list[str]:
    """The tenants that have facts of this subject: a ticket's id, or a rejection's own ce_id."""
    return [row[0] for row in await connection.fetch(SUBJECTS, tenant_id, subject_id)]


async def _before(connection: asyncpg.Connection, moment: datetime, last: int) -> int:
    """A number that was given before that moment, such that the next one was not: by halving."""
    lower, upper = 0, last + 1
    while lower + 1 < upper:
        middle = (lower + upper) // 2
        found = await connection.fetchrow(PROBE, middle)
        if found is None or found[1] >= moment:
            upper = middle
        else:
            lower = found[0]
    return lower


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment


def _in_order(rows: Sequence[asyncpg.Record]) -> list[Past]:
    """Sorted here: PostgreSQL would compare tenants by its own language's rules."""
    found = [Past(Position(*row[:4]), *row[4:]) for row in rows]
    found.sort(key=_position)
    return found


def _position(past: Past) -> Position:
    return past.position
