"""Records that could not be handled, kept whole."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

INSERT: Final = """
INSERT INTO dead_letters (topic, partition, "offset", record_timestamp, tenant_id, request_id,
    source, key, value, header_names, header_values, error_class, error_message, error_path,
    attempts, group_id, failed_at, outbox_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""


class DeadLetter(NamedTuple):
    """A row of dead_letters, in the order of INSERT. record_timestamp: ms since 1970."""

    topic: str
    partition: int
    offset: int
    record_timestamp: int
    tenant_id: str | None
    request_id: str | None
    source: str | None
    key: bytes | None
    value: bytes | None
    header_names: Sequence[bytes]
    header_values: Sequence[bytes | None]
    error_class: str
    error_message: str
    error_path: str | None
    attempts: int
    group_id: str
    failed_at: datetime
    outbox_id: int


async def add(connection: asyncpg.Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep these records, which nobody has kept before. One round trip, pipelined."""
    await connection.executemany(INSERT, letters)
