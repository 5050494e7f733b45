"""One record, read from where it stands, without a group and without a trace."""

import asyncio
from typing import Any, Final

from aiokafka import TopicPartition

from consumer import clients
from consumer.settings import Settings
from handlers.record import Record

READ_SECONDS: Final = 10.0
POLL_MS: Final = 500


class RecordAway(Exception):
    """Record {place} can't be read: {reason}."""

    def __init__(self, place: object, reason: str) -> None:
        super().__init__(f"Record {place} can't be read: {reason}.")


async def read_record(settings: Settings, topic: str, partition: int, offset: int) -> Record:
    """The record at this offset. Raises RecordAway when there is none, or none to be read."""
    place = f"{topic}:{partition}:{offset}"
    reader = clients.consumer(settings)
    await reader.start()
    try:
        if partition not in (await _partitions(reader, topic)):
            raise RecordAway(place, "there is no such topic or partition")
        at = TopicPartition(topic, partition)
        first = (await reader.beginning_offsets([at]))[at]
        end = (await reader.end_offsets([at]))[at]
        if not first <= offset < end:
            raise RecordAway(place, f"the partition holds offsets {first} to {end - 1} now")
        reader.assign([at])
        reader.seek(at, offset)
        async with asyncio.timeout(READ_SECONDS):
            while not (records := await reader.getmany(at, timeout_ms=POLL_MS, max_records=1)):
                pass
    except TimeoutError:
        raise RecordAway(place, "nothing follows it that is not a transaction's marker") from None
    finally:
        await reader.stop()
    record: Record = records[at][0]
    if record.offset != offset:
        raise RecordAway(place, "it was compacted away, or its transaction was aborted")
    return record


async def _partitions(reader: Any, topic: str) -> set[int]:  # noqa: ANN401  aiokafka's consumer
    """Asked among all topics: asking for one might create it."""
    if topic not in await reader.topics():
        return set()
    return reader.partitions_for_topic(topic) or set()
