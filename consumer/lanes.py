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


@dataclass(slots=True)
class Lane:
    """One partition. queued_to: the offset after the last record that was queued."""

    queue: deque[Waiting] = field(default_factory=deque)
    in_flight: Sequence[Waiting] = ()
    queued_to: int | None = None

    def oldest(self) -> Record | None:
        """The first record without an outcome."""
        if self.in_flight:
            return self.in_flight[0].record
        return self.queue[0].record if self.queue else None


Batch = dict[TopicPartition, list[Waiting]]


class Lanes:
    """All partitions that we read. A partition's records keep their order: it has one batch."""

    def __init__(self) -> None:
        self._lanes: dict[TopicPartition, Lane] = {}
        self.epoch = 0
        self.buffered = 0
        self.buffered_bytes = 0

    def add(self, partition: TopicPartition, waiting: Sequence[Waiting]) -> None:
        """Queue decoded records of a partition, in their order."""
        lane = self._lanes.setdefault(partition, Lane())
        lane.queue.extend(waiting)
        lane.queued_to = waiting[-1].record.offset + 1
        self.buffered += len(waiting)
        self.buffered_bytes += _size(waiting)

    def take(
        self, limit: int, limit_bytes: int, is_held: Callable[[TopicPartition], bool]
    ) -> Batch:
        """Records of idle partitions, up to the limits; those served go to the end of the row.

        limit_bytes: of values; the record that goes over it is the batch's last.
        """
        batch: Batch = {}
        room, room_bytes = limit, limit_bytes
        for partition, lane in list(self._lanes.items()):
            if lane.in_flight or not lane.queue or is_held(partition):
                continue
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
        """Forget everything that has no outcome yet; a new epoch begins.

        What was fetched in an earlier epoch must not be added any more: it follows records that
        are forgotten here, and an offset committed behind it would pass over them.
        """
        self._lanes.clear()
        self.epoch += 1
        self.buffered = self.buffered_bytes = 0

    def queued_to(self, partition: TopicPartition) -> int | None:
        """Where reading goes on after the last queued record; None when none was queued."""
        lane = self._lanes.get(partition)
        return None if lane is None else lane.queued_to

    def oldest(self, partition: TopicPartition) -> Record | None:
        """The partition's first record without an outcome, if it is here."""
        lane = self._lanes.get(partition)
        return None if lane is None else lane.oldest()


def _size(waiting: Iterable[Waiting]) -> int:
    return sum([len(item.record.value or b"") for item in waiting])
