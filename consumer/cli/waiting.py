"""Waiting until every record that was sent has its outcome."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from consumer import clock
from consumer.cli.outcome import Story, of_entry
from consumer.settings import Settings
from consumer.subscription import Subscription
from db.connect import connect
from handlers.entries import TopicRole, read
from handlers.record import Record
from schemas.vocabulary import Kind, Outcome

LOOK_SECONDS: Final = 0.1
AT_ONCE: Final = 100
"""How many records are asked for in one round: they are handled nearly in their order."""

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
    """Tell each outcome as soon as it is known; returns how many records have none in time.

    A parked request is waited for like one without an outcome, and told as parked at the end.
    """
    subscription = Subscription(settings)
    pending = {
        index: read(
            record, subscription.role_of(record.topic) or REQUEST, settings.max_record_bytes
        )
        for index, record in enumerate(records)
    }
    connection = await connect(
        settings.database_url.get_secret_value(),
        pooler=settings.database_pooler,
        application_name="ticketing",
    )
    try:
        deadline = clock.seconds() + seconds
        while pending:
            is_last_look = clock.seconds() >= deadline
            for index, entry in islice(list(pending.items()), AT_ONCE):
                story = await of_entry(connection, entry, records[index])
                if story is not None and (is_last_look or story.outcome is not Outcome.PARKED):
                    tell(Waited(index, story))
                    del pending[index]
            if is_last_look:
                break
            await asyncio.sleep(LOOK_SECONDS)
        return len(pending)
    finally:
        await connection.close()
