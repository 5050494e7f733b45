"""Partitions as queues of decoded records: one batch of each in flight, taken in turn. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import TopicPartition

from handlers.batch import Entry
from handlers.record import Record


class Waiting(NamedTuple):
    """A record and what it asks for, not yet in a batch."""

    record: Record
    entry: Entry


class Mark(NamedTuple):
    """What is kept of a record that was put back. timestamp: in milliseconds."""

    offset: int
    timestamp: int


@dataclass(slots=True)
class Lane:
    """One partition. queued_to: the offset after the last record that was queued.

    in_hand: records that were fetched and are not queued yet; put_back: the first that will be read
    again.
    """

    queue: deque[Waiting] = field(default_factory=deque)
    in_flight: Sequence[Waiting] = ()
    in_hand: Sequence[Record] = ()
    queued_to: int | None = None
    put_back: Mark | None = None

    def oldest(self) -> Record | Mark | None:
        """The first record without an outcome."""
        if self.in_flight:
            return self.in_flight[0].record
        return self.next() or self.put_back

    def next(self) -> Record | None:
        """The first record that is in no batch."""
        if self.queue:
            return self.queue[0].record
        return self.in_hand[0] if self.in_hand else None


Batch = dict[TopicPartition, list[Waiting]]


class Lanes:
    """All partitions that we read. A partition's records keep their order: it has one batch."""

    def __init__(self) -> None:
        self._lanes: dict[TopicPartition, Lane] = {}
        self.buffered = 0
        self.buffered_bytes = 0

    def receive(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        """These were fetched; `add` queues them portion by portion."""
        self._lanes.setdefault(partition, Lane()).in_hand = records

    def is_next(self, partition: TopicPartition, record: Record) -> bool:
        """Whether this record is still the one to be queued next.

        What was forgotten or put back must not be added: it follows records that are read again,
        and an offset committed behind it would pass over them.
        """
        lane = self._lanes.get(partition)
        return lane is not None and bool(lane.in_hand) and lane.in_hand[0] is record

    def add(self, partition: TopicPartition, waiting: Sequence[Waiting]) -> None:
        """Queue decoded records of a partition, in their order."""
        lane = self._lanes.setdefault(partition, Lane())
        lane.in_hand = lane.in_hand[len(waiting) :]
        lane.put_back = None
        lane.queue.extend(waiting)
        lane.queued_to = waiting[-1].record.offset + 1
        self.buffered += len(waiting)
        self.buffered_bytes += _size(waiting)

    def take(
        self, limit: int, limit_bytes: int, is_held: Callable[[TopicPartition], bool]
    ) -> Batch:
        """Records of idle partitions, up to the limits; those served go to the end of the row.

        Whoever has few waiting is served first and whole: all of them together take half a batch
        at most, so that a flood neither delays them nor is stopped by them.
        limit_bytes: of values; the record that goes over it is the batch's last.
        """
        ready = [
            (partition, lane)
            for partition, lane in self._lanes.items()
            if lane.queue and not lane.in_flight and not is_held(partition)
        ]
        few = limit // (2 * len(ready)) if ready else 0
        ready.sort(key=lambda each: len(each[1].queue) > few)
        batch: Batch = {}
        room, room_bytes = limit, limit_bytes
        for partition, lane in ready:
            taken: list[Waiting] = []
            while lane.queue and room > 0 and room_bytes > 0:
                waiting = lane.queue.popleft()
                taken.append(waiting)
                room -= 1
                room_bytes -= len(waiting.record.value or b"")
            lane.in_flight = batch[partition] = taken
            self._lanes[partition] = self._lanes.pop(partition)
            if room <= 0 or room_bytes <= 0:
                break
        self.buffered -= limit - room
        self.buffered_bytes -= limit_bytes - room_bytes
        return batch

    def without_any(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Those of which nothing is here, neither queued nor in flight."""
        busy = {each for each, lane in self._lanes.items() if lane.queue or lane.in_flight}
        return [each for each in partitions if each not in busy]

    def finish(self, batch: Batch) -> dict[TopicPartition, int]:
        """The batch is committed: its partitions are idle again. Returns their next offsets.

        A partition that was dropped meanwhile is left alone: its next owner reads it again.
        """
        done = {}
        for partition, taken in batch.items():
            lane = self._lanes.get(partition)
            if lane is not None and lane.in_flight is taken:
                lane.in_flight = ()
                done[partition] = taken[-1].record.offset + 1
        return done

    def clear(self) -> None:
        """Forget everything that has no outcome yet."""
        self._lanes.clear()
        self.buffered = self.buffered_bytes = 0

    def put_back(self, partition: TopicPartition) -> int | None:
        """Forget what is in no batch; where to read again, or None where nothing was here."""
        lane = self._lanes.get(partition)
        first = None if lane is None else lane.next()
        if lane is None or first is None:
            return None
        self.buffered -= len(lane.queue)
        self.buffered_bytes -= _size(lane.queue)
        lane.queue.clear()
        lane.in_hand = ()
        lane.queued_to = first.offset
        lane.put_back = Mark(first.offset, first.timestamp)
        return first.offset

    def read_on(self, partition: TopicPartition) -> None:
        """What was put back is read again now: from here on the client knows where we stand."""
        lane = self._lanes.get(partition)
        if lane is not None:
            lane.put_back = None

    def queued_to(self, partition: TopicPartition) -> int | None:
        """Where reading goes on after the last queued record; None when none was queued."""
        lane = self._lanes.get(partition)
        return None if lane is None else lane.queued_to

    def oldest(self, partition: TopicPartition) -> Record | Mark | None:
        """The partition's first record without an outcome, if it is here."""
        lane = self._lanes.get(partition)
        return None if lane is None else lane.oldest()


def _size(waiting: Iterable[Waiting]) -> int:
    return sum([len(item.record.value or b"") for item in waiting])
