"""A consumer like aiokafka's, over partitions in memory: positions, pauses, rebalances, failures.

What it copies was read in aiokafka 0.14: a position moves when records are handed over, also where
the same call then fails; a new assignment begins at the committed offsets, and forgets pauses.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from db.pauses import PAUSE, PAUSED, Pause
from handlers.record import StoredRecord

PATIENCE_SECONDS = 20.0
"""How long a test waits for what must happen, before it fails."""


class Happenings:
    """Wakes a test whenever something happened that it may wait for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def note(self) -> None:
        self._event.set()

    async def until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_true():
                self._event.clear()
                await self._event.wait()


@dataclass
class Log:
    """A partition on the broker. beginning: what was before is deleted."""

    records: list[StoredRecord] = field(default_factory=list)
    beginning: int = 0
    end: int = 0

    def read(self, position: int, limit: int) -> list[StoredRecord]:
        return [each for each in self.records if each.offset >= position][:limit]


@dataclass
class FakeConsumer:
    """position: what the client would fetch next, None where it does not know yet."""

    happened: Happenings = field(default_factory=Happenings)
    logs: dict[TopicPartition, Log] = field(default_factory=dict)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    positions: dict[TopicPartition, int | None] = field(default_factory=dict)
    paused: set[TopicPartition] = field(default_factory=set)
    lost: list[tuple[TopicPartition, int]] = field(default_factory=list)
    failures: deque[Exception] = field(default_factory=deque)
    errors_of: dict[str, deque[Exception]] = field(default_factory=dict)
    listener: Any = None
    is_stopped: bool = False
    fetches: int = 0
    _assigned: frozenset[TopicPartition] = frozenset()
    _is_rebalancing: bool = True

    # What a test does to it

    def append(self, partition: TopicPartition, values: Iterable[bytes | None]) -> None:
        log = self.logs.setdefault(partition, Log())
        for value in values:
            record = StoredRecord(
                *(partition.topic, partition.partition, log.end, 1_772_366_400_000),
                *(None, value, ()),
            )
            log.records.append(record)
            log.end += 1
        self.happened.note()

    def fail(self, error: Exception) -> None:
        """The next fetch hands records over, and then raises this instead of returning them."""
        self.failures.append(error)

    def fail_call(self, name: str, *errors: Exception) -> None:
        """The next calls of this method raise these."""
        self.errors_of.setdefault(name, deque()).extend(errors)

    async def revoke(self) -> None:
        self._is_rebalancing = True
        await self.listener.on_partitions_revoked(self._assigned)
        self.happened.note()

    async def assign(self, *partitions: TopicPartition) -> None:
        self._assigned = frozenset(partitions)
        self.positions = {each: self.offsets.get(each) for each in partitions}
        self.paused.clear()
        self._is_rebalancing = False
        await self.listener.on_partitions_assigned(self._assigned)
        self.happened.note()

    async def rebalance(self, *partitions: TopicPartition) -> None:
        await self.revoke()
        await self.assign(*partitions)

    # What the intake calls

    def subscribe(
        self,
        topics: Iterable[str] = (),
        pattern: str | None = None,
        listener: object = None,
    ) -> None:
        assert (not topics) != (pattern is None)
        self.listener = listener
        self.happened.note()

    def subscription(self) -> frozenset[str]:
        return frozenset(partition.topic for partition in self.logs)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {each.partition for each in self.logs if each.topic == topic} or None

    def assignment(self) -> frozenset[TopicPartition]:
        return self._assigned

    async def start(self) -> None:
        self._raise_planned("start")

    async def stop(self) -> None:
        self.is_stopped = True
        self.happened.note()

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, list[StoredRecord]]:
        self.fetches += 1
        self.happened.note()
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                while self._is_rebalancing or not self._has_news(partitions):
                    await self._something_new()
        except TimeoutError:
            return {}
        return self._hand_over(partitions, max_records)

    def _has_news(self, wanted: Iterable[TopicPartition]) -> bool:
        return any(
            position is None or position != self.logs[each].end
            for each, position in self._fetchable(wanted)
        ) or bool(self.failures)

    def _fetchable(
        self, wanted: Iterable[TopicPartition]
    ) -> list[tuple[TopicPartition, int | None]]:
        among = set(wanted) or self._assigned
        return [
            (each, position)
            for each, position in self.positions.items()
            if each in among and (position is None or each not in self.paused)
        ]

    async def _something_new(self) -> None:
        """Others wait on `happened` for what we do; a moment is enough here."""
        await asyncio.sleep(0.001)

    def _hand_over(
        self, wanted: Iterable[TopicPartition], limit: int
    ) -> dict[TopicPartition, list[StoredRecord]]:
        drained: dict[TopicPartition, list[StoredRecord]] = {}
        for partition, position in self._fetchable(wanted):
            log = self.logs[partition]
            error: KafkaError | None = None
            if position is None:
                error = NoOffsetForPartitionError(partition)
            elif not log.beginning <= position <= log.end:
                error = OffsetOutOfRangeError({partition: position})
            if error is not None:
                if drained:
                    return drained
                raise error
            assert position is not None
            records = log.read(position, limit)
            if records:
                drained[partition] = records
                self.positions[partition] = records[-1].offset + 1
                limit -= len(records)
            if not limit:
                break
        if self.failures:
            self.happened.note()
            raise self.failures.popleft()
        return drained

    async def position(self, partition: TopicPartition) -> int:
        while True:
            self._must_be_assigned(partition)
            position = self.positions[partition]
            if position is not None:
                return position
            await self._something_new()

    async def committed(self, partition: TopicPartition) -> int | None:
        self._raise_planned("committed")
        await asyncio.sleep(0)
        return self.offsets.get(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._must_be_assigned(partition)
        self.positions[partition] = offset
        self.happened.note()

    async def seek_to_beginning(self, partition: TopicPartition) -> bool:
        self._must_be_assigned(partition)
        self._raise_planned("seek_to_beginning")
        self.positions[partition] = self.logs[partition].beginning
        self.happened.note()
        return True

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        self._raise_planned("beginning_offsets")
        return {each: self.logs[each].beginning for each in partitions}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._raise_planned("end_offsets")
        return {each: self.logs[each].end for each in partitions}

    def highwater(self, partition: TopicPartition) -> int | None:
        return self.logs[partition].end

    def pause(self, *partitions: TopicPartition) -> None:
        for each in partitions:
            self._must_be_assigned(each)
        self.paused.update(partitions)
        self.happened.note()

    def resume(self, *partitions: TopicPartition) -> None:
        for each in partitions:
            self._must_be_assigned(each)
        self.paused.difference_update(partitions)
        self.happened.note()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._raise_planned("commit")
        for each in offsets:
            self._must_be_assigned(each)
        self.offsets.update(offsets)
        self.happened.note()

    def _must_be_assigned(self, partition: TopicPartition) -> None:
        if partition not in self._assigned:
            raise IllegalStateError(f"Partition {partition} is not assigned")

    def _raise_planned(self, name: str) -> None:
        if self.errors_of.get(name):
            raise self.errors_of[name].popleft()


class FakePool:
    """A database that knows what is paused, and is told how far parties are read."""

    def __init__(self) -> None:
        self.positions: dict[tuple[str, int], int] = {}
        self.pauses: dict[str, Pause] = {}
        self.before_write: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["FakePool"]:
        yield self

    def is_closed(self) -> bool:
        return False

    def pause(self, topic: str, *, is_ceiling: bool = False) -> None:
        """As a person does, or the ceiling, in another process."""
        self.pauses[topic] = Pause(topic, "a reason", "Anna", datetime.now(UTC), is_ceiling)

    async def fetch(self, statement: str) -> list[tuple[object, ...]]:
        assert statement == PAUSED
        return [astuple(pause) for _, pause in sorted(self.pauses.items())]

    async def fetchrow(self, statement: str, *arguments: Any) -> tuple[object, ...]:  # noqa: ANN401
        assert statement == PAUSE
        topic, reason, by, is_ceiling = arguments
        made = Pause(topic, reason, by, datetime.now(UTC), is_ceiling)
        pause = self.pauses.setdefault(topic, made)
        return (*astuple(pause), pause is made)

    async def execute(self, statement: str, *arguments: Any) -> str:  # noqa: ANN401
        if not arguments:
            return statement
        if self.before_write is not None:
            await self.before_write()
        topics, partitions, offsets = arguments
        for topic, partition, offset in zip(topics, partitions, offsets, strict=True):
            self.positions[topic, partition] = offset
        return "INSERT"
