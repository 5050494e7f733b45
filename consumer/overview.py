"""The state of the whole, from the database and from Kafka; what is away is said, not raised."""

import asyncio
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

import asyncpg
from aiokafka.errors import KafkaError

from consumer import clients
from consumer.group_lag import TopicLag, lag_by_topic
from consumer.scan import started
from consumer.settings import Settings
from consumer.subscription import Subscription
from db import clock_reading, pauses, status
from db import dead_letter_reading as dead_letters
from db.connect import connect

RECENT: Final = timedelta(hours=24)
LOOK_SECONDS: Final = 30.0


@dataclass(slots=True)
class Overview:
    """problems: one sentence for each part that could not be read; the rest still holds."""

    waiting: status.Waiting | None = None
    leases: list[status.LeaseHolder] = field(default_factory=list)
    held: list[tuple[str, int]] = field(default_factory=list)
    causes: list[dead_letters.Cause] = field(default_factory=list)
    next_due: status.Due | None = None
    timers: clock_reading.Timers | None = None
    lost: list[status.LostPosition] = field(default_factory=list)
    paused: list[pauses.Pause] = field(default_factory=list)
    lag: list[TopicLag] | None = None
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def look(settings: Settings) -> Overview:
    """Ask both at once."""
    overview = Overview()
    await asyncio.gather(_ask_database(settings, overview), _ask_kafka(settings, overview))
    return overview


async def _ask_database(settings: Settings, overview: Overview) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            connection = await connect(
                settings.database_url.get_secret_value(),
                pooler=settings.database_pooler,
                application_name="ticketing status",
            )
            try:
                overview.waiting = await status.waiting(connection)
                overview.leases = await status.leases(connection)
                overview.held = await status.held_reasons(connection)
                overview.causes = await dead_letters.by_cause(connection, within=RECENT)
                overview.next_due = await status.next_due(connection, overview.waiting.at)
                overview.timers = await clock_reading.timers(connection)
                overview.paused = await pauses.paused(connection)
                overview.lost = await status.lost_positions(connection, settings.group_id)
            finally:
                await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        overview.problems.append(f"The database can't be read: {_reason(error)}.")


async def _ask_kafka(settings: Settings, overview: Overview) -> None:
    subscription = Subscription(settings)
    try:
        async with (
            asyncio.timeout(LOOK_SECONDS),
            started(clients.admin(settings)) as admin,
            started(clients.consumer(settings)) as reader,
        ):
            overview.lag = await lag_by_topic(admin, reader, subscription, settings.group_id)
    except (KafkaError, OSError) as error:
        overview.problems.append(f"Kafka can't be read: {_reason(error)}.")


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or "no answer in time"
