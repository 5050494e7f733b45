"""Dead letters that fit a filter: newest first, counted by what they have in common, or in turn.

Every question reads a window of `failed_at` off its index, whatever else it asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from db.dead_letter_reading import SUMMARY, Summary
from db.letter_steps import Letter

FIT: Final = """
failed_at >= coalesce($1::timestamptz, '-infinity'::timestamptz)
   AND failed_at < coalesce($2::timestamptz, 'infinity'::timestamptz)
   AND ($3::text[] IS NULL OR topic = ANY($3)) AND ($4::text IS NULL OR tenant_id = $4)
   AND ($5::text IS NULL OR source = $5) AND ($6::text IS NULL OR error_class = $6)
   AND ($7::bytea IS NULL OR key = $7)
   AND ($8::text IS NULL OR strpos(lower(error_message), lower($8)) > 0)
   AND ($9::text[] IS NULL OR state = ANY($9))
"""

NEWEST: Final = f"""
SELECT {SUMMARY} FROM dead_letters WHERE {FIT}
 ORDER BY failed_at DESC, topic, partition, "offset", record_timestamp LIMIT $10
"""  # noqa: S608  constants of ours

ALIKE: Final = f"""
SELECT topic, error_class, error_message, source, count(*), min(failed_at), max(failed_at),
       max(ARRAY[(extract(epoch FROM failed_at) * 1000000)::bigint, partition, "offset"]),
       sum(coalesce(octet_length(value), 0))::bigint
  FROM dead_letters WHERE {FIT}
 GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT $10
"""  # noqa: S608  constants of ours

COUNT: Final = f"SELECT count(*) FROM dead_letters WHERE {FIT}"  # noqa: S608  constants of ours

NEXT: Final = f"""
SELECT topic, partition, "offset", record_timestamp, failed_at, coalesce(octet_length(value), 0)
  FROM dead_letters WHERE {FIT}
   AND failed_at >= coalesce($10::timestamptz, '-infinity'::timestamptz)
   AND ($10::timestamptz IS NULL OR (failed_at, topic, partition, "offset", record_timestamp)
        > ($10, $11::text, $12::int, $13::bigint, $14::bigint))
 ORDER BY failed_at, topic, partition, "offset", record_timestamp LIMIT $15
"""  # noqa: S608  constants of ours

NAMED: Final = """
SELECT d.topic, d.partition, d."offset", d.record_timestamp, d.failed_at,
       coalesce(octet_length(d.value), 0)
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
       AS r (topic, partition, "offset", record_timestamp)
 CROSS JOIN LATERAL (SELECT * FROM dead_letters f
    WHERE f.topic = r.topic AND f.partition = r.partition AND f."offset" = r."offset"
      AND f.record_timestamp = r.record_timestamp LIMIT 1) d
 ORDER BY d.failed_at, d.topic, d.partition, d."offset", d.record_timestamp
"""

MOST_KINDS: Final = 20_000
"""How many kinds of letters are told apart; messages that name values make more of them."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What letters must fit, each where it is named. until: that moment is not in it any more.

    topics: as they are called on the broker. text: somewhere in the message, in any case.
    """

    since: datetime | None = None
    until: datetime | None = None
    topics: Sequence[str] | None = None
    tenant_id: str | None = None
    source: str | None = None
    error_class: str | None = None
    key: bytes | None = None
    text: str | None = None
    states: Sequence[str] | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """Of FIT."""
        return (
            *(self.since, self.until, self.topics, self.tenant_id, self.source),
            *(self.error_class, self.key, self.text, self.states),
        )


class Alike(NamedTuple):
    """Letters that agree in the first four. example: the newest, as topic:partition:offset.

    size: the bytes of their values.
    """

    topic: str
    error_class: str
    error_message: str
    source: str | None
    letters: int
    first_at: datetime
    last_at: datetime
    example: str
    size: int


class Turn(NamedTuple):
    """A letter whose turn it is. size: the bytes of its value."""

    letter: Letter
    failed_at: datetime
    size: int


async def newest(connection: asyncpg.Connection, wanted: Filter, limit: int) -> list[Summary]:
    """The newest letters that fit."""
    rows = await connection.fetch(NEWEST, *wanted.arguments, limit)
    return [Summary(**row) for row in rows]


async def alike(
    connection: asyncpg.Connection, wanted: Filter, most: int = MOST_KINDS
) -> list[Alike]:
    """Those that fit by topic, error and source, the most frequent first, `most` kinds of them."""
    rows = await connection.fetch(ALIKE, *wanted.arguments, most)
    found = []
    for *kind, newest_of, size in rows:
        _, partition, offset = newest_of
        found.append(Alike._make([*kind, f"{kind[0]}:{partition}:{offset}", size]))
    return found


async def count(connection: asyncpg.Connection, wanted: Filter) -> int:
    """How many fit."""
    found: int = await connection.fetchval(COUNT, *wanted.arguments)
    return found


async def next_turns(
    connection: asyncpg.Connection, wanted: Filter, after: Turn | None, limit: int
) -> list[Turn]:
    """Those that fit, the one that failed first coming first; after: the last that was given."""
    place = (None,) * 5 if after is None else (after.failed_at, *after.letter)
    return _turns(await connection.fetch(NEXT, *wanted.arguments, *place, limit))


async def turns_of(connection: asyncpg.Connection, letters: Sequence[Letter]) -> list[Turn]:
    """These letters, as far as they are there, in the same order."""
    if not letters:
        return []
    return _turns(await connection.fetch(NAMED, *zip(*letters, strict=True)))


def _turns(rows: Sequence[asyncpg.Record]) -> list[Turn]:
    return [Turn((row[0], row[1], row[2], row[3]), row[4], row[5]) for row in rows]
