"""`replay`: inbound records handed to the handlers again, a partition's in their order.

It reads outside any group and keeps its own positions, so nobody's offsets move; and who accepted
an identity before finds it accepted, so that repeating anything changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from consumer.dependencies import Dependencies
from consumer.pace import Pace
from consumer.portions import portions
from consumer.replay_batch import ReplayBatches
from consumer.replay_filter import Sieve
from consumer.replay_lane import PORTION_BYTES, Lane, Portion
from consumer.replay_plan import Stretch
from consumer.replay_scan import RECORDS_AT_ONCE, Lost, ReplayScan
from handlers.entries import TopicRole

IN_FLIGHT: Final = 2
"""While the database writes one portion, the next is decided."""

BUFFERED_BYTES: Final = 2 * PORTION_BYTES
"""What all partitions together may hold that is not in a transaction yet."""

STOP_SECONDS: Final = 10.0
"""How long a stop waits for what is in a transaction. Giving it up loses nothing."""

Phase = Mapping[TopicPartition, tuple[TopicRole, Stretch]]


@dataclass(frozen=True, slots=True)
class Limits:
    """most_records: so many in one transaction. max_bytes: of a value, as the intake takes it."""

    most_records: int
    max_bytes: int


class Replay:
    """Runs once. consumer: one without a group, started. on_lost: told of what was deleted."""

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401  aiokafka's consumer
        dependencies: Dependencies,
        batches: ReplayBatches,
        sieve: Sieve,
        *,
        limits: Limits,
        pace: Pace,
        on_lost: Lost,
    ) -> None:
        self._consumer = consumer
        self._dependencies = dependencies
        self._batches = batches
        self._sieve = sieve
        self._limits = limits
        self._most = pace.most_at_once(limits.most_records)
        self._pace = pace
        self._on_lost = on_lost
        self._stopping = asyncio.Event()
        self._settling: dict[TopicPartition, asyncio.Task[None]] = {}

    def stop(self) -> None:
        """Have `run` finish what is in a transaction and return."""
        self._stopping.set()

    async def run(self, phases: Sequence[Phase]) -> bool:
        """Replay everything; whether it came to the end."""
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read_all(phases, group), name="replay.read")
                stopping = group.create_task(self._stopping.wait(), name="replay.stop")
                await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if reading.done():
                    return True
                reading.cancel()
                await self._give_up()
                return False
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _read_all(self, phases: Sequence[Phase], group: asyncio.TaskGroup) -> None:
        for phase in phases:
            await self._read(phase, group)
            await self._wait_for(set(self._settling.values()))

    async def _read(self, phase: Phase, group: asyncio.TaskGroup) -> None:
        lanes = {each: Lane(each, role, part.start) for each, (role, part) in phase.items()}
        bounds = {each: (part.start, part.end) for each, (_, part) in phase.items()}

        def is_wanted(partition: TopicPartition) -> bool:
            """Others come first where one has its next portion ready behind one in work."""
            is_busy = partition in self._settling and not self._settling[partition].done()
            return not (is_busy and lanes[partition].is_nearly_full(self._most, RECORDS_AT_ONCE))

        scan = ReplayScan(
            self._consumer,
            self._dependencies,
            bounds,
            self._on_lost,
            is_wanted=is_wanted,
            until_wanted=self._until_one_is_settled,
        )
        async for partition, records, read_to in scan.read():
            lane = lanes[partition]
            for chunk in portions(records):
                await self._add(chunk, lane, group)
                if sum(each.size for each in lanes.values()) > BUFFERED_BYTES:
                    longest = max(lanes.values(), key=lambda each: each.size)
                    await self._hand_over(longest.take(), group)
            lane.read_to = max(lane.read_to, read_to)
            if lane.is_long or read_to >= bounds[partition][1]:
                await self._hand_over(lane.take(), group)

    async def _add(self, records: Sequence[Any], lane: Lane, group: asyncio.TaskGroup) -> None:
        """Decode some; what is full goes to the database."""
        for record in records:
            if not lane.has_room(record, self._most):
                await self._hand_over(lane.take(), group)
            lane.add(record, self._sieve, self._limits.max_bytes)
        await asyncio.sleep(0)

    async def _hand_over(self, portion: Portion, group: asyncio.TaskGroup) -> None:
        """Have it settled beside what is read next; a partition's portions one after the other."""
        before = self._settling.get(portion.partition)
        if before is not None:
            await self._wait_for({before})
        await asyncio.sleep(self._pace.seconds_until(len(portion.items)))
        while len(self._busy()) >= IN_FLIGHT:
            await self._until_one_is_settled()
        self._settling[portion.partition] = group.create_task(
            self._batches.settle(portion), name="replay.batch"
        )

    async def _until_one_is_settled(self) -> None:
        if busy := self._busy():
            await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)

    def _busy(self) -> set[asyncio.Task[None]]:
        return {task for task in self._settling.values() if not task.done()}

    async def _wait_for(self, tasks: set[asyncio.Task[None]]) -> None:
        """Not by awaiting them: who is cancelled while waiting would cancel them."""
        if tasks:
            await asyncio.wait(tasks)

    async def _give_up(self) -> None:
        """Finish what is in a transaction, unless the database is away or too slow."""
        tasks = self._busy()
        if tasks and self._dependencies.is_up("database"):
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in tasks:
            task.cancel()
