"""From Kafka to batches: fetch, decode, take in turn, settle, commit offsets; drain when told."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from consumer import clock
from consumer.batch import Batches
from consumer.dependencies import Dependencies
from consumer.flow import Flow
from consumer.lag import Lag
from consumer.lanes import Batch, Lanes, Waiting
from consumer.lost_positions import LostPositions
from consumer.metrics import Metrics
from consumer.offsets import Offsets
from consumer.party_progress import PartyProgress
from consumer.pauses import Pauses
from consumer.portions import FETCH_RECORDS, how_many_next, portions
from consumer.positions import Positions
from consumer.subscription import Subscription
from handlers.entries import read

log = structlog.get_logger()

BATCH_BYTES = 16 * 1024 * 1024
BUFFERED_BYTES = 32 * 1024 * 1024
FETCH_SECONDS = 0.5
CATCHING_UP_SECONDS = 0.05
"""How long a fetch of customers alone may keep requests waiting that need not wait any more."""

POSITION_SECONDS = 1.0
DRAIN_SECONDS = 45.0
"""A member that takes 60 s to let go of its partitions is put out of the group."""

FEW = 200
"""So many records waiting are worth a second batch beside the one in work; fewer join the next."""

STARVED_SECONDS = 5.0
"""After so long without room the partitions are paused, so that fetching goes on for nothing."""


class Intake(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """The consumer's side of the machine: everything that knows partitions."""

    def __init__(
        self,
        *,
        consumer: Any,  # noqa: ANN401  aiokafka's consumer, or one that wraps it
        subscription: Subscription,
        batches: Batches,
        party_progress: PartyProgress,
        lost_positions: LostPositions,
        pauses: Pauses,
        dependencies: Dependencies,
        metrics: Metrics,
        batch_records: int,
        batches_in_flight: int,
        max_record_bytes: int,
    ) -> None:
        self._consumer = consumer
        self._subscription = subscription
        self._batches = batches
        self._party_progress = party_progress
        self._pauses = pauses
        self._dependencies = dependencies
        self._metrics = metrics
        self._batch_records = batch_records
        self._fetch_records = min(batch_records, FETCH_RECORDS)
        self._slots = batches_in_flight
        self._max_record_bytes = max_record_bytes
        self._offsets = Offsets(consumer, dependencies)
        self.lanes = Lanes()
        self._positions = Positions(consumer, self.lanes, lost_positions, dependencies)
        self._flow = Flow(consumer, self.lanes, pauses)
        self.lag = Lag(consumer, self.lanes, pauses, metrics)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._draining = self._may_be_unfair = False
        self._stopping = asyncio.Event()
        pauses.whenever_changed(self._obey_pauses)

    async def run(self) -> None:
        """Read until told to stop; then finish what is begun, commit offsets, leave the group."""
        if not await self._connect():
            return
        self._subscription.apply(self._consumer, self)
        try:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(self._fetch(), name="intake.fetch"),
                    group.create_task(self._dispatch(group), name="intake.dispatch"),
                    group.create_task(self._offsets.run(), name="intake.offsets"),
                    group.create_task(self._party_progress.run(self), name="intake.parties"),
                ]
                await self._stopping.wait()
                for task in running:
                    task.cancel()
                await self._drain()
        finally:
            await self._consumer.stop()

    async def _connect(self) -> bool:
        """Reach Kafka, however long it is away; False when told to stop before.

        Nothing is subscribed to before: the client would wait for each topic that doesn't exist,
        and give up; the others would not be read meanwhile.
        """
        joining: asyncio.Future[Any] = asyncio.ensure_future(
            self._dependencies.retrying("kafka", self._consumer.start)
        )
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([joining, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if joining.done():
            joining.result()
            return True
        joining.cancel()
        await asyncio.wait({joining})
        await self._consumer.stop()
        return False

    def stop(self) -> None:
        """Ask `run` to finish; returns at once."""
        self._stopping.set()

    async def next_position(self, partition: TopicPartition) -> int:
        """The offset before which every record of an assigned partition has its outcome.

        Raises TimeoutError while the client doesn't know yet where it stands.
        """
        oldest = self._oldest(partition)
        if oldest is not None:
            return oldest
        async with asyncio.timeout(POSITION_SECONDS):
            position: int = await self._consumer.position(partition)
        oldest = self._oldest(partition)  # records may have come in meanwhile
        if oldest is None and not self._positions.are_known:
            raise TimeoutError
        return position if oldest is None else oldest

    def _oldest(self, partition: TopicPartition) -> int | None:
        """The offset of the first record here that has no outcome."""
        record = self.lanes.oldest(partition)
        return None if record is None else record.offset

    async def _fetch(self) -> None:
        while True:
            if not self._room.is_set():
                await self._wait_for_room()
            if self._room.is_set():
                self._flow.feed()
            try:
                fetched = await self._fetched()
            except Exception as error:  # noqa: BLE001  whatever it is, nothing may be skipped
                self._dependencies.down("kafka", error)
                await self._positions.restore()
                await asyncio.sleep(FETCH_SECONDS)
            else:
                await self._queue(fetched)

    async def _fetched(self) -> Mapping[TopicPartition, Sequence[Any]]:
        fetched: Mapping[TopicPartition, Sequence[Any]] = {}
        try:
            for wanted, seconds in self._wanted():
                fetched = await self._consumer.getmany(
                    *wanted, timeout_ms=int(seconds * 1000), max_records=self._fetch_records
                )
                if fetched:
                    self._may_be_unfair |= bool(wanted)
                    break
        except NoOffsetForPartitionError as error:
            await self._positions.begin(error.args[0])
        except OffsetOutOfRangeError as error:
            await self._positions.report_lost(error.args[0])
        else:
            return fetched
        return {}

    def _wanted(self) -> Iterator[tuple[list[TopicPartition], float]]:
        """Whose records to fetch now, and how long to wait for them; all, where none is named.

        Requests are held until the customers announced before are known. If they were fetched
        meanwhile, they would take up all the room, and no customer could come in any more.

        aiokafka hands over all that it has of a partition before it looks at the next. So after
        each batch those are asked first of whom nothing is here, until they have nothing: a flood
        is not to delay them.
        """
        assigned = self._consumer.assignment()
        parties = [each for each in assigned if self._subscription.is_party(each.topic)]
        if parties and not self._party_progress.is_caught_up:
            yield parties, CATCHING_UP_SECONDS
            return
        if self._may_be_unfair:
            self._may_be_unfair = False
            if quiet := self.lanes.without_any(assigned):
                yield quiet, 0
        yield [], FETCH_SECONDS

    async def _wait_for_room(self) -> None:
        """Wait until batches have been taken; have nothing fetched where that takes long."""
        try:
            async with asyncio.timeout(STARVED_SECONDS):
                await self._room.wait()
        except TimeoutError:
            self._flow.starve()

    async def _queue(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Decode and queue what was fetched, in portions; stop where it is taken from our hands."""
        self._fetch_records = min(self._batch_records, how_many_next(fetched))
        ours = {each: self._subscription.role_of(each.topic) for each in fetched}
        for partition, role in ours.items():
            if role is not None:
                self.lanes.receive(partition, fetched[partition])
        for partition, role in ours.items():
            if role is None:
                continue
            for chunk in portions(fetched[partition]):
                if not self.lanes.is_next(partition, chunk[0]):
                    break
                self.lanes.add(
                    partition,
                    [Waiting(each, read(each, role, self._max_record_bytes)) for each in chunk],
                )
                self._update_room()
                self._changed.set()
                await asyncio.sleep(0)

    def _update_room(self) -> None:
        enough = (
            self.lanes.buffered >= self._batch_records * (self._slots + 1)
            or self.lanes.buffered_bytes >= BUFFERED_BYTES
        )
        if enough:
            self._room.clear()
        else:
            self._room.set()

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while not self._draining and len(self._in_flight) < self._slots:
                if self._in_flight and self.lanes.buffered < min(FEW, self._batch_records):
                    break
                batch = self.lanes.take(self._batch_records, BATCH_BYTES, self._is_held)
                if not batch:
                    break
                self._may_be_unfair = True
                self._update_room()
                task = group.create_task(self._settle(batch), name="intake.batch")
                self._in_flight.add(task)
                task.add_done_callback(self._finished)

    def _is_held(self, partition: TopicPartition) -> bool:
        """Paused topics wait; requests also until the customers announced before are known."""
        if not self._pauses.are_known or self._pauses.is_paused(partition.topic):
            return True
        is_party = self._subscription.is_party(partition.topic)
        return not is_party and not self._party_progress.is_caught_up

    async def _settle(self, batch: Batch) -> None:
        entries = [waiting.entry for taken in batch.values() for waiting in taken]
        await self._batches.settle(entries)
        self._offsets.advance(self.lanes.finish(batch))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._changed.set()

    def measure(self) -> None:
        """Set the lag of each partition."""
        self.lag.measure()

    def _obey_pauses(self) -> None:
        self._flow.obey()
        self._update_room()
        self._changed.set()

    def look_again(self) -> None:
        """Something outside changed that may let batches go."""
        self._changed.set()

    async def _drain(self) -> None:
        """Finish the batches in flight; drop those that wait for a database that is away.

        Also those that a slow one keeps for longer than the group waits for us.
        """
        self._draining = True
        give_up_at = clock.seconds() + DRAIN_SECONDS
        while self._in_flight:
            await asyncio.wait(self._in_flight, timeout=0.1)
            if not self._dependencies.is_up("database") or clock.seconds() >= give_up_at:
                for task in self._in_flight:
                    task.cancel()
        self.lanes.clear()
        self._update_room()
        await self._offsets.flush()

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Called by the client before the group moves partitions; it waits for us."""
        await self._drain()
        self._offsets.forget()
        for partition in revoked:
            self._metrics.forget_partition(partition.topic, partition.partition)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Called by the client with what is ours now; pauses are lost, nothing else is kept."""
        self._flow.obey()
        self._draining = self._stopping.is_set()
        self._metrics.rebalances.inc()
        self._party_progress.assigned(
            [each for each in assigned if self._subscription.is_party(each.topic)]
        )
        self._changed.set()
        log.info("partitions.assigned", partitions=len(assigned))
