"""The offsets of a window of time, and of what there is to read at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition

from consumer.audit import CLOCKS_DIFFER_BY, EVER, NEVER
from consumer.scan import Partitions, end_offsets, first_offsets, scan

Offsets = Mapping[TopicPartition, int]
Bounds = Mapping[TopicPartition, tuple[int, int]]
"""The first offset of each partition, and the one behind the last."""


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, by the database's clock. EVER and NEVER: the ends of one that is open."""

    since: datetime = EVER
    until: datetime = NEVER

    @property
    def begins(self) -> bool:
        return self.since > EVER

    @property
    def ends(self) -> bool:
        return self.until < NEVER

    def holds(self, time: bytes | None) -> bool:
        """Whether what carries this time (RFC 3339) is looked at; what carries none is."""
        try:
            return self.since <= datetime.fromisoformat((time or b"").decode()) <= self.until
        except (ValueError, TypeError):
            return True


async def starts(consumer: Any, partitions: Partitions, window: Window) -> Offsets:  # noqa: ANN401  aiokafka's
    """The first offset of each partition to look at; a little early, since clocks differ."""
    first = await first_offsets(consumer, partitions)
    if not window.begins or not partitions:
        return first
    found = await _first_after(consumer, partitions, window.since - CLOCKS_DIFFER_BY)
    ends = await end_offsets(consumer, partitions)
    return {each: found.get(each, ends[each]) for each in first}


async def stops(consumer: Any, partitions: Partitions, window: Window, ends: Offsets) -> Offsets:  # noqa: ANN401  aiokafka's
    """The offsets behind the last records that came in the window. ends: behind all records."""
    if not window.ends or not partitions:
        return ends
    found = await _first_after(consumer, partitions, window.until)
    return {each: min(end, found.get(each, end)) for each, end in ends.items()}


async def _first_after(
    consumer: Any,  # noqa: ANN401  aiokafka's
    partitions: Partitions,
    moment: datetime,
) -> Offsets:
    """Of each partition the first record with a later timestamp, where there is one."""
    milliseconds = max(0, int(moment.timestamp() * 1000) + 1)
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
    return {each: at.offset for each, at in found.items() if at is not None}


async def kept_since(
    consumer: Any,  # noqa: ANN401  aiokafka's
    partitions: Partitions,
    now: datetime,
) -> dict[str, datetime]:
    """For each topic that retention has deleted records from: since when all of them are there."""
    first = await first_offsets(consumer, partitions)
    ends = await end_offsets(consumer, partitions)
    cut = {each: start for each, start in first.items() if start > 0}
    since = {each.topic: now for each in cut}
    oldest: dict[TopicPartition, datetime] = {}
    bounds = {each: (start, start + 1) for each, start in cut.items() if start < ends[each]}
    async for partition, records in scan(consumer, bounds):
        oldest.setdefault(partition, datetime.fromtimestamp(records[0].timestamp / 1000, UTC))
    for topic in since:
        times = [oldest.get(each, now) for each in cut if each.topic == topic]
        since[topic] = max(times)
    return since
