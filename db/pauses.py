"""Which topics are paused: a row each, named as on the broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

PAUSED: Final = """
SELECT topic, reason, paused_by, paused_at, is_ceiling FROM paused_topics ORDER BY topic
"""

PAUSE: Final = """
INSERT INTO paused_topics (topic, reason, paused_by, paused_at, is_ceiling)
VALUES ($1, $2, $3, now(), $4)
    ON CONFLICT (topic) DO UPDATE SET topic = excluded.topic
RETURNING topic, reason, paused_by, paused_at, is_ceiling, xmax = 0 AS is_new
"""
"""Who comes second changes nothing, and gets the row of who was first: an insert leaves no xmax."""

RESUME: Final = """
DELETE FROM paused_topics WHERE $1::text[] IS NULL OR topic = ANY($1)
RETURNING topic, reason, paused_by, paused_at, is_ceiling
"""


@dataclass(frozen=True, slots=True)
class Pause:
    """A topic that waits. is_ceiling: the service paused it itself, for its dead letters."""

    topic: str
    reason: str
    paused_by: str
    paused_at: datetime
    is_ceiling: bool


async def paused(connection: asyncpg.Connection) -> list[Pause]:
    """All that are paused, by name."""
    return [Pause(*row) for row in await connection.fetch(PAUSED)]


async def pause(
    connection: asyncpg.Connection, topic: str, reason: str, by: str, *, is_ceiling: bool = False
) -> tuple[Pause, bool]:
    """Pause a topic; the pause in force, and whether it is this one."""
    *columns, is_new = await connection.fetchrow(PAUSE, topic, reason, by, is_ceiling)
    return Pause(*columns), is_new


async def resume(connection: asyncpg.Connection, topics: Sequence[str] | None) -> list[Pause]:
    """End the pauses of these topics, or of all for None; those that there were."""
    rows = await connection.fetch(RESUME, None if topics is None else list(topics))
    return sorted((Pause(*row) for row in rows), key=lambda pause: pause.topic)
