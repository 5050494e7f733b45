"""Records that were deleted before the group had read them: reported, never silently skipped."""

import asyncpg
import structlog
from aiokafka import TopicPartition

from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.transaction import transaction

log = structlog.get_logger()


class LostPositions:
    """Where a position that is out of range is reported: the log, a metric and a row."""

    def __init__(
        self, pool: asyncpg.Pool, dependencies: Dependencies, metrics: Metrics, group_id: str
    ) -> None:
        self._pool = pool
        self._dependencies = dependencies
        self._metrics = metrics
        self._group_id = group_id

    async def report(self, partition: TopicPartition, lost: int, resumed: int) -> None:
        """Say that reading goes on at offset `resumed` although it should have been at `lost`."""
        log.error(
            "position.lost",
            topic=partition.topic,
            partition=partition.partition,
            lost_offset=lost,
            resumed_offset=resumed,
        )
        self._metrics.lost_positions.labels(partition.topic).inc()
        await self._dependencies.retrying("database", self._save, partition, lost, resumed)

    async def _save(self, partition: TopicPartition, lost: int, resumed: int) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(
                """
                INSERT INTO lost_positions (group_id, topic, partition, lost_offset,
                                            resumed_offset, reported_at)
                VALUES ($1, $2, $3, $4, $5, now()) ON CONFLICT DO NOTHING
                """,
                self._group_id,
                partition.topic,
                partition.partition,
                lost,
                resumed,
            )
