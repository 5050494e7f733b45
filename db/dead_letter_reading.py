"""Dead letters as people look for them: by cause, by request, or one in full."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

SUMMARY: Final = """
topic, partition, "offset", record_timestamp, tenant_id, request_id, error_class, error_message,
error_path, attempts, failed_at, state, outcome, publish_error, outbox_id IS NOT NULL AND EXISTS (
  SELECT FROM outbox o WHERE o.id = outbox_id) AS is_waiting
"""

BY_RECORD: Final = f"""
SELECT {SUMMARY} FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" = $3
 ORDER BY record_timestamp
"""  # noqa: S608  constants of ours

BY_REQUEST: Final = f"""
SELECT {SUMMARY} FROM dead_letters
 WHERE request_id = $1 AND ($2::text IS NULL OR tenant_id IS NULL OR tenant_id = $2)
 ORDER BY failed_at
"""  # noqa: S608  constants of ours

RECORD: Final = """
SELECT key, value, header_names, header_values, source, group_id FROM dead_letters
 WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND record_timestamp = $4
"""

BY_CAUSE: Final = """
SELECT topic, error_class, count(*), max(failed_at) FROM dead_letters
 WHERE failed_at >= now() - $1::interval GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """A dead letter without its bytes. is_waiting: the relay has yet to pass it on to the DLQ.

    outcome: what became of it when it was redriven or replayed. record_timestamp: milliseconds
    since 1970.
    """

    topic: str
    partition: int
    offset: int
    record_timestamp: int
    tenant_id: str | None
    request_id: str | None
    error_class: str
    error_message: str
    error_path: str | None
    attempts: int
    failed_at: datetime
    state: str
    outcome: str | None
    publish_error: str | None
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """The record as it was read."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...]
    source: str | None
    group_id: str


@dataclass(frozen=True, slots=True)
class Cause:
    """How many records of a topic died of this."""

    topic: str
    error_class: str
    count: int
    last_at: datetime


async def by_record(
    connection: asyncpg.Connection, topic: str, partition: int, offset: int
) -> list[Summary]:
    """The dead letters of one record: more than one only if its topic was made anew."""
    rows = await connection.fetch(BY_RECORD, topic, partition, offset)
    return [Summary(**row) for row in rows]


async def by_request(
    connection: asyncpg.Connection, request_id: str, tenant_id: str | None
) -> list[Summary]:
    """Records with this request id; those that name no tenant could be anybody's."""
    rows = await connection.fetch(BY_REQUEST, request_id, tenant_id)
    return [Summary(**row) for row in rows]


async def record(connection: asyncpg.Connection, summary: Summary) -> Kept:
    """The bytes of a dead letter, which may be megabytes."""
    row = await connection.fetchrow(
        RECORD, summary.topic, summary.partition, summary.offset, summary.record_timestamp
    )
    key, value, names, values, source, group_id = row
    return Kept(key, value, tuple(zip(names, values, strict=True)), source, group_id)


async def by_cause(connection: asyncpg.Connection, *, within: timedelta) -> list[Cause]:
    """What records died of lately, the most frequent first."""
    return [Cause(*row) for row in await connection.fetch(BY_CAUSE, within)]
