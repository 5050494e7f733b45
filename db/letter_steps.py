"""What people did about dead letters: their rows locked, their states, and who did it when."""

from collections.abc import Sequence
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
UPDATE dead_letters SET state = $5, outcome = coalesce($6, outcome),
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
