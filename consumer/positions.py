"""Where reading goes on when the client does not know it, or has passed something over."""

from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.dependencies import Dependencies
from consumer.lanes import Lanes
from consumer.lost_positions import LostPositions

log = structlog.get_logger()


class Positions:
    """The client's own places, put right. Partitions that are no longer ours are left alone."""

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401  aiokafka's consumer, or one that wraps it
        lanes: Lanes,
        lost_positions: LostPositions,
        dependencies: Dependencies,
    ) -> None:
        self._consumer = consumer
        self._lanes = lanes
        self._lost_positions = lost_positions
        self._dependencies = dependencies
        self.are_known = True

    async def begin(self, partition: TopicPartition) -> None:
        """Read a partition that the group has no position for from its beginning."""
        if partition in self._consumer.assignment():
            await self._consumer.seek_to_beginning(partition)

    async def report_lost(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Records that the group has not read are gone: said aloud, never skipped in silence."""
        for partition, offset in offsets.items():
            beginnings = await self._consumer.beginning_offsets([partition])
            await self._lost_positions.report(partition, offset, beginnings[partition])
            if partition in self._consumer.assignment():
                self._consumer.seek(partition, beginnings[partition])

    async def restore(self) -> None:
        """Read again what a failed fetch may have passed over; waits while Kafka is away.

        aiokafka moves a partition's position when it hands its records over; where another
        partition then fails the same call, those records are never seen.
        """
        self.are_known = False
        for partition in self._consumer.assignment():
            try:
                await self._dependencies.retrying("kafka", self._restore, partition)
            except KafkaError as error:  # not ours any more: its next owner begins where we stood
                log.info("position.not_restored", reason=type(error).__name__)
        self.are_known = True

    async def _restore(self, partition: TopicPartition) -> None:
        queued_to = self._lanes.queued_to(partition)
        if queued_to is None:
            queued_to = await self._consumer.committed(partition)
        if queued_to is None:
            await self.begin(partition)
        else:
            self._consumer.seek(partition, queued_to)
