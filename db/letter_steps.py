"""What people did about dead letters: their rows locked, their states, and who did it when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

LOCK: Final = """
SELECT d.*, EXISTS (SELECT FROM dead_letter_steps s
        WHERE s.topic = d.topic AND s.partition = d.partition AND s."offset" = d."offset"
          AND s.record_timestamp = d.record_timestamp AND s.value IS NOT NULL) AS was_edited
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
       AS r (topic, partition, "offset", record_timestamp)
 CROSS JOIN LATERAL (SELECT * FROM dead_letters f
    WHERE f.topic = r.topic AND f.partition = r.partition AND f."offset" = r."offset"
      AND f.record_timestamp = r.record_timestamp LIMIT 1) d
 ORDER BY d.topic, d.partition, d."offset", d.record_timestamp
"""

LOCK_ROWS: Final = """
SELECT FROM dead_letters
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND record_timestamp = $4
   FOR UPDATE
"""

SET_STATE: Final = """
UPDATE dead_letters SET state = $5, outcome = $6,
       attempts = attempts + ($5 = 'failed_again')::int
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND record_timestamp = $4
"""

ADD_STEP: Final = """
INSERT INTO dead_letter_steps (topic, partition, "offset", record_timestamp, number, at, actor,
    state, outcome, reason, value)
SELECT $1, $2, $3, $4, 1 + coalesce(max(number), 0), clock_timestamp(), $5, $6, $7, $8, $9
  FROM dead_letter_steps
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND record_timestamp = $4
"""

OF_LETTER: Final = """
SELECT number, at, actor, state, outcome, reason, value FROM dead_letter_steps
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND record_timestamp = $4 ORDER BY number
"""

LAST: Final = """
SELECT s.topic, s.partition, s."offset", s.record_timestamp, s.at, s.actor
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
       AS r (topic, partition, "offset", record_timestamp)
 CROSS JOIN LATERAL (SELECT * FROM dead_letter_steps f
    WHERE f.topic = r.topic AND f.partition = r.partition AND f."offset" = r."offset"
      AND f.record_timestamp = r.record_timestamp ORDER BY f.number DESC LIMIT 1) s
"""

PARKED: Final = """
SELECT FROM dead_letters
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND record_timestamp = $4
   AND outcome = 'parked' AND state IN ('redriven', 'resolved_by_replay')
   FOR UPDATE
"""

Letter = tuple[str, int, int, int]
"""Topic, partition, offset, timestamp."""


class Step(NamedTuple):
    """Something done about a dead letter, and the state that it led to.

    reason: an operator's, or the error. value: what was handled in place of the record's own.
    """

    letter: Letter
    state: str
    outcome: str | None = None
    reason: str | None = None
    value: bytes | None = None


class Taken(NamedTuple):
    """A step as it was taken."""

    number: int
    at: datetime
    actor: str
    state: str
    outcome: str | None
    reason: str | None
    value: bytes | None


async def lock(connection: asyncpg.Connection, letters: Sequence[Letter]) -> list[asyncpg.Record]:
    """Lock these rows, one after the other in key order, and read them whole, in that order.

    Columns: those of dead_letters, and was_edited. Whoever else has one is waited for.
    """
    ordered = sorted(letters)
    if not ordered:
        return []
    await connection.executemany(LOCK_ROWS, ordered)
    rows: list[asyncpg.Record] = await connection.fetch(LOCK, *zip(*ordered, strict=True))
    return rows


async def take(connection: asyncpg.Connection, steps: Sequence[Step], actor: str) -> None:
    """Write new states of rows that are locked, and who did what. Two round trips, pipelined."""
    if not steps:
        return
    await connection.executemany(
        SET_STATE, [(*step.letter, step.state, step.outcome) for step in steps]
    )
    await connection.executemany(
        ADD_STEP,
        [
            (*step.letter, actor, step.state, step.outcome, step.reason, step.value)
            for step in steps
        ],
    )


async def taken(connection: asyncpg.Connection, letter: Letter) -> list[Taken]:
    """Everything that was done about a letter, in its order."""
    return [Taken(*row) for row in await connection.fetch(OF_LETTER, *letter)]


async def last_taken(
    connection: asyncpg.Connection, letters: Sequence[Letter]
) -> dict[Letter, tuple[datetime, str]]:
    """When somebody last did something about these letters, and who."""
    if not letters:
        return {}
    rows = await connection.fetch(LAST, *zip(*letters, strict=True))
    return {(row[0], row[1], row[2], row[3]): (row[4], row[5]) for row in rows}


async def lock_parked(connection: asyncpg.Connection, letters: Sequence[Letter]) -> list[Letter]:
    """Lock those of these letters that live on as parked requests, in key order."""
    return [
        letter
        for letter in sorted(letters)
        if await connection.fetchrow(PARKED, *letter) is not None
    ]
