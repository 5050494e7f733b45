"""One record, read from where it stands, without a group and without a trace."""

import asyncio
from typing import Final

from aiokafka import TopicPartition

from consumer import clients
from consumer.scan import partitions_of, scan, started
from consumer.settings import Settings
from handlers.record import Record

READ_SECONDS: Final = 10.0


class RecordAway(Exception):
    """Record {place} can't be read: {reason}."""

    def __init__(self, place: object, reason: str) -> None:
        super().__init__(f"Record {place} can't be read: {reason}.")


async def read_record(settings: Settings, topic: str, partition: int, offset: int) -> Record:
    """The record at this offset. Raises RecordAway when there is none, or none to be read."""
    place = f"{topic}:{partition}:{offset}"
    at = TopicPartition(topic, partition)
    async with started(clients.admin(settings)) as admin:
        if at not in await partitions_of(admin, [topic]):
            raise RecordAway(place, "there is no such topic or partition")
    async with started(clients.consumer(settings)) as reader:
        first = (await reader.beginning_offsets([at]))[at]
        end = (await reader.end_offsets([at]))[at]
        if not first <= offset < end:
            held = f"holds the offsets {first} to {end - 1}" if first < end else "is empty"
            raise RecordAway(place, f"its partition {held}")
        async with asyncio.timeout(READ_SECONDS):
            async for _, records in scan(reader, {at: (offset, offset + 1)}):
                record: Record = records[0]
                return record
    raise RecordAway(place, "it was compacted away, or it belongs to a transaction")
