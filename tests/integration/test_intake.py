"""The intake on real PostgreSQL: what is committed there, and where the group stands."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from consumer import intake as intakes
from consumer import party_progress
from consumer.intake import Intake
from consumer.lost_positions import LostPositions
from consumer.metrics import Metrics
from consumer.party_progress import PartyProgress
from consumer.pauses import Pauses
from consumer.settings import Settings
from consumer.subscription import Subscription
from tests.integration.batch_stage import BatchStage, staged
from tests.integration.test_batch import until_waiting
from tests.records import MOST_BYTES
from tests.scenarios.messages import customer, encoded, party_id, request, requested
from tests.unit.consumer.fake_consumer import FakeConsumer, Happenings

pytestmark = pytest.mark.integration

ONE, TWO = (TopicPartition("ticket.requested", number) for number in range(2))
CUSTOMERS = TopicPartition("customer.changed", 0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "FETCH_SECONDS", 0.01)
    monkeypatch.setattr(intakes, "CATCHING_UP_SECONDS", 0.01)
    monkeypatch.setattr(party_progress, "REFRESH_SECONDS", 0.02)


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    async with staged(module_database) as ready:
        yield ready


@dataclass
class Member:
    """One member of the group at work on the shared database."""

    stage: BatchStage
    consumer: FakeConsumer
    intake: Intake
    running: asyncio.Task[None]

    async def until_rows(self, what: str, count: int) -> None:
        async with asyncio.timeout(20):
            while await self.stage.count(what) < count:
                await asyncio.sleep(0.005)
                assert not self.running.done(), self.running

    async def until_committed(self, offsets: dict[TopicPartition, int]) -> None:
        await self.consumer.happened.until(lambda: self.consumer.offsets == offsets)

    async def stop(self) -> None:
        self.intake.stop()
        async with asyncio.timeout(20):
            await self.running

    async def die(self) -> None:
        """As by SIGKILL: nothing is finished, no offset is committed any more."""
        self.consumer.fail_call("commit", *(ConnectionError() for _ in range(100)))
        self.running.cancel()
        await asyncio.wait({self.running})
        self.consumer.errors_of.clear()


@asynccontextmanager
async def member(
    stage: BatchStage, *assigned: TopicPartition, consumer: FakeConsumer | None = None
) -> AsyncIterator[Member]:
    """Another member, on the given partitions. consumer: takes over from one that died."""
    consumer = consumer or FakeConsumer(Happenings())
    for partition in assigned:
        consumer.append(partition, [])
    subscription = Subscription(Settings(_env_file=None))
    metrics = Metrics()
    pauses = Pauses(stage.pool, subscription, stage.dependencies, metrics, holder="host:7")
    await pauses.look()
    progress = PartyProgress(consumer, subscription, stage.pool, stage.dependencies)
    intake = Intake(
        consumer=consumer,
        subscription=subscription,
        batches=stage.batches(),
        party_progress=progress,
        lost_positions=LostPositions(stage.pool, stage.dependencies, metrics, "group"),
        pauses=pauses,
        dependencies=stage.dependencies,
        metrics=metrics,
        batch_records=20,
        batches_in_flight=2,
        max_record_bytes=MOST_BYTES,
    )
    consumer.listener = None
    running = asyncio.create_task(intake.run())
    await consumer.happened.until(lambda: consumer.listener is not None)
    await consumer.assign(*assigned)
    made = Member(stage, consumer, intake, running)
    try:
        yield made
    finally:
        if not running.done():
            await made.die()


def requests(numbers: Sequence[int]) -> list[bytes | None]:
    return [requested(number).value for number in numbers]


async def test_customers_come_first_and_requests_end_as_tickets(stage: BatchStage) -> None:
    async with member(stage) as reading:
        consumer = reading.consumer
        names = [f"c{number}" for number in range(60)]
        consumer.append(CUSTOMERS, [customer(name).value for name in names])
        for partition in (ONE, TWO):
            consumer.append(
                partition,
                [
                    encoded(request(f"{partition.partition}-{name}", customer_id=party_id(name)))
                    for name in names
                ],
            )
        await consumer.rebalance(ONE, TWO, CUSTOMERS)
        await reading.until_rows("tickets", 120)
        await reading.stop()
    assert consumer.offsets == {ONE: 60, TWO: 60, CUSTOMERS: 60}
    assert await stage.count("parked_requests") == 0
    ((position,),) = await stage.ask("SELECT position FROM party_positions")
    assert position == 60


async def test_who_dies_after_the_commit_leaves_only_duplicates(stage: BatchStage) -> None:
    await stage.know("Anna")
    async with member(stage, ONE) as first:
        first.consumer.fail_call("commit", *(ConnectionError() for _ in range(100)))
        first.consumer.append(ONE, requests(range(50)))
        await first.until_rows("tickets", 50)
        await first.die()
    assert first.consumer.offsets == {}
    async with member(stage, ONE, consumer=first.consumer) as second:
        second.consumer.append(ONE, requests(range(50, 60)))
        await second.until_rows("tickets", 60)
        await second.stop()
    assert second.consumer.offsets == {ONE: 60}
    assert await stage.count("tickets") == 60
    assert await stage.count("ticket_facts") == 60


async def test_who_dies_in_the_middle_of_a_write_leaves_nothing_of_it(stage: BatchStage) -> None:
    await stage.know("Anna")
    async with stage.transaction() as blocking:
        await blocking.execute("LOCK TABLE ticket_facts")
        async with member(stage, ONE) as first:
            first.consumer.append(ONE, requests(range(50)))
            await until_waiting(stage)
            await first.die()
    assert await stage.count("tickets") == 0
    async with member(stage, ONE, consumer=first.consumer) as second:
        await second.until_rows("tickets", 50)
        await second.stop()
    assert await stage.count("tickets") == 50


async def test_a_zombie_and_its_heir_decide_each_record_once(stage: BatchStage) -> None:
    """The first member is cut off from the group, does not know it, and goes on writing."""
    await stage.know("Anna")
    async with member(stage, ONE) as zombie, member(stage, ONE) as heir:
        for each in (zombie, heir):
            each.consumer.append(ONE, requests([*range(100), *range(50)]))
        for each in (zombie, heir):
            await each.until_committed({ONE: 150})
        await asyncio.gather(zombie.stop(), heir.stop())
    assert await stage.count("tickets") == 100
    assert await stage.count("ticket_facts") == 100


async def test_a_revocation_waits_while_the_database_works(stage: BatchStage) -> None:
    await stage.know("Anna")
    async with member(stage, ONE) as reading:
        async with stage.transaction() as blocking:
            await blocking.execute("LOCK TABLE ticket_facts")
            reading.consumer.append(ONE, requests(range(5)))
            await until_waiting(stage)
            revoking = asyncio.create_task(reading.consumer.revoke())
            await stage.count("tickets")
            assert not revoking.done()
        await revoking
        assert reading.consumer.offsets == {ONE: 5}
        assert await stage.count("tickets") == 5


async def test_a_revocation_drops_what_a_lost_database_keeps_waiting(stage: BatchStage) -> None:
    await stage.know("Anna")
    refused = asyncio.Event()

    async def refuse(_: str) -> None:
        refused.set()
        raise ConnectionRefusedError

    stage.watched.before = refuse
    async with member(stage, ONE) as reading:
        reading.consumer.append(ONE, requests(range(5)))
        await refused.wait()
        async with asyncio.timeout(20):
            await reading.consumer.revoke()
        assert reading.consumer.offsets == {}
        assert not stage.dependencies.is_up("database")
        stage.watched.before = None
        await reading.consumer.assign(ONE)
        await reading.until_rows("tickets", 5)
        await reading.stop()
    assert reading.consumer.offsets == {ONE: 5}


async def test_a_lost_position_is_on_record(stage: BatchStage) -> None:
    await stage.know("Anna")
    async with member(stage) as reading:
        reading.consumer.append(ONE, requests(range(5)))
        reading.consumer.offsets[ONE] = 77
        await reading.consumer.rebalance(ONE)
        await reading.until_rows("tickets", 5)
        await reading.stop()
    ((row),) = await stage.ask("SELECT * FROM lost_positions")
    found = dict(row)
    assert found.pop("reported_at") is not None
    assert found == {
        "group_id": "group",
        "topic": "ticket.requested",
        "partition": 0,
        "lost_offset": 77,
        "resumed_offset": 0,
    }


async def test_any_bytes_end_as_dead_letters_and_stop_nothing(stage: BatchStage) -> None:
    await stage.know("Anna")
    odd: list[bytes | None] = [
        None,
        b"",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b"1e999",
        b'{"title": "\\ud800"}',
        cast("bytes", requested(title="a\0b").value),
        b"\x00\x00\x00\x00\x01{}",
    ]
    async with member(stage, ONE) as reading:
        for number, value in enumerate(odd):
            reading.consumer.append(ONE, [value, *requests([number])])
        await reading.until_rows("tickets", len(odd))
        await reading.stop()
    assert await stage.count("dead_letters") == len(odd)
    kept: list[Any] = await stage.ask('SELECT value FROM dead_letters ORDER BY "offset"')
    assert [row[0] for row in kept] == odd
