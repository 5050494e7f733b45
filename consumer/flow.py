"""Which partitions the client fetches: none of a paused topic, and none while there is no room.

aiokafka knows one kind of pause and forgets it with each assignment; here are two, and both are
kept apart: what people paused must not go on because there is room again.
"""

from collections.abc import Collection
from typing import Any

from aiokafka import TopicPartition

from consumer.lanes import Lanes
from consumer.pauses import Pauses


class Flow:
    """The client's pauses."""

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401  aiokafka's consumer, or one that wraps it
        lanes: Lanes,
        pauses: Pauses,
    ) -> None:
        self._consumer = consumer
        self._lanes = lanes
        self._pauses = pauses
        self._closed: Collection[TopicPartition] = frozenset()
        self._starved: Collection[TopicPartition] = frozenset()

    def obey(self) -> None:
        """Have the partitions of paused topics wait, and those of resumed ones go on.

        What is queued of a paused topic is put back, to be read again: it would take up the room
        that the others need, for hours.
        """
        assigned = frozenset(self._consumer.assignment())
        closed = frozenset(each for each in assigned if self._pauses.is_paused(each.topic))
        if closed:
            self._consumer.pause(*closed)
        for partition in closed:
            offset = self._lanes.put_back(partition)
            if offset is not None:
                self._consumer.seek(partition, offset)
        opened = assigned.intersection(self._closed) - closed
        for partition in opened:
            self._lanes.read_on(partition)
        freed = opened.difference(self._starved)
        if freed:
            self._consumer.resume(*freed)
        self._closed = closed

    def starve(self) -> None:
        """Fetch nothing: there is no room."""
        self._starved = frozenset(self._consumer.assignment())
        self._consumer.pause(*self._starved)

    def feed(self) -> None:
        """There is room again."""
        if not self._starved:
            return
        assigned = frozenset(self._consumer.assignment())
        freed = assigned.intersection(self._starved)
        self._consumer.resume(
            *(each for each in freed if not self._pauses.is_paused(each.topic)),
        )
        self._starved = frozenset()
