"""Dead letters on their way to `<topic>.dlq`; their rows keep them whole whatever happens there."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg

from db.tables import NO_DEAD_LETTER_TOPIC

KEY: Final = 'topic, partition, "offset", record_timestamp'

WRITTEN_WITH: Final = f"""
SELECT {KEY}, coalesce(octet_length(value), 0) FROM dead_letters
 WHERE outbox_id = ANY($1) AND publish_error IS NULL
"""  # noqa: S608  no value in it
"""The length is known without reading the value: a letter may have megabytes."""

LETTER: Final = f"""
SELECT {KEY}, key, value, header_names, header_values, group_id, error_class, error_message,
       error_path, attempts, failed_at
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS r (t, p, o, at)
 CROSS JOIN LATERAL (
       SELECT * FROM dead_letters
        WHERE topic = r.t AND partition = r.p AND "offset" = r.o AND record_timestamp = r.at
        LIMIT 1) d
"""  # noqa: S608  no value in it

SET_ERRORS: Final = """
UPDATE dead_letters d SET publish_error = r.error
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::text[])
       AS r (topic, partition, "offset", record_timestamp, error)
 WHERE d.topic = r.topic AND d.partition = r.partition AND d."offset" = r."offset"
   AND d.record_timestamp = r.record_timestamp
"""

TOPICS_WITHOUT_DLQ: Final = f"""
WITH RECURSIVE t (topic) AS (
  (SELECT topic FROM dead_letters WHERE publish_error = '{NO_DEAD_LETTER_TOPIC}'
    ORDER BY topic LIMIT 1)
  UNION ALL
  SELECT (SELECT topic FROM dead_letters
           WHERE publish_error = '{NO_DEAD_LETTER_TOPIC}' AND topic > t.topic
           ORDER BY topic LIMIT 1)
    FROM t WHERE t.topic IS NOT NULL)
SELECT topic FROM t WHERE topic IS NOT NULL
"""  # noqa: S608  a constant of ours

WAITING: Final = f"""
SELECT {KEY}, coalesce(octet_length(value), 0) FROM dead_letters
 WHERE publish_error = '{NO_DEAD_LETTER_TOPIC}' AND topic = $1
 ORDER BY topic, partition, "offset", record_timestamp LIMIT $2
"""  # noqa: S608  a constant of ours


class LetterKey(NamedTuple):
    """Which dead letter: the record that it was. record_timestamp: ms since 1970."""

    topic: str
    partition: int
    offset: int
    record_timestamp: int


Sized = tuple[LetterKey, int]
"""A dead letter and the length of its value in bytes."""


async def written_with(connection: asyncpg.Connection, outbox_ids: Sequence[int]) -> list[Sized]:
    """The dead letters of these outbox rows, a partition's in their order."""
    rows = await connection.fetch(WRITTEN_WITH, outbox_ids)
    return sorted((LetterKey(*row[:4]), row[4]) for row in rows)


async def read(connection: asyncpg.Connection, keys: Sequence[LetterKey]) -> list[asyncpg.Record]:
    """These dead letters in full. Columns: LETTER."""
    rows: list[asyncpg.Record] = await connection.fetch(LETTER, *_columns(keys))
    return rows


async def set_errors(
    connection: asyncpg.Connection, errors: Mapping[LetterKey, str | None]
) -> None:
    """Say why these could not be passed on; None where one has been after all."""
    await connection.execute(SET_ERRORS, *_columns(list(errors)), list(errors.values()))


async def topics_without_dlq(connection: asyncpg.Connection) -> list[str]:
    """The topics whose dead letters wait for a `<topic>.dlq`."""
    return [row[0] for row in await connection.fetch(TOPICS_WITHOUT_DLQ)]


async def waiting_for_dlq(connection: asyncpg.Connection, topic: str, *, limit: int) -> list[Sized]:
    """The first dead letters of a topic that wait for its `<topic>.dlq`."""
    rows = await connection.fetch(WAITING, topic, limit)
    return [(LetterKey(*row[:4]), row[4]) for row in rows]


def _columns(keys: Sequence[LetterKey]) -> tuple[list[object], ...]:
    return tuple(list(column) for column in zip(*keys, strict=True))
