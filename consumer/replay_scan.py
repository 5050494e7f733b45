"""Read stretches for a replay, in little memory, and without loss where a fetch fails.

`consumer.scan` is for those that look at what is there and take it as it is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from consumer import clock
from consumer.dependencies import Dependencies
from consumer.portions import how_many_next
from consumer.scan import end_offsets

FETCH_MS: Final = 500
PARTIAL_FETCH_MS: Final = 50
"""How long to wait for some partitions while others are not wanted: they soon may be."""

RECORDS_AT_ONCE: Final = 16
"""Each may turn out to be megabytes long, whatever came before it."""

PAUSE_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 5.0
"""After so long without a record the ends are asked for: the topic may be another by now."""

Read = tuple[TopicPartition, Sequence[Any], int]
"""A partition, its next records, and the offset to which it is read: there may be gaps."""

Lost = Callable[[TopicPartition, int, int], None]


class TopicShrank(Exception):
    """{partition} ends at offset {end}, before {wanted}: it was made anew."""

    def __init__(self, partition: TopicPartition, end: int, wanted: int) -> None:
        super().__init__(
            f"Partition {partition.partition} of {partition.topic} ends at offset {end} by now, not"
            f" at {wanted} or behind it: the topic was made anew. Begin a new replay."
        )


class ReplayScan:
    """One pass over stretches: from the first offset to before the second.

    on_lost: told of offsets that were deleted before they were read (partition, first, next).
    is_wanted: whether a partition's next records may come now; aiokafka hands over all that it has
    of one partition before it looks at the next. until_wanted: waits where none is.
    """

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401  aiokafka's consumer, without a group
        dependencies: Dependencies,
        stretches: Mapping[TopicPartition, tuple[int, int]],
        on_lost: Lost,
        *,
        is_wanted: Callable[[TopicPartition], bool] = lambda _: True,
        until_wanted: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._consumer = consumer
        self._dependencies = dependencies
        self._at = {each: start for each, (start, _) in stretches.items()}
        self._told = dict(self._at)
        self._open = {each: end for each, (start, end) in stretches.items() if start < end}
        self._on_lost = on_lost
        self._is_wanted = is_wanted
        self._until_wanted = until_wanted
        self._records = RECORDS_AT_ONCE
        self._moved_at = clock.seconds()

    async def read(self) -> AsyncIterator[Read]:
        """Yield everything. Waits while Kafka is away; raises TopicShrank."""
        if not self._open:
            return
        self._consumer.assign(list(self._open))
        self._seek()
        while self._open:
            for partition, records in (await self._fetch()).items():
                end = self._open.get(partition)
                if end is None:
                    continue
                inside = [each for each in records if self._at[partition] <= each.offset < end]
                if inside:
                    self._at[partition] = self._told[partition] = inside[-1].offset + 1
                    self._moved_at = clock.seconds()
                    yield partition, inside, self._at[partition]
            for partition, read_to in await self._passed():
                yield partition, (), read_to

    async def _fetch(self) -> Mapping[TopicPartition, Sequence[Any]]:
        wanted = [each for each in self._open if self._is_wanted(each)]
        if not wanted and self._until_wanted is not None:
            await self._until_wanted()
            self._moved_at = clock.seconds()
            return {}
        are_all = len(wanted) == len(self._open)
        try:
            fetched: Mapping[TopicPartition, Sequence[Any]] = await self._consumer.getmany(
                *wanted,
                timeout_ms=FETCH_MS if are_all else PARTIAL_FETCH_MS,
                max_records=self._records,
            )
        except OffsetOutOfRangeError as error:
            await self._dependencies.retrying("kafka", self._go_on_behind, error.args[0])
        except (KafkaError, OSError) as error:
            self._dependencies.down("kafka", error)
            self._seek()  # what other partitions handed over in the same call was not seen
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            self._records = min(RECORDS_AT_ONCE, how_many_next(fetched))
            if fetched:
                self._dependencies.up("kafka")
            return fetched
        return {}

    def _seek(self) -> None:
        for partition in self._open:
            self._consumer.seek(partition, self._at[partition])

    async def _go_on_behind(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Retention was quicker than we: said aloud, never skipped in silence."""
        lost = [each for each in offsets if each in self._open]
        first = await self._consumer.beginning_offsets(lost) if lost else {}
        ends = await end_offsets(self._consumer, lost) if lost else {}
        for partition in lost:
            end = self._open[partition]
            if ends[partition] < end:
                raise TopicShrank(partition, ends[partition], end)
            at = min(max(first[partition], self._at[partition]), end)
            if at > self._at[partition]:
                self._on_lost(partition, self._at[partition], at)
            self._at[partition] = at
        self._seek()

    async def _passed(self) -> list[tuple[TopicPartition, int]]:
        """Where the client stands by now: behind what was compacted, or aborted, or no record."""
        passed = []
        for partition, end in list(self._open.items()):
            position = min(await self._consumer.position(partition), end)
            if position > self._told[partition]:
                self._at[partition] = self._told[partition] = position
                self._moved_at = clock.seconds()
                passed.append((partition, position))
            if self._at[partition] >= end:
                del self._open[partition]
                self._consumer.pause(partition)
        if self._open and clock.seconds() - self._moved_at >= PATIENCE_SECONDS:
            await self._look_for_the_ends()
        return passed

    async def _look_for_the_ends(self) -> None:
        self._moved_at = clock.seconds()
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                ends = await end_offsets(self._consumer, list(self._open))
            for partition, end in self._open.items():
                if ends[partition] < end:
                    raise TopicShrank(partition, ends[partition], end)
