"""Replays: what was asked for, by whom, and how far each partition is; and letters on their way."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

ADD: Final = """
INSERT INTO replays (id, filter, actor, started_at)
VALUES ($1::text::uuid, $2::text::jsonb, $3, now())
"""

ADD_POSITION: Final = """
INSERT INTO replay_positions (replay_id, topic, partition, next_offset, end_offset)
VALUES ($1::text::uuid, $2, $3, $4, $5)
"""

FIND: Final = """
SELECT filter::text AS filter, actor, started_at, finished_at
  FROM replays WHERE id = $1::text::uuid
"""

POSITIONS: Final = """
SELECT topic, partition, next_offset, end_offset, counts::text AS counts
  FROM replay_positions WHERE replay_id = $1::text::uuid ORDER BY topic, partition
"""

LOCK: Final = """
SELECT next_offset, counts::text AS counts FROM replay_positions
 WHERE replay_id = $1::text::uuid AND topic = $2 AND partition = $3 FOR UPDATE
"""

MOVE: Final = """
UPDATE replay_positions SET next_offset = $4, counts = $5::text::jsonb
 WHERE replay_id = $1::text::uuid AND topic = $2 AND partition = $3
"""

FINISH: Final = """
UPDATE replays SET finished_at = clock_timestamp()
 WHERE id = $1::text::uuid AND finished_at IS NULL
"""

LETTERS: Final = """
SELECT "offset", record_timestamp FROM dead_letters
 WHERE topic = $1 AND partition = $2 AND "offset" BETWEEN $3 AND $4
"""


Place = tuple[str, str, int]
"""Of a bookmark: the replay's id, topic, partition."""


class Kept(NamedTuple):
    """A replay. filter: what was asked for, as JSON."""

    filter: Mapping[str, Any]
    actor: str
    started_at: datetime
    finished_at: datetime | None


class Position(NamedTuple):
    """How far a partition is. counts: {outcome: how many records}."""

    topic: str
    partition: int
    next_offset: int
    end_offset: int
    counts: Mapping[str, int] = {}


async def add(
    connection: asyncpg.Connection,
    replay_id: str,
    wanted: Mapping[str, Any],
    actor: str,
    positions: Sequence[Position],
) -> None:
    """Keep what a replay is about to do."""
    await connection.execute(ADD, replay_id, orjson.dumps(wanted).decode(), actor)
    await connection.executemany(ADD_POSITION, [(replay_id, *each[:4]) for each in positions])


async def find(connection: asyncpg.Connection, replay_id: str) -> Kept | None:
    """A replay by its id; None if there is none."""
    row = await connection.fetchrow(FIND, replay_id)
    return None if row is None else Kept(orjson.loads(row["filter"]), *row[1:])


async def positions(connection: asyncpg.Connection, replay_id: str) -> list[Position]:
    """How far each partition of a replay is, in order."""
    rows = await connection.fetch(POSITIONS, replay_id)
    return [Position._make((*row[:4], orjson.loads(row["counts"]))) for row in rows]


async def lock(connection: asyncpg.Connection, place: Place) -> tuple[int, dict[str, int]]:
    """The next offset of a partition and its counts, locked: nobody else carries it on."""
    row = await connection.fetchrow(LOCK, *place)
    return row["next_offset"], orjson.loads(row["counts"])


async def move(
    connection: asyncpg.Connection, place: Place, next_offset: int, counts: Mapping[str, int]
) -> None:
    """Keep how far a partition is, in the transaction that decides what came before."""
    plain = {str(name): number for name, number in counts.items()}
    await connection.execute(MOVE, *place, next_offset, orjson.dumps(plain).decode())


async def finish(connection: asyncpg.Connection, replay_id: str) -> None:
    """Everything is done."""
    await connection.execute(FINISH, replay_id)


async def letters(
    connection: asyncpg.Connection, topic: str, partition: int, first: int, last: int
) -> set[tuple[int, int]]:
    """The dead letters of a stretch of offsets, both included: (offset, timestamp)."""
    rows = await connection.fetch(LETTERS, topic, partition, first, last)
    return {(row[0], row[1]) for row in rows}
