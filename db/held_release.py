"""Held facts that people let go: they wait for their topic from then on, as if it had been missing.

The relay sends what waits for a topic once the topic is there, in order and under its lease. So
nobody else ever sends a held fact, and what is refused again is held again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import asyncpg

from db import held_facts
from db.held_facts import BEHIND, FactKey

RELEASED: Final = "Let go by an operator: the relay sends it next."

LISTED: Final = """
SELECT h.tenant_id, h.subject_id::text, h.sequence, h.reason, f.ce_type, f.ticket_number
  FROM held_facts h
  LEFT JOIN LATERAL (SELECT f.ce_type, f.ticket_number FROM ticket_facts f
    WHERE f.tenant_id = h.tenant_id AND f.subject_id = h.subject_id AND f.sequence = h.sequence
    LIMIT 1) f ON true
 WHERE h.missing_topic IS NULL AND h.tenant_id = coalesce($1, h.tenant_id)
   AND h.subject_id = coalesce($2, h.subject_id)
 ORDER BY h.tenant_id, h.subject_id, h.sequence LIMIT $3
"""

LOCKED: Final = """
SELECT h.tenant_id, h.subject_id::text, h.sequence, f.ce_type
  FROM unnest($1::text[], $2::uuid[]) AS r (tenant_id, subject_id)
 CROSS JOIN LATERAL (SELECT h.tenant_id, h.subject_id, h.sequence FROM held_facts h
    WHERE h.tenant_id = r.tenant_id AND h.subject_id = r.subject_id AND h.missing_topic IS NULL
    ORDER BY h.sequence FOR UPDATE) h
  LEFT JOIN LATERAL (SELECT f.ce_type FROM ticket_facts f
    WHERE f.tenant_id = h.tenant_id AND f.subject_id = h.subject_id AND f.sequence = h.sequence
    LIMIT 1) f ON true
"""
"""Locked one subject after the other, as they are named: two may do this at once."""

RELEASE: Final = """
UPDATE held_facts h SET missing_topic = r.topic, reason = $5
  FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[])
       AS r (tenant_id, subject_id, sequence, topic)
 CROSS JOIN LATERAL (SELECT f.ctid FROM held_facts f WHERE f.tenant_id = r.tenant_id
    AND f.subject_id = r.subject_id AND f.sequence = r.sequence LIMIT 1) found
 WHERE h.ctid = found.ctid
"""

LEFT: Final = """
SELECT h.tenant_id, h.subject_id::text, h.sequence, h.missing_topic, h.reason
  FROM unnest($1::text[], $2::uuid[]) AS r (tenant_id, subject_id)
 CROSS JOIN LATERAL (SELECT * FROM held_facts h
    WHERE h.tenant_id = r.tenant_id AND h.subject_id = r.subject_id ORDER BY h.sequence OFFSET 0) h
"""
"""LATERAL, fenced by OFFSET: this table fills and drains, and its statistics say so too late."""


class HeldKey(NamedTuple):
    """Which fact. subject_id: the ticket's id, or a rejection's own."""

    tenant_id: str
    subject_id: str
    sequence: int

    @property
    def subject(self) -> tuple[str, str]:
        return self[:2]


class Held(NamedTuple):
    """A fact that waits for people. ce_type: None where the fact itself is gone."""

    key: HeldKey
    reason: str
    ce_type: str | None
    ticket_number: str | None

    @property
    def is_behind(self) -> bool:
        """Whether nothing is wrong with it but what stands before it."""
        return self.reason == BEHIND


@dataclass(frozen=True, slots=True)
class Left:
    """A fact that is held still, or again."""

    key: HeldKey
    missing_topic: str | None
    reason: str


Subjects = Sequence[tuple[str, str]]


async def listed(
    connection: asyncpg.Connection,
    *,
    tenant_id: str | None,
    subject_id: str | None,
    limit: int,
) -> list[Held]:
    """What waits for people, a ticket's facts in their order."""
    rows = await connection.fetch(LISTED, tenant_id, subject_id, limit)
    return [Held(HeldKey(*row[:3]), *row[3:]) for row in rows]


async def release(
    connection: asyncpg.Connection, subjects: Subjects, topic_of: Mapping[str, str]
) -> list[HeldKey]:
    """Let go all that waits for people of these; which facts those were.

    topic_of: the full name of the topic, by ce_type. A fact that is gone is forgotten here.
    """
    rows = await connection.fetch(LOCKED, *_columns(sorted(subjects)))
    gone = [
        FactKey(row[0], bytes.fromhex(row[1].replace("-", "")), row[2])
        for row in rows
        if row[3] is None
    ]
    if gone:
        await held_facts.remove(connection, gone)
    known = [row for row in rows if row[3] is not None]
    keys = [HeldKey(*row[:3]) for row in known]
    if keys:
        await connection.execute(
            RELEASE,
            [key.tenant_id for key in keys],
            [key.subject_id for key in keys],
            [key.sequence for key in keys],
            [topic_of[row[3]] for row in known],
            RELEASED,
        )
    return keys


async def left(connection: asyncpg.Connection, subjects: Subjects) -> list[Left]:
    """What is held of these now, for whatever reason; a ticket's facts in their order."""
    rows = await connection.fetch(LEFT, *_columns(subjects))
    return [Left(HeldKey(*row[:3]), *row[3:]) for row in rows]


def _columns(subjects: Subjects) -> tuple[list[str], list[str]]:
    return [tenant for tenant, _ in subjects], [subject for _, subject in subjects]
