"""How far customers are read: requests wait for it, and it is never said too early."""

import asyncio
from collections.abc import Iterable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaConnectionError

from consumer import party_progress
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.party_progress import PartyProgress
from consumer.settings import Settings
from consumer.subscription import Subscription
from tests.unit.consumer.fake_consumer import FakePool

CUSTOMERS = [TopicPartition("customer.changed", number) for number in range(2)]
ONE, TWO = CUSTOMERS
REQUESTS = TopicPartition("ticket.requested", 0)


class World:
    """Kafka's ends and the intake's positions, as a test sets them."""

    def __init__(self) -> None:
        self.ends: dict[TopicPartition, int] = dict.fromkeys([*CUSTOMERS, REQUESTS], 0)
        self.positions: dict[TopicPartition, int] = dict.fromkeys(CUSTOMERS, 0)
        self.error: Exception | None = None
        self.looks = 0
        self.asked: asyncio.Event = asyncio.Event()

    def subscription(self) -> set[str]:
        return {each.topic for each in self.ends}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {each.partition for each in self.ends if each.topic == topic}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked.set()
        if self.error is not None:
            raise self.error
        return {each: self.ends[each] for each in partitions}

    async def next_position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def look_again(self) -> None:
        self.looks += 1


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
def progress(world: World, pool: FakePool) -> PartyProgress:
    subscription = Subscription(Settings(_env_file=None))
    return PartyProgress(world, subscription, pool, Dependencies(Metrics()))


async def refresh(progress: PartyProgress, world: World) -> None:
    await progress._refresh(world)  # noqa: SLF001  one look, as `run` takes it


def left(progress: PartyProgress) -> int | None:
    return progress.records_left


async def test_before_an_assignment_there_is_nothing_to_read(
    world: World, pool: FakePool, progress: PartyProgress
) -> None:
    world.ends[ONE] = 5
    await refresh(progress, world)
    assert (progress.is_caught_up, left(progress)) == (True, 0)
    assert (progress.ends, pool.positions) == ({}, {})


async def test_it_is_caught_up_at_the_ends_that_it_began_with(
    world: World, progress: PartyProgress
) -> None:
    world.ends |= {ONE: 5, TWO: 3}
    progress.assigned(CUSTOMERS)
    await refresh(progress, world)
    assert (progress.is_caught_up, left(progress)) == (False, 8)
    world.positions |= {ONE: 2, TWO: 3}
    world.ends[ONE] = 1_000  # what comes later is not waited for
    await refresh(progress, world)
    assert (progress.is_caught_up, left(progress)) == (False, 3)
    assert world.looks == 0
    world.positions[ONE] = 5
    await refresh(progress, world)
    assert (progress.is_caught_up, left(progress), world.looks) == (True, 0, 1)


async def test_the_ends_of_all_partitions_are_known_whoever_reads_them(
    world: World, progress: PartyProgress
) -> None:
    world.ends |= {ONE: 5, TWO: 3, REQUESTS: 9}
    progress.assigned([ONE])
    await refresh(progress, world)
    assert progress.ends == {"customer.changed": {"0": 5, "1": 3}}


async def test_who_reads_no_customers_waits_for_the_ends_all_the_same(
    world: World, progress: PartyProgress
) -> None:
    """A request that is parked before they are known would get no grace at all."""
    world.ends[ONE] = 5
    progress.assigned([])
    assert left(progress) is None
    await refresh(progress, world)
    assert (progress.is_caught_up, left(progress)) == (True, 0)
    assert progress.ends == {"customer.changed": {"0": 5, "1": 0}}
    assert world.looks == 1


@pytest.mark.parametrize(
    "error", [KafkaConnectionError(), TimeoutError(), IllegalStateError("not assigned")]
)
async def test_no_answer_is_no_news(
    world: World, progress: PartyProgress, error: Exception
) -> None:
    progress.assigned([ONE])
    world.error = error
    await refresh(progress, world)
    assert left(progress) is None
    world.error = None
    await refresh(progress, world)
    assert progress.is_caught_up


@pytest.mark.parametrize(
    ("error", "is_up"),
    [(KafkaConnectionError(), False), (TimeoutError(), False), (IllegalStateError("ours?"), True)],
)
async def test_ends_that_nobody_tells_mean_that_kafka_is_away(
    world: World, pool: FakePool, error: Exception, *, is_up: bool
) -> None:
    dependencies = Dependencies(Metrics())
    dependencies.up("kafka")
    subscription = Subscription(Settings(_env_file=None))
    progress = PartyProgress(world, subscription, pool, dependencies)
    progress.assigned([ONE])
    world.error = error
    await refresh(progress, world)
    assert dependencies.is_up("kafka") is is_up


async def test_positions_are_noted_where_they_moved(
    world: World, pool: FakePool, progress: PartyProgress
) -> None:
    world.positions |= {ONE: 4, TWO: 2}
    progress.assigned(CUSTOMERS)
    await refresh(progress, world)
    assert pool.positions == {("customer.changed", 0): 4, ("customer.changed", 1): 2}
    pool.positions.clear()
    world.positions[TWO] = 3
    await refresh(progress, world)
    assert pool.positions == {("customer.changed", 1): 3}


async def test_a_rebalance_while_a_position_is_noted_is_not_forgotten(
    world: World, pool: FakePool, progress: PartyProgress
) -> None:
    """Or the new partitions would count as read because the old ones were."""
    world.positions[ONE] = 4
    world.ends[TWO] = 7

    async def rebalance() -> None:
        pool.before_write = None
        progress.assigned([TWO])

    pool.before_write = rebalance
    progress.assigned([ONE])
    await refresh(progress, world)
    assert left(progress) is None
    await refresh(progress, world)
    assert (progress.is_caught_up, left(progress)) == (False, 7)


async def test_it_looks_at_once_when_customers_were_applied(
    world: World, progress: PartyProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(party_progress, "REFRESH_SECONDS", 600.0)
    progress.assigned([ONE])
    running = asyncio.create_task(progress.run(world))
    async with asyncio.timeout(20):
        while not progress.is_caught_up:
            await world.asked.wait()
            await asyncio.sleep(0)
        for _ in range(3):
            world.asked.clear()
            progress.nudge()
            await world.asked.wait()
    running.cancel()
    await asyncio.wait({running})
