"""Dead letters that are over: somebody has decided about them, and that is long ago."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

REMOVE: Final = """
WITH old AS (
  SELECT d.topic, d.partition, d."offset", d.record_timestamp, d.failed_at
    FROM dead_letters d
   WHERE d.failed_at < now() - $1::interval
     AND d.failed_at >= coalesce($2::timestamptz, '-infinity'::timestamptz)
     AND d.state IN ('redriven', 'discarded', 'resolved_by_replay')
     AND NOT EXISTS (SELECT FROM outbox o WHERE o.id = d.outbox_id)
     AND NOT EXISTS (SELECT FROM dead_letter_steps s
            WHERE s.topic = d.topic AND s.partition = d.partition AND s."offset" = d."offset"
              AND s.record_timestamp = d.record_timestamp AND s.at >= now() - $1::interval)
   ORDER BY d.failed_at LIMIT $3 FOR UPDATE SKIP LOCKED
), steps AS (
  DELETE FROM dead_letter_steps s USING old
   WHERE s.topic = old.topic AND s.partition = old.partition AND s."offset" = old."offset"
     AND s.record_timestamp = old.record_timestamp
), letters AS (
  DELETE FROM dead_letters d USING old
   WHERE d.topic = old.topic AND d.partition = old.partition AND d."offset" = old."offset"
     AND d.record_timestamp = old.record_timestamp
)
SELECT count(*), max(failed_at) FROM old
"""
"""A letter that the relay has yet to pass on stays too. Each page begins where the last one ended:
a sweep walks the index once, however many old letters wait for somebody to decide."""


class Removed(NamedTuple):
    """How many, and how far back the newest of them lay; None where there was none."""

    letters: int
    reached: datetime | None


async def remove(
    connection: asyncpg.Connection, older_than: timedelta, reached: datetime | None, limit: int
) -> Removed:
    """Remove letters that are over for so long, with their steps: the next ones from `reached` on.

    What somebody else holds is left for the next time.
    """
    return Removed(*await connection.fetchrow(REMOVE, older_than, reached, limit))
