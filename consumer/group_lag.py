"""How far a group is behind, in records and in seconds, read from outside the group."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from consumer import clock
from consumer.scan import partitions_of
from consumer.subscription import Subscription

COORDINATOR_SECONDS: Final = 10.0
COORDINATOR_PAUSE: Final = 0.2
OLDEST_SECONDS: Final = 5.0
POLL_MS: Final = 500


@dataclass(frozen=True, slots=True)
class TopicLag:
    """One topic. seconds: the age of the oldest record left; None with nothing left or unknown.

    is_started: False while the group has never committed an offset here.
    """

    topic: str
    partitions: int
    records: int
    seconds: float | None
    is_started: bool


async def committed_offsets(
    admin: Any,  # noqa: ANN401  aiokafka's admin client
    group_id: str,
) -> dict[TopicPartition, int]:
    """The next offset of each partition that the group has committed.

    A broker that never had a group makes its offsets topic first, and says so meanwhile.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(COORDINATOR_SECONDS):
            while True:
                with suppress(GroupCoordinatorNotAvailableError):
                    found = await admin.list_consumer_group_offsets(group_id)
                    return {partition: entry.offset for partition, entry in found.items()}
                await asyncio.sleep(COORDINATOR_PAUSE)
    return {}


async def lag_by_topic(
    admin: Any,  # noqa: ANN401  aiokafka's admin client
    reader: Any,  # noqa: ANN401  aiokafka's consumer, started, without a group
    subscription: Subscription,
    group_id: str,
) -> list[TopicLag]:
    """The lag of every topic that we read, in the order of their names."""
    committed = await committed_offsets(admin, group_id)
    topics = [topic for topic in await admin.list_topics() if subscription.role_of(topic)]
    partitions = await partitions_of(admin, topics)
    first = await reader.beginning_offsets(partitions) if partitions else {}
    end = await reader.end_offsets(partitions) if partitions else {}
    position = {each: max(first[each], committed.get(each, 0)) for each in partitions}
    left = {each: end[each] - at for each, at in position.items() if at < end[each]}
    ages = await _ages(reader, {each: position[each] for each in left})
    lags = []
    for topic in sorted(topics):
        ours = [each for each in partitions if each.topic == topic]
        lags.append(
            TopicLag(
                topic,
                len(ours),
                records=sum(left.get(each, 0) for each in ours),
                seconds=max((ages[each] for each in ours if each in ages), default=None),
                is_started=any(each in committed for each in ours),
            )
        )
    return lags


async def _ages(
    reader: Any,  # noqa: ANN401  aiokafka's consumer
    positions: Mapping[TopicPartition, int],
) -> dict[TopicPartition, float]:
    """How old the record at each position is; without those that could not be read in time."""
    ages: dict[TopicPartition, float] = {}
    if not positions:
        return ages
    reader.assign(list(positions))
    for partition, offset in positions.items():
        reader.seek(partition, offset)
    with suppress(TimeoutError):
        async with asyncio.timeout(OLDEST_SECONDS):
            while len(ages) < len(positions):
                fetched = await reader.getmany(timeout_ms=POLL_MS)
                now_ms = clock.utc_now().timestamp() * 1000
                for partition, records in fetched.items():
                    oldest = max(0.0, now_ms - records[0].timestamp) / 1000
                    ages.setdefault(partition, oldest)
                    reader.pause(partition)
    return ages
