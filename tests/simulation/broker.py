"""The fake Kafka: topics with partitions, and producers whose repeats are recognised by number."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import errors

Headers = Sequence[tuple[str, bytes | None]]


class Item(NamedTuple):
    """A record on its way. timestamp: of milliseconds; None for the time of its arrival."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None


class Stored(NamedTuple):
    """A record as consumers read it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(slots=True)
class Log:
    """One partition. next_numbers: by producer, the number that its next batch has to have."""

    topic: str
    partition: int
    records: list[Stored] = field(default_factory=list)
    next_numbers: dict[int, int] = field(default_factory=dict)
    taken: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return len(self.records)

    def append(self, items: Sequence[Item], now_ms: int) -> int:
        """Write these; the offset of the first."""
        first = self.end
        for item in items:
            timestamp = now_ms if item.timestamp is None else item.timestamp
            self.records.append(
                Stored(
                    self.topic,
                    self.partition,
                    self.end,
                    timestamp,
                    item.key,
                    item.value,
                    tuple(item.headers),
                )
            )
        return first

    def append_numbered(
        self, items: Sequence[Item], now_ms: int, producer: int, number: int
    ) -> int:
        """Write a batch of an idempotent producer once, however often it arrives.

        Raises OutOfOrderSequenceNumber where one before it is missing.
        """
        if (offset := self.taken.get((producer, number))) is not None:
            return offset
        if self.next_numbers.get(producer, 0) != number:
            raise errors.OutOfOrderSequenceNumber
        self.next_numbers[producer] = number + len(items)
        offset = self.taken[producer, number] = self.append(items, now_ms)
        return offset


class Broker:
    """One broker. largest: bytes of a value above which it refuses a batch."""

    def __init__(self, now_ms: Callable[[], int], *, largest: int = 1024 * 1024) -> None:
        self.now_ms = now_ms
        self.largest = largest
        self.is_up = True
        self.topics: dict[str, list[Log]] = {}
        self._producers = 0
        self._waiting: list[asyncio.Future[None]] = []

    def create(self, topic: str, partitions: int) -> None:
        if topic not in self.topics:
            self.topics[topic] = [Log(topic, number) for number in range(partitions)]

    def log(self, topic: str, partition: int) -> Log:
        """Raises UnknownTopicOrPartitionError."""
        logs = self.topics.get(topic, ())
        if partition >= len(logs):
            raise errors.UnknownTopicOrPartitionError
        return logs[partition]

    def new_producer(self) -> int:
        self._producers += 1
        return self._producers

    def publish(self, topic: str, partition: int, items: Sequence[Item]) -> int:
        """As an upstream service does."""
        offset = self.log(topic, partition).append(items, self.now_ms())
        self.wake()
        return offset

    def produce(
        self, producer: int, batches: Mapping[tuple[str, int], tuple[int, Sequence[Item]]]
    ) -> dict[tuple[str, int], int | Exception]:
        """One request of an idempotent producer: by partition, its number and its records."""
        answers: dict[tuple[str, int], int | Exception] = {}
        for place, (number, items) in batches.items():
            try:
                if any(len(item.value or b"") > self.largest for item in items):
                    raise errors.MessageSizeTooLargeError
                log = self.log(*place)
                answers[place] = log.append_numbered(items, self.now_ms(), producer, number)
            except errors.KafkaError as error:
                answers[place] = error
        self.wake()
        return answers

    def arrival(self) -> "asyncio.Future[None]":
        """Done once there may be something new to read."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return waiting

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    def come_up(self) -> None:
        self.is_up = True
        self.wake()

    def go_down(self) -> None:
        self.is_up = False
