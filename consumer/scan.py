"""Read stretches of topics with a throw-away consumer: outside any group, nobody's offsets move."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition

FETCH_MS = 500
RECORDS_AT_ONCE = 5_000

Partitions = Collection[TopicPartition]


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:  # noqa: ANN401  aiokafka's clients
    """A client of Kafka while the block lasts."""
    try:
        await client.start()
        yield client
    finally:
        await (client.close() if hasattr(client, "close") else client.stop())


async def partitions_of(admin: Any, topics: Collection[str]) -> list[TopicPartition]:  # noqa: ANN401  aiokafka's admin client
    """The partitions of those of these topics that exist, in order."""
    existing = sorted(set(topics).intersection(await admin.list_topics()))
    described = await admin.describe_topics(existing) if existing else []
    return sorted(
        TopicPartition(each["topic"], partition["partition"])
        for each in described
        for partition in each["partitions"]
    )


async def first_offsets(consumer: Any, partitions: Partitions) -> dict[TopicPartition, int]:  # noqa: ANN401  aiokafka's
    """The offset of the first record that each partition still has."""
    await _know(consumer, partitions)
    found: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    return found


async def end_offsets(consumer: Any, partitions: Partitions) -> dict[TopicPartition, int]:  # noqa: ANN401  aiokafka's
    """The offset behind the last record that each partition has."""
    await _know(consumer, partitions)
    found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return found


async def _know(consumer: Any, partitions: Partitions) -> None:  # noqa: ANN401  aiokafka's
    """Tell of all topics at once: aiokafka 0.14 looks them up singly, a tenth of a second each."""
    await consumer._client.set_topics({each.topic for each in partitions})  # noqa: SLF001


async def scan(
    consumer: Any,  # noqa: ANN401  aiokafka's consumer
    stretches: Mapping[TopicPartition, tuple[int, int]],
) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
    """Yield the records from the first offset to before the second, a partition's in their order.

    The second must not lie behind the partition's end, or this waits until it doesn't.
    """
    open_ends = {each: end for each, (start, end) in stretches.items() if start < end}
    if not open_ends:
        return
    consumer.assign(list(open_ends))
    for partition in open_ends:
        consumer.seek(partition, stretches[partition][0])
    while open_ends:
        fetched = await consumer.getmany(timeout_ms=FETCH_MS, max_records=RECORDS_AT_ONCE)
        for partition, records in fetched.items():
            end = open_ends.get(partition)
            if end is not None and (inside := [each for each in records if each.offset < end]):
                yield partition, inside
        for partition, end in list(open_ends.items()):
            if await consumer.position(partition) >= end:
                del open_ends[partition]
                consumer.pause(partition)
