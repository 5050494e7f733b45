"""What is paused, on the fake database: `db.pauses`."""

from collections.abc import Sequence
from typing import Final

from db import pauses
from tests.simulation.answers import Record, Statement, plain
from tests.simulation.shapes import Row
from tests.simulation.store import Transaction

COLUMNS: Final = ("topic", "reason", "paused_by", "paused_at", "is_ceiling")


def _told(row: Row, *more: object) -> Record:
    return plain(*(row[name] for name in COLUMNS), *more)


def paused(transaction: Transaction) -> list[Record]:
    rows = sorted(transaction.rows("paused_topics"), key=lambda row: str(row["topic"]))
    return [_told(row) for row in rows]


async def pause(
    transaction: Transaction,
    topic: str,
    reason: str,
    paused_by: str,
    is_ceiling: bool,  # noqa: FBT001  the statement's
) -> list[Record]:
    values = (topic, reason, paused_by, transaction.now, is_ceiling)
    is_new = await transaction.insert_new("paused_topics", dict(zip(COLUMNS, values, strict=True)))
    row = await transaction.lock("paused_topics", (topic,))
    assert row is not None
    return [_told(row, is_new)]


async def resume(transaction: Transaction, topics: Sequence[str] | None) -> list[Record]:
    rows = [
        row for row in transaction.rows("paused_topics") if not topics or row["topic"] in topics
    ]
    return [
        _told(row) for row in rows if await transaction.delete("paused_topics", (row["topic"],))
    ]


STATEMENTS: Final[dict[str, Statement]] = {
    pauses.PAUSED: paused,
    pauses.PAUSE: pause,
    pauses.RESUME: resume,
}
