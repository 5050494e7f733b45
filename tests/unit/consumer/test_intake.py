"""The intake on a Kafka that fails, rebalances and lags: nothing is skipped or comes early."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer import intake as intakes
from consumer import offsets as committing
from consumer import party_progress
from consumer.batch import Batches
from consumer.dependencies import Dependencies
from consumer.intake import Intake
from consumer.lost_positions import LostPositions
from consumer.metrics import Metrics
from consumer.party_progress import PartyProgress
from consumer.pauses import Pauses
from consumer.portions import FETCH_RECORDS
from consumer.settings import Settings
from consumer.subscription import Subscription
from handlers.batch import Entry
from handlers.record import Record
from tests.records import MOST_BYTES
from tests.unit.consumer.fake_consumer import FakeConsumer, FakePool, Happenings

REQUESTS = [TopicPartition("ticket.requested", number) for number in range(3)]
ONE, TWO, THREE = REQUESTS
CUSTOMERS = TopicPartition("customer.changed", 0)
PARTNERS = TopicPartition("partner.changed", 0)
BATCH = 10


@dataclass
class FakeBatches:
    """A database that notes what it is given. gate: while it is closed, no batch ends."""

    happened: Happenings
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[Sequence[Entry]] = field(default_factory=list)
    settled: list[Record] = field(default_factory=list)
    error: Exception | None = None

    async def settle(self, entries: Sequence[Entry]) -> None:
        self.begun.append(entries)
        self.happened.note()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.settled += [entry.record for entry in entries if entry.record is not None]
        self.happened.note()

    def offsets(self, partition: TopicPartition) -> list[int]:
        return [
            record.offset
            for record in self.settled
            if (record.topic, record.partition) == partition
        ]


@dataclass
class FakeLostPositions:
    reported: list[tuple[TopicPartition, int, int]] = field(default_factory=list)

    async def report(self, partition: TopicPartition, lost: int, resumed: int) -> None:
        self.reported.append((partition, lost, resumed))


@dataclass
class Stage:
    """An intake at work, and its surroundings."""

    consumer: FakeConsumer
    batches: FakeBatches
    dependencies: Dependencies
    progress: PartyProgress
    intake: Intake
    lost: FakeLostPositions
    pool: FakePool
    pauses: Pauses
    running: asyncio.Task[None]

    async def until(self, is_true: Any) -> None:  # noqa: ANN401  a question without arguments
        await self.consumer.happened.until(lambda: self.running.done() or is_true())
        if self.running.done():
            self.running.result()

    async def until_settled(self, partition: TopicPartition, count: int) -> None:
        await self.until(lambda: len(set(self.batches.offsets(partition))) >= count)

    async def pause(self, topic: str) -> None:
        self.pool.pause(topic)
        await self.pauses.look()

    async def resume(self, topic: str) -> None:
        self.pool.pauses.pop(topic, None)
        await self.pauses.look()

    async def stop(self) -> None:
        self.intake.stop()
        async with asyncio.timeout(20):
            await self.running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes half a second or five is no part of these tests."""
    monkeypatch.setattr(intakes, "FETCH_SECONDS", 0.01)
    monkeypatch.setattr(intakes, "CATCHING_UP_SECONDS", 0.01)
    monkeypatch.setattr(intakes, "STARVED_SECONDS", 0.02)
    monkeypatch.setattr(committing, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(party_progress, "CATCHING_UP_SECONDS", 0.002)
    monkeypatch.setattr(party_progress, "REFRESH_SECONDS", 0.02)


@asynccontextmanager
async def started(
    *,
    assigned: Sequence[TopicPartition] = REQUESTS,
    paused: Sequence[str] = (),
    **options: str,
) -> AsyncIterator[Stage]:
    happened = Happenings()
    metrics = Metrics()
    dependencies = Dependencies(metrics, sleep=lambda _: asyncio.sleep(0))
    dependencies.up("database")
    dependencies.up("kafka")
    consumer = FakeConsumer(happened)
    subscription = Subscription(Settings(_env_file=None, **cast("dict[str, Any]", options)))
    pool = FakePool()
    pauses = Pauses(pool, subscription, dependencies, metrics, holder="host:7")
    progress = PartyProgress(consumer, subscription, pool, dependencies, is_paused=pauses.is_paused)
    batches, lost = FakeBatches(happened), FakeLostPositions()
    batches.gate.set()
    intake = Intake(
        consumer=consumer,
        subscription=subscription,
        batches=cast("Batches", batches),
        party_progress=progress,
        lost_positions=cast("LostPositions", lost),
        pauses=pauses,
        dependencies=dependencies,
        metrics=metrics,
        batch_records=BATCH,
        batches_in_flight=2,
        max_record_bytes=MOST_BYTES,
    )
    for partition in assigned:
        consumer.append(partition, [])
    for topic in paused:
        pool.pause(topic)
    await pauses.look()
    running = asyncio.create_task(intake.run())
    stage = Stage(consumer, batches, dependencies, progress, intake, lost, pool, pauses, running)
    await happened.until(lambda: consumer.listener is not None)
    await consumer.assign(*assigned)
    try:
        yield stage
    finally:
        if not running.done():
            running.cancel()
            await asyncio.wait({running})


def values(count: int) -> list[bytes]:
    return [b"not json %d" % number for number in range(count)]


async def test_everything_is_settled_in_order_and_committed_before_leaving() -> None:
    async with started() as stage:
        for partition in REQUESTS:
            stage.consumer.append(partition, values(35))
        for partition in REQUESTS:
            await stage.until_settled(partition, 35)
        await stage.stop()
        for partition in REQUESTS:
            assert stage.batches.offsets(partition) == list(range(35))
        assert stage.consumer.offsets == dict.fromkeys(REQUESTS, 35)
        assert stage.consumer.is_stopped


async def test_what_is_in_flight_is_finished_before_leaving_and_the_rest_is_dropped() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(25))
        await stage.until(lambda: stage.batches.begun)
        stage.intake.stop()
        stage.batches.gate.set()
        await stage.running
        count = len(stage.batches.settled)
        assert 0 < count < 25
        assert stage.consumer.offsets == {ONE: count}


async def test_a_group_without_a_position_begins_at_the_beginning() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.consumer.append(ONE, values(8))
        stage.consumer.logs[ONE].beginning = 3
        stage.consumer.logs[ONE].records = stage.consumer.logs[ONE].records[3:]
        await stage.consumer.rebalance(ONE)
        await stage.until_settled(ONE, 5)
        assert stage.batches.offsets(ONE)[-5:] == [3, 4, 5, 6, 7]
        assert stage.lost.reported == []


@pytest.mark.parametrize("lost", [2, 99])
async def test_a_lost_position_is_reported_and_read_from_the_beginning(lost: int) -> None:
    async with started(assigned=[ONE]) as stage:
        await stage.consumer.revoke()
        stage.consumer.append(ONE, values(8))
        log = stage.consumer.logs[ONE]
        log.beginning, log.records = 4, log.records[4:]
        stage.consumer.offsets[ONE] = lost
        await stage.consumer.assign(ONE)
        await stage.until_settled(ONE, 4)
        assert stage.batches.offsets(ONE) == [4, 5, 6, 7]
        assert stage.lost.reported == [(ONE, lost, 4)]


async def test_asking_for_the_beginning_may_fail_too() -> None:
    async with started(assigned=[ONE]) as stage:
        await stage.consumer.revoke()
        stage.consumer.append(ONE, values(4))
        stage.consumer.offsets[ONE] = 99
        stage.consumer.fail_call("beginning_offsets", KafkaConnectionError(), TimeoutError())
        await stage.consumer.assign(ONE)
        await stage.until_settled(ONE, 4)
        assert stage.lost.reported == [(ONE, 99, 0)]
        stage.consumer.fail_call("seek_to_beginning", KafkaConnectionError())
        stage.consumer.append(TWO, values(4))
        await stage.consumer.rebalance(ONE, TWO)
        await stage.until_settled(TWO, 4)


@pytest.mark.parametrize("committed", [None, 0, 3])
async def test_a_failed_fetch_is_read_again_where_nothing_was_queued_yet(
    committed: int | None,
) -> None:
    """The client's seek_to_committed leaves a partition where it is when that is 0 or nothing."""
    async with started(assigned=[ONE]) as stage:
        await stage.consumer.revoke()
        stage.consumer.append(ONE, values(8))
        stage.consumer.offsets.pop(ONE, None)
        if committed is not None:
            stage.consumer.offsets[ONE] = committed
        stage.consumer.fail(CorruptRecordException())
        await stage.consumer.assign(ONE)
        begin = committed or 0
        await stage.until_settled(ONE, 8 - begin)
        assert stage.batches.offsets(ONE) == list(range(begin, 8))


async def test_a_failed_fetch_is_read_again_after_what_is_queued() -> None:
    async with started() as stage:
        for partition in REQUESTS:
            stage.consumer.append(partition, values(5))
            await stage.until_settled(partition, 5)
        for partition in REQUESTS:
            stage.consumer.append(partition, values(5))
        stage.consumer.fail(CorruptRecordException())
        for partition in REQUESTS:
            await stage.until_settled(partition, 10)
            assert stage.batches.offsets(partition) == list(range(10))


async def test_reading_goes_on_only_where_it_is_known_to_be_right() -> None:
    """If asking for the committed offset fails too, nothing is fetched until it was answered."""
    async with started(assigned=[ONE]) as stage:
        await stage.consumer.revoke()
        stage.consumer.offsets[ONE] = 2
        stage.consumer.append(ONE, values(8))
        stage.consumer.fail(CorruptRecordException())
        stage.consumer.fail_call("committed", *(KafkaConnectionError() for _ in range(5)))
        await stage.consumer.assign(ONE)
        await stage.until_settled(ONE, 6)
        assert stage.batches.offsets(ONE) == [2, 3, 4, 5, 6, 7]
        assert not stage.consumer.errors_of["committed"]


async def test_a_failed_fetch_is_said_of_kafka() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.consumer.append(ONE, values(1))
        stage.consumer.fail(KafkaConnectionError())
        await stage.until(lambda: not stage.dependencies.is_up("kafka"))
        await stage.until_settled(ONE, 1)


async def test_customers_are_read_before_requests_however_many_there_are() -> None:
    """Held requests must not take the room that the customers need to come in."""
    everything = [*REQUESTS, CUSTOMERS, PARTNERS]
    async with started(assigned=everything) as stage:
        await stage.consumer.revoke()
        for partition in everything:
            stage.consumer.append(partition, values(150))
        await stage.consumer.assign(*everything)
        await stage.until_settled(ONE, 150)
        topics = [record.topic for record in stage.batches.settled]
        first = topics.index(ONE.topic)
        assert topics[:first].count(CUSTOMERS.topic) == 150
        assert topics[:first].count(PARTNERS.topic) == 150


async def test_a_flood_delays_who_has_little_by_three_batches_at_most() -> None:
    """The client hands over all that it has of the first partition before the next one's."""
    async with started() as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(300))
        await stage.until(lambda: stage.batches.begun)
        stage.consumer.append(THREE, values(1))
        begun = len(stage.batches.begun)
        stage.batches.gate.set()
        await stage.until_settled(THREE, 1)
        row = [
            {entry.record.partition for entry in entries if entry.record is not None}
            for entries in stage.batches.begun
        ]
    assert any(THREE.partition in partitions for partitions in row[begun : begun + 3]), row


async def test_requests_wait_for_the_batch_that_holds_the_last_customer() -> None:
    async with started(assigned=[CUSTOMERS, ONE]) as stage:
        stage.batches.gate.clear()
        await stage.consumer.revoke()
        stage.consumer.append(CUSTOMERS, values(3))
        stage.consumer.append(ONE, values(3))
        await stage.consumer.assign(CUSTOMERS, ONE)
        await stage.until(lambda: stage.batches.begun)
        fetches = stage.consumer.fetches
        await stage.until(lambda: stage.consumer.fetches > fetches + 3)
        assert len(stage.batches.begun) == 1
        assert not stage.progress.is_caught_up
        assert stage.progress.records_left == 3
        stage.batches.gate.set()
        await stage.until_settled(ONE, 3)


async def test_a_record_in_hand_has_no_outcome_yet() -> None:
    """The client's position is ahead of what is decoded while portions are."""
    async with started(assigned=[CUSTOMERS, PARTNERS]) as stage:
        consumer, intake = stage.consumer, stage.intake
        await consumer.revoke()
        consumer.append(CUSTOMERS, values(FETCH_RECORDS + 1))
        consumer.append(PARTNERS, values(4))
        await consumer.assign(CUSTOMERS, PARTNERS)
        await stage.until_settled(PARTNERS, 4)
        fetched = {
            CUSTOMERS: consumer.logs[CUSTOMERS].records,
            PARTNERS: consumer.logs[PARTNERS].records,
        }
        stage.batches.gate.clear()
        queueing = asyncio.create_task(intake._queue(fetched))  # noqa: SLF001  the moment between
        await asyncio.sleep(0)
        assert not queueing.done()
        oldest = intake.lanes.oldest(PARTNERS)
        assert oldest is not None
        assert oldest.offset == 0
        assert await consumer.position(PARTNERS) == 4
        assert await intake.next_position(PARTNERS) == 0
        await queueing
        stage.batches.gate.set()
        await stage.until(lambda: intake.lanes.oldest(CUSTOMERS) is None)
        assert await intake.next_position(PARTNERS) == 4


async def test_a_position_that_a_failed_fetch_has_moved_is_no_outcome() -> None:
    async with started(assigned=[CUSTOMERS]) as stage:
        answered = asyncio.Event()
        real = stage.consumer.committed

        async def committed(partition: TopicPartition) -> int | None:
            await answered.wait()
            return await real(partition)

        stage.consumer.committed = committed  # type: ignore[method-assign]
        await stage.consumer.revoke()
        stage.consumer.append(CUSTOMERS, values(4))
        stage.consumer.offsets[CUSTOMERS] = 0
        stage.consumer.fail(CorruptRecordException())
        await stage.consumer.assign(CUSTOMERS)
        await stage.until(lambda: not stage.consumer.failures)
        await stage.until(lambda: not stage.intake._positions.are_known)  # noqa: SLF001
        assert await stage.consumer.position(CUSTOMERS) == 4
        with pytest.raises(TimeoutError):
            await stage.intake.next_position(CUSTOMERS)
        answered.set()
        await stage.until_settled(CUSTOMERS, 4)
        assert await stage.intake.next_position(CUSTOMERS) == 4


async def test_a_revocation_waits_for_a_database_that_answers() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(25))
        await stage.until(lambda: stage.batches.begun)
        revoking = asyncio.create_task(stage.consumer.revoke())
        fetches = stage.consumer.fetches
        await stage.until(lambda: stage.consumer.fetches > fetches + 2)
        assert not revoking.done()
        stage.batches.gate.set()
        await revoking
        count = len(stage.batches.settled)
        assert stage.consumer.offsets == {ONE: count}
        await stage.consumer.assign(ONE)
        await stage.until_settled(ONE, 25)
        assert stage.batches.offsets(ONE) == list(range(25))


async def test_a_revocation_drops_what_waits_for_a_database_that_is_away() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(25))
        await stage.until(lambda: stage.batches.begun)
        stage.dependencies.down("database", "it is away")
        await stage.consumer.revoke()
        assert stage.batches.settled == []
        assert stage.consumer.offsets == {}
        stage.batches.gate.set()
        stage.dependencies.up("database")
        await stage.consumer.assign(ONE)
        await stage.until_settled(ONE, 25)
        assert stage.batches.offsets(ONE) == list(range(25))


async def test_a_database_that_goes_away_during_a_revocation_ends_the_wait() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(5))
        await stage.until(lambda: stage.batches.begun)
        revoking = asyncio.create_task(stage.consumer.revoke())
        await asyncio.sleep(0)
        stage.dependencies.down("database", "it went away")
        await revoking
        assert stage.batches.settled == []


async def test_a_database_that_takes_too_long_does_not_cost_us_our_membership(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intakes, "DRAIN_SECONDS", 0.0)
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(5))
        await stage.until(lambda: stage.batches.begun)
        await stage.consumer.revoke()
        assert (stage.batches.settled, stage.consumer.offsets) == ([], {})


async def test_what_was_fetched_before_a_rebalance_is_dropped() -> None:
    """Queued behind records that were forgotten, its offset would pass over them."""
    async with started(assigned=[ONE]) as stage:
        many = FETCH_RECORDS * 3
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(many))
        await stage.until(lambda: stage.batches.begun)
        fetched = {ONE: stage.consumer.logs[ONE].records}
        queueing = asyncio.create_task(stage.intake._queue(fetched))  # noqa: SLF001
        await asyncio.sleep(0)
        stage.dependencies.down("database", "it is away")
        await stage.consumer.revoke()
        await queueing
        assert stage.intake.lanes.queued_to(ONE) is None
        stage.dependencies.up("database")
        stage.batches.gate.set()
        await stage.consumer.assign(ONE)
        await stage.until_settled(ONE, many)
        assert stage.batches.offsets(ONE) == list(range(many))


async def test_partitions_are_paused_while_there_is_no_room_and_resumed() -> None:
    async with started(assigned=[ONE, TWO]) as stage:
        stage.batches.gate.clear()
        for partition in (ONE, TWO):
            stage.consumer.append(partition, values(100))
        await stage.until(lambda: stage.consumer.paused == {ONE, TWO})
        assert stage.intake.lanes.buffered <= BATCH * 4
        stage.batches.gate.set()
        for partition in (ONE, TWO):
            await stage.until_settled(partition, 100)
        assert stage.consumer.paused == set()


async def test_pauses_that_a_rebalance_forgot_are_neither_missed_nor_kept() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(100))
        stage.consumer.append(TWO, values(100))
        await stage.until(lambda: stage.consumer.paused == {ONE})
        stage.dependencies.down("database", "it is away")
        await stage.consumer.rebalance(ONE, TWO)
        stage.dependencies.up("database")
        await stage.until(lambda: stage.consumer.paused == {ONE, TWO})
        stage.dependencies.down("database", "it is away")
        await stage.consumer.rebalance(TWO)
        stage.dependencies.up("database")
        stage.batches.gate.set()
        await stage.until_settled(TWO, 100)
        assert stage.consumer.paused == set()


async def test_records_of_a_paused_topic_wait_and_the_others_go_on() -> None:
    async with started(assigned=[ONE, CUSTOMERS], paused=[ONE.topic]) as stage:
        for partition in (ONE, CUSTOMERS):
            stage.consumer.append(partition, values(100))
        await stage.until_settled(CUSTOMERS, 100)
        assert stage.consumer.paused == {ONE}
        assert (stage.batches.offsets(ONE), stage.intake.lanes.buffered) == ([], 0)
        await stage.resume(ONE.topic)
        await stage.until_settled(ONE, 100)
        assert stage.batches.offsets(ONE) == list(range(100))


async def test_what_was_queued_of_a_paused_topic_is_read_again_and_takes_no_room() -> None:
    async with started(assigned=[ONE, TWO]) as stage:
        stage.batches.gate.clear()
        for partition in (ONE, TWO):
            stage.consumer.append(partition, values(100))
        await stage.until(lambda: stage.consumer.paused == {ONE, TWO})
        await stage.pause(ONE.topic)
        assert stage.intake.lanes.buffered == 0
        stage.batches.gate.set()
        await stage.until(lambda: stage.consumer.offsets)
        await stage.resume(ONE.topic)
        for partition in (ONE, TWO):
            await stage.until_settled(partition, 100)
            assert stage.batches.offsets(partition) == list(range(100))
        assert stage.consumer.paused == set()


async def test_a_batch_in_work_is_finished_and_committed_while_its_topic_is_paused() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(25))
        await stage.until(lambda: stage.batches.begun)
        begun = len(stage.batches.begun[0])
        await stage.pause(ONE.topic)
        stage.batches.gate.set()
        await stage.until(lambda: stage.consumer.offsets)
        assert stage.consumer.offsets == {ONE: begun}
        assert await stage.intake.next_position(ONE) == begun
        await stage.resume(ONE.topic)
        await stage.until_settled(ONE, 25)
        assert stage.batches.offsets(ONE) == list(range(25))


async def test_room_does_not_resume_what_people_paused() -> None:
    async with started(assigned=[ONE, CUSTOMERS]) as stage:
        stage.batches.gate.clear()
        for partition in (ONE, CUSTOMERS):
            stage.consumer.append(partition, values(100))
        await stage.until(lambda: stage.consumer.paused == {ONE, CUSTOMERS})
        await stage.pause(ONE.topic)
        stage.batches.gate.set()
        await stage.until_settled(CUSTOMERS, 100)
        await stage.until(lambda: stage.consumer.paused == {ONE})
        done = len(stage.batches.offsets(ONE))
        await stage.resume(ONE.topic)
        await stage.until_settled(ONE, 100)
        assert done < 100


async def test_a_pause_outlives_a_rebalance_and_holds_for_new_partitions() -> None:
    async with started(assigned=[ONE], paused=[ONE.topic]) as stage:
        stage.consumer.append(ONE, values(10))
        stage.consumer.append(TWO, values(10))
        await stage.consumer.rebalance(ONE, TWO)
        assert stage.consumer.paused == {ONE, TWO}
        await stage.resume(ONE.topic)
        await stage.until_settled(ONE, 10)
        await stage.until_settled(TWO, 10)


async def test_requests_go_on_while_the_topic_of_their_customers_is_paused() -> None:
    async with started(assigned=[CUSTOMERS, PARTNERS, ONE], paused=[CUSTOMERS.topic]) as stage:

        def is_caught_up() -> bool:
            return stage.progress.is_caught_up

        await stage.consumer.revoke()
        for partition in (CUSTOMERS, PARTNERS, ONE):
            stage.consumer.append(partition, values(10))
        await stage.consumer.assign(CUSTOMERS, PARTNERS, ONE)
        await stage.until_settled(ONE, 10)
        topics = [record.topic for record in stage.batches.settled]
        assert topics.index(PARTNERS.topic) < topics.index(ONE.topic)
        assert stage.batches.offsets(CUSTOMERS) == []
        assert is_caught_up()
        assert stage.progress.ends[CUSTOMERS.topic] == {"0": 10}
        await stage.resume(CUSTOMERS.topic)
        assert not is_caught_up()
        await stage.until_settled(CUSTOMERS, 10)
        await stage.until(is_caught_up)


async def test_no_batch_begins_before_it_is_known_what_is_paused() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.pauses.are_known = False
        stage.consumer.append(ONE, values(10))
        await stage.until(lambda: stage.intake.lanes.buffered == 10)
        stage.intake.look_again()
        fetches = stage.consumer.fetches
        await stage.until(lambda: stage.consumer.fetches > fetches + 2)
        assert stage.batches.begun == []
        await stage.pauses.look()
        await stage.until_settled(ONE, 10)


async def test_records_in_hand_of_a_topic_that_is_paused_are_not_queued() -> None:
    async with started(assigned=[ONE]) as stage:
        many = FETCH_RECORDS * 3
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(many))
        await stage.until(lambda: stage.batches.begun)
        begun = len(stage.batches.begun[0])
        await stage.pause(ONE.topic)
        rest = stage.consumer.logs[ONE].records[begun:]
        queueing = asyncio.create_task(stage.intake._queue({ONE: rest}))  # noqa: SLF001
        await asyncio.sleep(0)
        assert stage.intake.lanes.buffered
        stage.pauses.whenever_changed(lambda: None)
        stage.intake._flow.obey()  # noqa: SLF001
        await queueing
        assert (stage.intake.lanes.buffered, stage.consumer.positions[ONE]) == (0, begun)
        stage.intake._update_room()  # noqa: SLF001
        await stage.resume(ONE.topic)
        stage.intake._flow.obey()  # noqa: SLF001
        stage.batches.gate.set()
        await stage.until_settled(ONE, many)
        assert stage.batches.offsets(ONE) == list(range(many))


async def test_the_lag_of_a_paused_topic_goes_on_being_told() -> None:
    async with started(assigned=[ONE, TWO]) as stage:
        read = stage.intake._metrics.registry.get_sample_value  # noqa: SLF001
        one, two = ({"topic": each.topic, "partition": str(each.partition)} for each in (ONE, TWO))
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(30))
        await stage.until(lambda: stage.batches.begun)
        begun = len(stage.batches.begun[0])
        await stage.pause(ONE.topic)
        stage.batches.gate.set()
        await stage.until(lambda: stage.consumer.offsets)
        stage.consumer.append(ONE, values(5))
        stage.consumer.append(TWO, values(7))
        stage.intake.lag.note({ONE: begun, TWO: 0}, {ONE: 35, TWO: 7})
        stage.intake.measure()
        assert read("ticketing_lag_records", one) == 35 - begun
        assert (read("ticketing_lag_seconds", one) or 0) > 0
        assert read("ticketing_lag_records", two) == 7
        assert read("ticketing_lag_seconds", two) is None
        await stage.resume(ONE.topic)
        await stage.until_settled(ONE, 35)
        await stage.until_settled(TWO, 7)


async def test_what_no_batch_expects_stops_the_process() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.error = AssertionError("a bug")
        stage.consumer.append(ONE, values(1))
        with pytest.raises(ExceptionGroup) as raised:
            await stage.until(lambda: False)
        assert raised.group_contains(AssertionError, match="a bug")
        assert stage.consumer.is_stopped
        assert stage.consumer.offsets == {}


async def test_told_to_stop_while_kafka_is_away_it_stops() -> None:
    consumer = FakeConsumer()
    joining = asyncio.Event()

    async def start() -> None:
        joining.set()
        await asyncio.Event().wait()

    consumer.start = start  # type: ignore[method-assign]
    async with started() as stage:
        stage.intake._consumer = consumer  # noqa: SLF001
        running = asyncio.create_task(stage.intake.run())
        await joining.wait()
        stage.intake.stop()
        await running
        assert consumer.is_stopped


async def test_the_lag_is_measured_from_the_oldest_record_without_an_outcome() -> None:
    async with started(assigned=[ONE]) as stage:
        stage.batches.gate.clear()
        stage.consumer.append(ONE, values(5))
        await stage.until(lambda: stage.batches.begun)
        stage.intake.measure()
        read = stage.intake._metrics.registry.get_sample_value  # noqa: SLF001
        labels = {"topic": ONE.topic, "partition": "0"}
        assert read("ticketing_lag_records", labels) == 5
        assert (read("ticketing_lag_seconds", labels) or 0) > 0
        stage.batches.gate.set()
        await stage.until(lambda: stage.intake.lanes.oldest(ONE) is None)
        stage.intake.measure()
        assert read("ticketing_lag_records", labels) == 0
        await stage.consumer.revoke()
        assert read("ticketing_lag_records", labels) is None


EVERYTHING = [CUSTOMERS, *REQUESTS]


async def append(stage: Stage, partition: TopicPartition, count: int) -> None:
    stage.consumer.append(partition, values(count))


async def fail(stage: Stage, call: str, _: int) -> None:
    if call == "fetch":
        stage.consumer.fail(CorruptRecordException())
    else:
        stage.consumer.fail_call(call, KafkaConnectionError())


async def rebalance(stage: Stage, partitions: frozenset[TopicPartition], _: int) -> None:
    if not stage.batches.gate.is_set():  # or it would wait for ever, as it should
        stage.dependencies.down("database", "it is away")
    await stage.consumer.rebalance(*partitions)


async def set_gate(stage: Stage, is_open: bool, _: int) -> None:  # noqa: FBT001
    (stage.batches.gate.set if is_open else stage.batches.gate.clear)()


async def set_database(stage: Stage, is_up: bool, _: int) -> None:  # noqa: FBT001
    if is_up:
        stage.dependencies.up("database")
    else:
        stage.dependencies.down("database", "it is away")


async def let_it_fetch(stage: Stage, count: int, _: int) -> None:
    before = stage.consumer.fetches
    await stage.until(lambda: stage.consumer.fetches >= before + count)


async def set_pause(stage: Stage, is_paused: bool, number: int) -> None:  # noqa: FBT001
    topic = EVERYTHING[number % len(EVERYTHING)].topic
    await (stage.pause(topic) if is_paused else stage.resume(topic))


STEPS = st.one_of(
    st.tuples(st.just(set_pause), st.booleans(), st.integers(0, 1)),
    st.tuples(st.just(append), st.sampled_from(EVERYTHING), st.integers(1, 25)),
    st.tuples(st.just(fail), st.sampled_from(["committed", "commit", "fetch"]), st.just(0)),
    st.tuples(st.just(rebalance), st.frozensets(st.sampled_from(EVERYTHING)), st.just(0)),
    st.tuples(st.just(set_gate), st.booleans(), st.just(0)),
    st.tuples(st.just(set_database), st.booleans(), st.just(0)),
    st.tuples(st.just(let_it_fetch), st.integers(1, 3), st.just(0)),
)
Step = tuple[Callable[[Stage, Any, int], Awaitable[None]], Any, int]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, max_size=20))
async def test_whatever_happens_every_record_is_settled_in_its_order(
    steps: list[Step],
) -> None:
    async with started(assigned=EVERYTHING) as stage:
        consumer, batches = stage.consumer, stage.batches
        for act, what, count in steps:
            await act(stage, what, count)
            for partition in EVERYTHING:  # never past what has its outcome
                done = set(batches.offsets(partition))
                assert done >= set(range(consumer.offsets.get(partition, 0)))
        batches.gate.set()
        stage.dependencies.up("database")
        consumer.errors_of.clear()
        stage.pool.pauses.clear()
        await stage.pauses.look()
        await consumer.rebalance(*EVERYTHING)
        before = len(batches.settled)
        for partition in EVERYTHING:
            end = consumer.logs[partition].end
            await stage.until_settled(partition, end)
            # Settled before a commit that failed, it is read again: only then it can be committed.
            await stage.until(
                lambda at=partition, end=end: (
                    consumer.offsets.get(at, 0) == end
                    or any(
                        (each.topic, each.partition) == at and each.offset == end - 1
                        for each in batches.settled[before:]
                    )
                )
            )
        await stage.stop()
        seen: dict[TopicPartition, list[int]] = defaultdict(list)
        for partition in EVERYTHING:
            for offset in batches.offsets(partition):
                if offset not in seen[partition]:
                    seen[partition].append(offset)
            assert seen[partition] == list(range(consumer.logs[partition].end))
            assert consumer.offsets.get(partition, 0) == consumer.logs[partition].end
