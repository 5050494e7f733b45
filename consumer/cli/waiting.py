"""Waiting until every record that was sent has its outcome."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from consumer import clock
from consumer.cli.outcome import Story, of_entry
from consumer.settings import Settings
from consumer.subscription import Subscription
from db.connect import connect
from handlers.entries import TopicRole, read
from handlers.record import Record
from schemas.vocabulary import Kind

LOOK_SECONDS: Final = 0.1
REQUEST: Final = TopicRole(Kind.REQUEST)


@dataclass(frozen=True, slots=True)
class Waited:
    """index: of the record among those that are waited for."""

    index: int
    story: Story


async def outcomes(
    settings: Settings,
    records: Sequence[Record],
    seconds: float,
    tell: Callable[[Waited], None],
) -> int:
    """Tell each outcome as soon as it and all before it are known; returns how many are left."""
    subscription = Subscription(settings)
    entries = [
        read(record, subscription.role_of(record.topic) or REQUEST, settings.max_record_bytes)
        for record in records
    ]
    connection = await connect(
        settings.database_url.get_secret_value(),
        pooler=settings.database_pooler,
        application_name="ticketing",
    )
    try:
        told, deadline = 0, clock.seconds() + seconds
        while told < len(records):
            story = await of_entry(connection, entries[told], records[told])
            if story is not None:
                tell(Waited(told, story))
                told += 1
            elif clock.seconds() > deadline:
                break
            else:
                await asyncio.sleep(LOOK_SECONDS)
        return len(records) - told
    finally:
        await connection.close()
