"""How far customers and partners are read: requests and the grace wait for it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import asyncpg
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.dependencies import Dependencies, is_absence
from consumer.subscription import Subscription
from consumer.transaction import transaction
from db import parked

REFRESH_SECONDS = 1.0
CATCHING_UP_SECONDS = 0.05
ENDS_SECONDS = 5.0
"""How long to wait for the ends: longer than a partition needs to find another leader."""


class Reader(Protocol):
    """Whoever reads the partitions."""

    async def next_position(self, partition: TopicPartition) -> int: ...

    def look_again(self) -> None: ...


class PartyProgress:
    """The ends of the party topics, as last seen, and our positions in them."""

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401  aiokafka's consumer, or one that wraps it
        subscription: Subscription,
        pool: asyncpg.Pool,
        dependencies: Dependencies,
        is_paused: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._consumer = consumer
        self._is_paused = is_paused
        self._subscription = subscription
        self._pool = pool
        self._dependencies = dependencies
        self._mine: list[TopicPartition] | None = None
        self._targets: dict[TopicPartition, int] | None = {}  # before an assignment: nothing to do
        self._positions: dict[TopicPartition, int] = {}
        self._recorded: dict[TopicPartition, int] = {}
        self._nudged = asyncio.Event()
        self.ends: dict[str, dict[str, int]] = {}

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These are ours from now on; they count as read once their present ends are reached.

        Also where none is ours: before the ends are known, a request can't be parked rightly.
        """
        self._mine = list(partitions)
        self._targets = None
        self._positions = {}
        self._recorded = {}
        self._nudged.set()

    def nudge(self) -> None:
        """Parties were applied: note it soon."""
        self._nudged.set()

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was there at the assignment is applied.

        Who pauses a topic of customers wants the requests to go on: those that lack their customer
        are parked, and their grace doesn't run before the topic is read (DESIGN 2.2).
        """
        return self._targets is not None and not self._awaited(self._targets)

    @property
    def records_left(self) -> int | None:
        """How many records are left to that; None while the ends are not known."""
        if self._targets is None:
            return None
        awaited = self._awaited(self._targets)
        return sum(end - self._positions.get(partition, 0) for partition, end in awaited.items())

    def _awaited(self, targets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        return {each: end for each, end in targets.items() if not self._is_paused(each.topic)}

    async def run(self, reader: Reader) -> None:
        """Keep the ends and positions fresh, for ever."""
        while True:
            self._nudged.clear()
            await self._refresh(reader)
            pause = REFRESH_SECONDS if self.is_caught_up else CATCHING_UP_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._nudged.wait()
            except TimeoutError:
                continue

    async def _refresh(self, reader: Reader) -> None:
        mine = self._mine
        if mine is None:
            return
        try:
            ends = await self._read_ends()
            positions = {each: await reader.next_position(each) for each in mine}
        except (KafkaError, OSError):  # away, or about to rebalance: the next look will tell
            return
        if mine is not self._mine:
            return
        self._positions = positions
        by_topic: dict[str, dict[str, int]] = defaultdict(dict)
        for partition, end in ends.items():
            by_topic[partition.topic][str(partition.partition)] = end
        self.ends = dict(by_topic)
        await self._record(positions)
        if mine is not self._mine:
            return
        targets = self._targets
        if targets is None:
            targets = {each: ends.get(each, 0) for each in mine}
        was_caught_up = self.is_caught_up
        self._targets = {each: end for each, end in targets.items() if positions[each] < end}
        if self.is_caught_up and not was_caught_up:
            reader.look_again()

    async def _read_ends(self) -> Mapping[TopicPartition, int]:
        """Ask where the party topics end.

        aiokafka hides from whoever only reads that brokers are away, and one of several may still
        answer a probe: here /readyz learns that partitions have no leader.
        """
        try:
            async with asyncio.timeout(ENDS_SECONDS):
                ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(
                    self._partitions()
                )
        except (KafkaError, OSError) as error:
            if is_absence("kafka", error):
                self._dependencies.down("kafka", error)
            raise
        return ends

    def _partitions(self) -> list[TopicPartition]:
        topics = [
            each for each in self._consumer.subscription() if self._subscription.is_party(each)
        ]
        return [
            TopicPartition(topic, number)
            for topic in topics
            for number in self._consumer.partitions_for_topic(topic) or ()
        ]

    async def _record(self, positions: dict[TopicPartition, int]) -> None:
        moved = {each: at for each, at in positions.items() if self._recorded.get(each) != at}
        if not moved:
            return
        rows = [(each.topic, each.partition, at) for each, at in moved.items()]
        recorded = self._recorded  # another one after the next assignment
        await self._dependencies.retrying("database", self._save, rows)
        recorded |= moved

    async def _save(self, rows: Sequence[tuple[str, int, int]]) -> None:
        async with transaction(self._pool) as connection:
            await parked.record_positions(connection, rows)
