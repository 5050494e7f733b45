"""Read stretches of topics with a throw-away consumer: outside any group, nobody's offsets move."""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from aiokafka import TopicPartition

FETCH_MS = 500
RECORDS_AT_ONCE = 5_000


async def partitions_of(consumer: Any, topics: Collection[str]) -> list[TopicPartition]:  # noqa: ANN401  aiokafka's consumer
    """The partitions of those of these topics that exist."""
    known = await consumer.topics()
    return [
        TopicPartition(topic, number)
        for topic in sorted(known.intersection(topics))
        for number in sorted(consumer.partitions_for_topic(topic) or ())
    ]


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
