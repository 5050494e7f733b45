"""Facts that could not be published, and those that therefore wait behind them.

Two kinds. Without `missing_topic`: the broker refused the fact, and every later one of its ticket
waits behind it until people decide. With it: the topic does not exist, and only facts of that
ticket to that topic wait, until it does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import asyncpg

from db.outbox import FACT

BEHIND: Final = "Waits behind a fact of its ticket that the broker refused."
NO_TOPIC: Final = "The topic does not exist."

COUNT: Final = "SELECT count(*) FROM (SELECT FROM held_facts LIMIT $1) h"
MOST_COUNTED: Final = 100_000

HOLD: Final = """
INSERT INTO held_facts (tenant_id, subject_id, sequence, reason, missing_topic, held_at)
SELECT r.*, now()
  FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::text[]) AS r
    ON CONFLICT (tenant_id, subject_id, sequence) DO NOTHING
"""

BLOCKED: Final = """
SELECT r.tenant_id, r.subject, h.behind_refusal, h.topics
  FROM unnest($1::text[], $2::bytea[], $3::uuid[]) AS r (tenant_id, subject, subject_id)
 CROSS JOIN LATERAL (
       SELECT bool_or(missing_topic IS NULL) AS behind_refusal,
              array_agg(DISTINCT missing_topic) FILTER (WHERE missing_topic IS NOT NULL) AS topics
         FROM held_facts
        WHERE tenant_id = r.tenant_id AND subject_id = r.subject_id) h
 WHERE h.behind_refusal IS NOT NULL
"""
"""One probe of the primary key for each subject; only asked while anything is held."""

MISSING_TOPICS: Final = """
WITH RECURSIVE t (topic) AS (
  (SELECT missing_topic FROM held_facts WHERE missing_topic IS NOT NULL
    ORDER BY missing_topic LIMIT 1)
  UNION ALL
  SELECT (SELECT missing_topic FROM held_facts WHERE missing_topic > t.topic
           ORDER BY missing_topic LIMIT 1)
    FROM t WHERE t.topic IS NOT NULL)
SELECT topic FROM t WHERE topic IS NOT NULL
"""
"""From one name to the next along the index, however many facts wait for each."""

WAITING: Final = f"""
SELECT {FACT}, h.tenant_id, uuid_send(h.subject_id), h.sequence
  FROM (SELECT tenant_id, subject_id, sequence FROM held_facts WHERE missing_topic = $1
         ORDER BY tenant_id, subject_id, sequence LIMIT $2) h
  LEFT JOIN LATERAL (
       SELECT * FROM ticket_facts
        WHERE tenant_id = h.tenant_id AND subject_id = h.subject_id AND sequence = h.sequence
        LIMIT 1) f ON true
"""  # noqa: S608  no value in it

REMOVE: Final = """
DELETE FROM held_facts WHERE (tenant_id, subject_id, sequence) IN (
       SELECT r.* FROM unnest($1::text[], $2::uuid[], $3::int[]) AS r)
"""

BLOCK: Final = """
UPDATE held_facts
   SET missing_topic = NULL, reason = CASE WHEN sequence = $3 THEN $4 ELSE $5 END
 WHERE tenant_id = $1 AND subject_id = $2 AND sequence >= $3
"""


class FactKey(NamedTuple):
    """Which fact. subject: the 16 bytes of the ticket's id, or of a rejection's own."""

    tenant_id: str
    subject: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A fact to be held, and why."""

    fact: FactKey
    reason: str
    missing_topic: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """What waits of one subject: everything, or what goes to these topics."""

    behind_refusal: bool
    topics: frozenset[str]

    def concerns(self, topic: str) -> bool:
        """Whether a new fact to this topic has to wait too."""
        return self.behind_refusal or topic in self.topics


Subject = tuple[str, bytes]


async def count(connection: asyncpg.Connection) -> int:
    """How many are held; MOST_COUNTED stands for that and more."""
    number: int = await connection.fetchval(COUNT, MOST_COUNTED)
    return number


async def hold(connection: asyncpg.Connection, holds: Sequence[Hold]) -> None:
    """Keep these facts back; one that is held already stays as it is."""
    await connection.execute(
        HOLD,
        *_columns([each.fact for each in holds]),
        [each.reason for each in holds],
        [each.missing_topic for each in holds],
    )


async def blocked(
    connection: asyncpg.Connection, subjects: Sequence[Subject]
) -> Mapping[Subject, Block]:
    """Which of these subjects (tenant, 16 bytes) have facts waiting, and for what."""
    tenants = [tenant for tenant, _ in subjects]
    ids = [subject for _, subject in subjects]
    rows = await connection.fetch(BLOCKED, tenants, ids, [each.hex() for each in ids])
    return {
        (tenant, subject): Block(behind_refusal, frozenset(topics or ()))
        for tenant, subject, behind_refusal, topics in rows
    }


async def missing_topics(connection: asyncpg.Connection) -> list[str]:
    """The topics that facts wait for."""
    return [row[0] for row in await connection.fetch(MISSING_TOPICS)]


async def waiting_for(
    connection: asyncpg.Connection, topic: str, *, limit: int
) -> tuple[list[FactKey], list[asyncpg.Record]]:
    """The first facts that wait for a topic: the keys of all, and those that exist (FACT)."""
    rows = await connection.fetch(WAITING, topic, limit)
    return [FactKey(*row[-3:]) for row in rows], [row for row in rows if row["data"] is not None]


async def remove(connection: asyncpg.Connection, facts: Sequence[FactKey]) -> None:
    """Forget that these were held: they are published."""
    await connection.execute(REMOVE, *_columns(facts))


async def block(connection: asyncpg.Connection, refused: FactKey, reason: str) -> None:
    """A fact that waited for its topic was refused there: it and the later ones wait for people."""
    await connection.execute(
        BLOCK, refused.tenant_id, refused.subject.hex(), refused.sequence, reason, BEHIND
    )


def _columns(facts: Sequence[FactKey]) -> tuple[list[str], list[str], list[int]]:
    return (
        [fact.tenant_id for fact in facts],
        [fact.subject.hex() for fact in facts],
        [fact.sequence for fact in facts],
    )
