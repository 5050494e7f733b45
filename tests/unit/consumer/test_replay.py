"""How a replay goes through its partitions: each in its order, two at a time, and how it stops."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import pytest
from aiokafka import TopicPartition

from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.pace import Pace
from consumer.replay import IN_FLIGHT, Limits, Phase, Replay
from consumer.replay_batch import ReplayBatches
from consumer.replay_filter import ReplayFilter, Sieve
from consumer.replay_lane import PORTION_BYTES, Portion
from consumer.replay_plan import Stretch
from handlers.entries import TopicRole
from tests.records import MOST_BYTES
from tests.scenarios.messages import encoded, request
from tests.unit.consumer.test_replay_scan import Alone

REQUESTS: Final = [TopicPartition("requests", number) for number in range(4)]
CHANGES: Final = TopicPartition("changes", 0)


class Settled:
    """Notes portions as they begin and end. hold: they end only when it is set."""

    def __init__(self) -> None:
        self.begun: list[Portion] = []
        self.ended: list[Portion] = []
        self.most = self._now = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.changed = asyncio.Event()
        self.error: Exception | None = None

    async def settle(self, portion: Portion) -> None:
        self._now += 1
        self.most = max(self.most, self._now)
        self.begun.append(portion)
        self.changed.set()
        try:
            await asyncio.sleep(0)
            await self.hold.wait()
            if self.error is not None:
                raise self.error
            self.ended.append(portion)
        finally:
            self._now -= 1

    async def until(self, is_true: Callable[[], object]) -> None:
        while not is_true():
            self.changed.clear()
            await self.changed.wait()

    def offsets(self, partition: TopicPartition) -> list[int]:
        return [
            item.entry.record.offset
            for portion in self.ended
            if portion.partition == partition
            for item in portion.items
            if item.entry.record is not None
        ]


class Stage:
    def __init__(self, *, most: int = 10) -> None:
        self.kafka = Alone()
        self.settled = Settled()
        self.dependencies = Dependencies(Metrics())
        self.dependencies.up("database")
        self.replay = Replay(
            self.kafka,
            self.dependencies,
            cast("ReplayBatches", self.settled),
            Sieve(ReplayFilter()),
            limits=Limits(most, MOST_BYTES),
            pace=Pace(None),
            on_lost=lambda *_: None,
        )

    def phase(self, kind: str, *partitions: TopicPartition, records: int = 35) -> Phase:
        found: dict[TopicPartition, tuple[TopicRole, Stretch]] = {}
        for each in partitions:
            values: list[bytes | None] = [encoded(request(number)) for number in range(records)]
            self.kafka.fake.append(each, values)
            found[each] = TopicRole(kind), Stretch(each, 0, records)
        return found


async def test_each_partition_keeps_its_order_and_reaches_its_end() -> None:
    stage = Stage()
    assert await stage.replay.run([stage.phase("request", *REQUESTS)])
    for each in REQUESTS:
        assert stage.settled.offsets(each) == list(range(35))
        ends = [one.next_offset for one in stage.settled.ended if one.partition == each]
        assert ends == sorted(ends)
        assert ends[-1] == 35
    assert all(len(portion.items) <= 10 for portion in stage.settled.ended)
    assert stage.settled.most <= IN_FLIGHT


async def test_changes_wait_for_the_last_request() -> None:
    stage = Stage()
    await stage.replay.run([stage.phase("request", *REQUESTS), stage.phase("change", CHANGES)])
    order = [portion.partition for portion in stage.settled.begun]
    first = order.index(CHANGES)
    assert set(order[first:]) == {CHANGES}
    assert sum(len(each.items) for each in stage.settled.ended[:first]) == 35 * len(REQUESTS)


async def test_what_is_waited_for_takes_only_so_much_memory() -> None:
    """Long records of many partitions go before their portion is full."""
    stage = Stage(most=1_000)
    value = b"x" * (PORTION_BYTES // 8)
    partitions = [TopicPartition("requests", number) for number in range(10)]
    found: dict[TopicPartition, tuple[TopicRole, Stretch]] = {}
    for each in partitions:
        stage.kafka.fake.append(each, [value] * 6)
        found[each] = TopicRole("request"), Stretch(each, 0, 6)
    assert await stage.replay.run([found])
    assert sum(len(each.items) for each in stage.settled.ended) == 60


async def test_a_stop_finishes_what_is_in_a_transaction() -> None:
    stage = Stage()
    stage.settled.hold.clear()
    running = asyncio.create_task(stage.replay.run([stage.phase("request", *REQUESTS)]))
    await stage.settled.until(lambda: len(stage.settled.begun) == IN_FLIGHT)
    stage.replay.stop()
    await asyncio.sleep(0)
    stage.settled.hold.set()
    assert await running is False
    assert stage.settled.ended == stage.settled.begun
    assert len(stage.settled.ended) == IN_FLIGHT


async def test_a_stop_drops_what_waits_for_a_database_that_is_away() -> None:
    stage = Stage()
    stage.settled.hold.clear()
    stage.dependencies.down("database", "it is away")
    running = asyncio.create_task(stage.replay.run([stage.phase("request", *REQUESTS)]))
    await stage.settled.until(lambda: len(stage.settled.begun) == IN_FLIGHT)
    stage.replay.stop()
    assert await running is False
    assert stage.settled.ended == []


async def test_a_surprise_ends_it_as_it_is() -> None:
    stage = Stage()
    stage.settled.error = LookupError("a mistake of ours")
    with pytest.raises(LookupError, match="a mistake of ours"):
        await stage.replay.run([stage.phase("request", *REQUESTS)])


async def test_nothing_to_read_is_the_end() -> None:
    stage = Stage()
    phase: dict[TopicPartition, Any] = {CHANGES: (TopicRole("change"), Stretch(CHANGES, 5, 5))}
    assert await stage.replay.run([phase])
    assert await stage.replay.run([])
    assert stage.settled.begun == []
