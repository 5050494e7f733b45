"""What a Kafka administrator may do to topics while we use them; names without the prefix."""

import asyncio
from concurrent.futures import Future
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.scenarios.world import World

ADMIN_SECONDS = 30


class TopicKeeper:
    """Asks as an administrator does, and returns once the answer is there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._admin = AdminClient({"bootstrap.servers": world.kafka, "log_level": 0})

    async def delete(self, topic: str) -> None:
        await self._done(self._admin.delete_topics([self._name(topic)]))

    async def create(self, topic: str, *, partitions: int, replication: int = 1) -> None:
        new = NewTopic(self._name(topic), partitions, replication)
        await self._done(self._admin.create_topics([new]))

    async def partitions(self, topic: str) -> int:
        """How many it has."""
        name = self._name(topic)
        found = await asyncio.to_thread(self._admin.list_topics, name, timeout=ADMIN_SECONDS)
        return len(found.topics[name].partitions)

    async def grow(self, topic: str, *, partitions: int) -> None:
        """Give it partitions, to so many in all."""
        await self._done(
            self._admin.create_partitions([NewPartitions(self._name(topic), partitions)])
        )

        async def is_known() -> bool:  # brokers hear of it from the controller
            return await self.partitions(topic) == partitions

        await self._world.until(is_known, f"{topic} has {partitions} partitions")

    async def delete_records(self, topic: str, partition: int, *, before: int) -> None:
        """Do what retention does: the partition begins at that offset from now on."""
        end = TopicPartition(self._name(topic), partition, before)
        await self._done(self._admin.delete_records([end]))

    def _name(self, topic: str) -> str:
        return self._world.prefix + topic

    @staticmethod
    async def _done(asked: dict[Any, Future[Any]]) -> None:
        for each in asked.values():
            await asyncio.wrap_future(each)
