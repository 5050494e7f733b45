"""As much of aiokafka's consumer as the intake uses, on the fake broker.

Read against aiokafka 0.14: positions move when records are handed over, also where the call then
fails; nothing is handed over while the group rebalances; pauses are lost with an assignment; what a
listener raises is swallowed.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition, errors

from consumer.clients import HEARTBEAT_INTERVAL_MS
from tests.simulation.broker import Broker, Log, Stored
from tests.simulation.chaos import Kind
from tests.simulation.group import Group, Joined
from tests.simulation.loop import SimulatedProcess
from tests.simulation.wire import Gone, Wire

HEARTBEAT_SECONDS: Final = HEARTBEAT_INTERVAL_MS / 1000

REJOIN: Final = (
    errors.RebalanceInProgressError,
    errors.UnknownMemberIdError,
    errors.IllegalGenerationError,
)

Offsets = Mapping[TopicPartition, int]


def lost(kind: Kind) -> Any:  # noqa: ANN401  an error of an untyped library's
    """What a call may end with."""
    if kind is Kind.REFUSE:
        return errors.RequestTimedOutError()
    return errors.KafkaConnectionError("the broker does not answer")


class FakeConsumer:
    """A member of the group."""

    def __init__(self, broker: Broker, group: Group, wire: Wire, process: SimulatedProcess) -> None:
        self._broker = broker
        self._group = group
        self._wire = wire
        self._process = process
        self._topics: Sequence[str] = ()
        self._listener: Any = None
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        self._member: int | None = None
        self._generation = -1
        self._is_closed = False
        self._is_settled = asyncio.Event()
        self._must_join = asyncio.Event()
        self._moved = asyncio.Event()
        self._coordinating: asyncio.Task[None] | None = None

    # The group

    def subscribe(
        self,
        topics: Iterable[str] = (),
        pattern: str | None = None,
        listener: object = None,
    ) -> None:
        assert pattern is None, "no seed of the simulation has patterns"
        self._topics = sorted(topics)
        self._listener = listener
        self._must_join.set()

    def subscription(self) -> Sequence[str]:
        return self._topics

    async def start(self) -> None:
        await self._call("start", lambda: None)
        self._coordinating = asyncio.create_task(self._coordinate())

    async def stop(self) -> None:
        if self._process.is_gone:
            raise Gone
        if self._is_closed:
            return
        self._is_closed = True
        self._broker.wake()
        if self._coordinating is not None:
            self._coordinating.cancel()
            await asyncio.wait({self._coordinating})
        if (member := self._member) is not None:
            try:
                await self._call("leave", lambda: self._group.leave(member))
            except errors.KafkaError:
                return

    async def _coordinate(self) -> None:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._must_join.wait()
            except TimeoutError:
                await self._beat()
                continue
            try:
                await self._rebalance()
            except errors.KafkaError:
                await asyncio.sleep(0.1)

    async def _beat(self) -> None:
        try:
            await self._call("heartbeat", self._heartbeat)
        except REJOIN as error:
            if isinstance(error, errors.UnknownMemberIdError):
                self._member = None
            self._must_join.set()
        except errors.KafkaError:
            return

    def _heartbeat(self) -> None:
        if self._member is not None:
            self._group.heartbeat(self._member, self._generation)

    async def _rebalance(self) -> None:
        if self._is_settled.is_set() or self._generation < 0:
            self._is_settled.clear()
            await self._tell(self._listener.on_partitions_revoked, list(self._positions))
        joined = await self._call("join", self._join)
        self._member, self._generation = joined.member, joined.generation
        committed = await self._call("committed", lambda: dict(self._group.committed))
        self._positions = {each: committed.get(each) for each in joined.assigned}
        self._note("is assigned", self._positions)
        self._paused = set()
        self._must_join.clear()
        self._is_settled.set()
        self._moved.set()
        self._broker.wake()
        await self._tell(self._listener.on_partitions_assigned, list(joined.assigned))

    async def _join(self) -> Joined:
        return await self._group.join(self._member, self._process, self._topics)

    async def _tell(
        self, listener: Callable[..., Any], partitions: Sequence[TopicPartition]
    ) -> None:
        self._at_work(is_at_work=True)
        try:
            await listener(partitions)
        except Exception as error:  # noqa: BLE001  aiokafka swallows it
            self._wire.trace.note(self._process.name, f"listener failed: {error!r}")
        finally:
            self._at_work(is_at_work=False)

    def _at_work(self, *, is_at_work: bool) -> None:
        member = None if self._member is None else self._group.members.get(self._member)
        if member is not None:
            member.is_at_work = is_at_work

    async def commit(self, offsets: Offsets) -> None:
        if any(partition not in self._positions for partition in offsets):
            raise errors.IllegalStateError("a partition is not assigned")
        try:
            await self._call("commit", lambda: self._commit(offsets))
        except REJOIN as error:
            if isinstance(error, errors.UnknownMemberIdError):
                self._member = None
            self._must_join.set()
            raise errors.CommitFailedError from error

    def _commit(self, offsets: Offsets) -> None:
        if self._member is None:
            raise errors.UnknownMemberIdError
        self._group.commit(self._member, self._generation, offsets)
        self._note("committed", offsets)

    async def committed(self, partition: TopicPartition) -> int | None:
        found: int | None = await self._call(
            "committed", lambda: self._group.committed.get(partition)
        )
        return found

    # Positions

    def assignment(self) -> Mapping[TopicPartition, int | None]:
        """In a fixed order, as no set is."""
        return dict(self._positions)

    def partitions_for_topic(self, topic: str) -> Sequence[int]:
        return range(len(self._broker.topics.get(topic, ())))

    async def position(self, partition: TopicPartition) -> int:
        while True:
            if partition not in self._positions:
                raise errors.IllegalStateError(f"{partition} is not assigned")
            if (position := self._positions[partition]) is not None:
                return position
            self._moved.clear()
            await self._moved.wait()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self._positions:
            raise errors.IllegalStateError(f"{partition} is not assigned")
        self._positions[partition] = offset
        self._moved.set()
        self._broker.wake()

    async def seek_to_beginning(self, partition: TopicPartition) -> None:
        await self._call("beginning", lambda: None)
        self.seek(partition, 0)

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> Offsets:
        found: Offsets = await self._call("beginning", lambda: dict.fromkeys(partitions, 0))
        return found

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> Offsets:
        wanted = list(partitions)
        found: Offsets = await self._call(
            "ends", lambda: {each: self._log(each).end for each in wanted}
        )
        return found

    def highwater(self, partition: TopicPartition) -> int:
        return self._log(partition).end

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)
        self._broker.wake()

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    # Records

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[TopicPartition, Sequence[Stored]]:
        loop = self._wire.loop
        end = loop.time() + timeout_ms / 1000
        while True:
            if self._is_closed:
                raise errors.ConsumerStoppedError
            await self._is_settled.wait()
            found: Mapping[TopicPartition, Sequence[Stored]] = {}
            if self._is_anything_there(partitions):
                found = await self._call(
                    "getmany",
                    lambda: self._drained(partitions, max_records or 500),
                    ends_at_once=True,
                )
            if found:
                return found
            if loop.time() >= end:
                return {}
            try:
                async with asyncio.timeout_at(end):
                    await self._broker.arrival()
            except TimeoutError:
                continue

    def _is_anything_there(self, partitions: Sequence[TopicPartition]) -> bool:
        """Records, or something to complain of."""
        return self._broker.is_up and any(
            position is None or position != self._log(each).end
            for each, position in self._positions.items()
            if (not partitions or each in partitions) and each not in self._paused
        )

    def _drained(
        self, partitions: Sequence[TopicPartition], most: int
    ) -> dict[TopicPartition, Sequence[Stored]]:
        """What has come, of some partitions before others; their positions move at once."""
        drained: dict[TopicPartition, Sequence[Stored]] = {}
        if not self._is_settled.is_set():
            return drained
        wanted = [each for each in partitions or self._positions if each in self._positions]
        self._wire.random.shuffle(wanted)
        for each in wanted:
            if each in self._paused:
                continue
            try:
                taken = self._taken(each, most)
            except errors.KafkaError:
                if drained:
                    break
                raise
            if taken:
                drained[each] = taken
                most -= len(taken)
            if most <= 0:
                break
        if drained:
            self._note("reads", {each: records[0].offset for each, records in drained.items()})
        return drained

    def _taken(self, partition: TopicPartition, most: int) -> Sequence[Stored]:
        position, records = self._positions[partition], self._log(partition).records
        if position is None:
            raise errors.NoOffsetForPartitionError(partition)
        if position > len(records):
            raise errors.OffsetOutOfRangeError({partition: position})
        taken = records[position : position + most]
        self._positions[partition] = position + len(taken)
        return taken

    def _note(self, what: str, where: Mapping[TopicPartition, int | None]) -> None:
        told = [f"{each.topic}:{each.partition}:{at}" for each, at in sorted(where.items())]
        self._wire.trace.note(self._process.name, f"{what} {' '.join(told)}")

    def _log(self, partition: TopicPartition) -> Log:
        return self._broker.log(partition.topic, partition.partition)

    async def _call(self, step: str, act: Callable[[], Any], *, ends_at_once: bool = False) -> Any:  # noqa: ANN401  the act's
        def attempt() -> Any:  # noqa: ANN401  the act's
            if not self._broker.is_up:
                raise errors.KafkaConnectionError("no broker answers")
            return act()

        return await self._wire.call(
            self._process, f"kafka.{step}", attempt, lost, ends_at_once=ends_at_once
        )
