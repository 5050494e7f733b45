"""What is committed and not yet published: one row for each write, deleted once it is.

A row's presence is the only state. Nothing remembers how far it came, because a lower number may
be committed after a higher one. All questions here belong in a transaction that keeps the planner
from sequential scans: this table fills and drains, and its statistics say so too late.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final, NamedTuple

import asyncpg

CHANNEL: Final = "ticketing_outbox"

NEXT_NUMBER: Final = "nextval('outbox_id_seq')"
"""For a statement that also asks something else. To be taken after the write's ticket locks: then
a lower number never holds a later fact of a ticket."""

CLAIM: Final = """
SELECT id, facts, dead_letters, bytes,
       extract(epoch FROM clock_timestamp() - created_at)::float8 AS age_seconds
  FROM outbox ORDER BY id LIMIT $1
"""

FACT: Final = """
f.tenant_id, uuid_send(f.subject_id) AS subject, f.sequence, f.ce_type,
convert_to(f.ticket_id::text, 'UTF8') AS key, f.ticket_number, f.causation_id, f.traceparent,
f.occurred_at, convert_to(f.data, 'UTF8') AS data
"""
"""A fact as the relay reads it: what goes out as bytes comes as bytes."""

FACTS: Final = f"""
SELECT {FACT}, f.outbox_id FROM ticket_facts f WHERE f.outbox_id = ANY($1)
"""  # noqa: S608  no value in it
"""Unsorted: the rows are nearly in order, and PostgreSQL would sort their data on disk."""

_BY_NUMBER_AND_SEQUENCE: Final = itemgetter(10, 2)

OPEN: Final = f"SELECT now(), {NEXT_NUMBER}"

DELETE: Final = "DELETE FROM outbox WHERE id = ANY($1)"

BACKLOG: Final = """
SELECT count(*), coalesce(sum(facts), 0)::bigint,
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
  FROM outbox
"""

FIRST_AND_HOLDER: Final = """
SELECT (SELECT min(id) FROM outbox),
       (SELECT holder FROM leases WHERE name = $1 AND expires_at > now())
"""


class Claim(NamedTuple):
    """A row of the outbox. age_seconds: since its write began; bytes: of its facts' data."""

    id: int
    facts: int
    dead_letters: int
    bytes: int
    age_seconds: float


class Backlog(NamedTuple):
    """What waits to be published. oldest_seconds: 0 when nothing does."""

    rows: int
    facts: int
    oldest_seconds: float


async def take_number(connection: asyncpg.Connection) -> int:
    """The number of a write, taken after its ticket locks and never kept for a later write."""
    number: int = await connection.fetchval(f"SELECT {NEXT_NUMBER}")
    return number


async def open_write(connection: asyncpg.Connection) -> tuple[datetime, int]:
    """The transaction's time and the number of its write, to be taken after its ticket locks."""
    now, number = await connection.fetchrow(OPEN)
    return now, number


async def notify(connection: asyncpg.Connection) -> None:
    """Wake the relay of another process at the commit; once per transaction.

    PostgreSQL commits transactions that notify one after another, so who has the relay in its own
    process leaves it out.
    """
    await connection.execute(f"NOTIFY {CHANNEL}")


async def claim(connection: asyncpg.Connection, *, limit: int) -> list[Claim]:
    """The first rows, in the order of their numbers."""
    return [Claim(*row) for row in await connection.fetch(CLAIM, limit)]


async def facts_of(
    connection: asyncpg.Connection, outbox_ids: Sequence[int]
) -> list[asyncpg.Record]:
    """The facts of these rows, a ticket's in their order. Columns: FACT."""
    rows: list[asyncpg.Record] = await connection.fetch(FACTS, outbox_ids)
    rows.sort(key=_BY_NUMBER_AND_SEQUENCE)
    return rows


async def delete(connection: asyncpg.Connection, outbox_ids: Sequence[int]) -> None:
    """Forget rows whose facts are published, in a transaction that has confirmed its lease."""
    await connection.execute(DELETE, outbox_ids)


async def backlog(connection: asyncpg.Connection) -> Backlog:
    """How much waits, for people and for metrics; reads the whole table."""
    return Backlog(*await connection.fetchrow(BACKLOG))


async def first_and_holder(
    connection: asyncpg.Connection, lease: str
) -> tuple[int | None, str | None]:
    """The number of the oldest row, and who may publish it now; None where there is none."""
    first, holder = await connection.fetchrow(FIRST_AND_HOLDER, lease)
    return first, holder
