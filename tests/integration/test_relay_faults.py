"""Crashes, outages and doubles of the relay: facts may be repeated, and nothing else happens."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from consumer import clock
from db import lease
from db.connect import open_pool
from db.lease import Lease
from devstack.ports import free_port
from devstack.stack import running
from tests.integration.relay_stage import (
    PATIENT,
    QUICK,
    Fact,
    Received,
    RelayStage,
    Wrapped,
    first_occurrences,
    staged,
    story,
)

pytestmark = pytest.mark.integration


class Killed(Exception):
    """The process ends here."""


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        yield ready


class WrappedPool:
    """A pool that has something done before each statement."""

    def __init__(self, pool: Wrapped, before: Callable[[str], None]) -> None:
        self._pool = pool
        self._before = before

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Wrapped]:
        async with self._pool.acquire() as connection:
            yield WrappedConnection(connection, self._before)


class WrappedConnection:
    def __init__(self, connection: Wrapped, before: Callable[[str], None]) -> None:
        self._connection = connection
        self._before = before

    def __getattr__(self, name: str) -> Wrapped:
        return getattr(self._connection, name)

    async def execute(self, statement: str, *arguments: object) -> Wrapped:
        self._before(statement)
        return await self._connection.execute(statement, *arguments)


class WrappedProducer:
    """A producer that has something done before each batch is queued."""

    def __init__(self, producer: Wrapped, before: Callable[[], Wrapped]) -> None:
        self._producer = producer
        self._before = before

    def __getattr__(self, name: str) -> Wrapped:
        return getattr(self._producer, name)

    async def send_batch(self, *arguments: object, partition: int) -> Wrapped:
        await self._before()
        return await self._producer.send_batch(*arguments, partition=partition)


def assert_in_order(records: list[Received], *, subjects: int, length: int) -> None:
    first = first_occurrences(records)
    assert len(first) == subjects
    assert all(sequences == list(range(1, length + 1)) for sequences in first.values())
    assert len({record.header("ce_id") for record in records}) == subjects * length


async def test_a_crash_between_publishing_and_deleting_repeats_facts_in_order(
    stage: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.ledger.MOST_FACTS", 10)
    monkeypatch.setattr("consumer.rounds.WRITE_OFF_SECONDS", 0)
    await stage.create_topic("ticket.created", partitions=3)
    for facts in story(subjects=10, length=12):
        await stage.write(*facts)

    def die(statement: str) -> None:
        if statement.startswith("DELETE"):
            raise Killed

    with pytest.RaisesGroup(pytest.RaisesGroup(Killed)):
        async with stage.relaying(pool=WrappedPool(stage.pool, die)):
            await stage.arrived("ticket.created", 10)
            await asyncio.Event().wait()
    published = len(await stage.everything("ticket.created"))
    assert 10 <= published <= 120  # what landed while the first round was to be written off
    assert len(await stage.waiting()) == 12
    async with stage.relaying(holder="second"):
        await stage.arrived("ticket.created", published + 120)
    records = await stage.everything("ticket.created")
    assert len(records) == published + 120
    assert_in_order(records, subjects=10, length=12)
    assert len({(record.header("ce_id"), record.value) for record in records}) == 120
    assert await stage.waiting() == []


async def test_who_was_overtaken_deletes_nothing_and_sends_nothing_more(
    stage: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.ledger.MOST_FACTS", 1)
    monkeypatch.setattr("consumer.rounds.WRITE_OFF_SECONDS", 0)
    await stage.create_topic("ticket.created")
    numbers = [await stage.write(Fact()) for _ in range(50)]
    stopped_at, goes_on = asyncio.Event(), asyncio.Event()

    async def stand_still() -> None:
        stopped_at.set()
        await goes_on.wait()

    def producer() -> WrappedProducer:
        return WrappedProducer(stage.producer(), stand_still)

    blind = replace(QUICK, lease=replace(QUICK.lease, lease=3_600.0, renew=3_600.0, patience=1e9))
    async with stage.relaying(producer=producer, times=blind) as relay:
        await stopped_at.wait()
        await overtake(stage)
        goes_on.set()
        await stage.arrived("ticket.created", 1)
        relay.stop()
    # The round that stood still, and those that left before it was to be written off.
    assert len(await stage.everything("ticket.created")) < len(numbers)
    assert await stage.waiting() == numbers
    assert await stage.fetch("SELECT holder, fence FROM leases") == [("other", 2)]


async def overtake(stage: RelayStage) -> Lease:
    async with stage.pool.acquire() as connection:
        await connection.execute("UPDATE leases SET expires_at = now()")
        taken = await lease.acquire(connection, "relay", "other", seconds=3_600)
    assert taken is not None
    return taken


async def test_who_stood_still_sends_nothing_until_the_lease_is_its_own_again(
    stage: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.ledger.MOST_FACTS", 1)
    await stage.create_topic("ticket.created", partitions=1)
    for facts in story(subjects=1, length=6):
        await stage.write(*facts)
    passed = 0.0
    fences: list[int] = []

    async def stand_still() -> None:
        nonlocal passed
        [(fence,)] = await stage.fetch("SELECT fence FROM leases")
        fences.append(fence)
        if len(fences) == 2:
            passed += 60.0

    def producer() -> WrappedProducer:
        return WrappedProducer(stage.producer(), stand_still)

    slow_to_renew = replace(QUICK, lease=replace(QUICK.lease, renew=1.0))
    relay = stage.relay(
        producer=producer, times=slow_to_renew, seconds=lambda: clock.seconds() + passed
    )
    async with stage.at_work(relay):
        await stage.arrived("ticket.created", 6)
    assert_in_order(await stage.everything("ticket.created"), subjects=1, length=6)
    assert fences[:2] == [1, 1]
    assert set(fences[2:]) == {2}
    assert await stage.waiting() == []


async def test_who_gets_nothing_done_makes_room(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    await stage.write(Fact())

    def producer() -> WrappedProducer:
        return WrappedProducer(stage.producer(), asyncio.Event().wait)

    impatient = replace(QUICK, send=600.0, lease=replace(QUICK.lease, patience=0.5))
    async with (
        stage.relaying(producer=producer, times=impatient, holder="stuck") as stuck,
        stage.relaying(holder="able"),
    ):
        await stage.arrived("ticket.created", 1)
        stuck.stop()
    assert await stage.waiting() == []


async def test_a_broker_that_stops_and_starts_costs_nothing_but_time(
    database_url: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(postgres=False, separate=True) as own:
        kafka = own.kafka
        async with staged(database_url, kafka.bootstrap_servers, topic_prefix) as stage:
            await stage.create_topic("ticket.created", partitions=3)
            writes = story(subjects=20, length=30)
            async with stage.relaying():
                for facts in writes[:10]:
                    await stage.write(*facts)
                await stage.arrived("ticket.created", 20)
                await asyncio.to_thread(kafka.stop)
                for facts in writes[10:20]:
                    await stage.write(*facts)
                await asyncio.to_thread(kafka.start)
                await stage.arrived("ticket.created", 400)
                await asyncio.to_thread(kafka.stop, kill=True)
                for facts in writes[20:]:
                    await stage.write(*facts)
                await asyncio.to_thread(kafka.start)
                await stage.arrived("ticket.created", 600)
            assert_in_order(await stage.everything("ticket.created"), subjects=20, length=30)
            assert await stage.held() == []
            assert await stage.waiting() == []
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_a_broker_that_is_not_there_yet_is_waited_for(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    await stage.write(Fact())
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    tried: list[str] = []

    def producer() -> AIOKafkaProducer:
        tried.append(address := addresses[len(tried)] if len(tried) < 3 else stage.kafka)
        return AIOKafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True)

    async with stage.relaying(producer=producer):
        await stage.arrived("ticket.created", 1)
    assert tried == [*addresses, stage.kafka]


async def test_a_missing_permission_is_waited_for(stage: RelayStage) -> None:
    """People grant it; no fact is to blame."""
    await stage.create_topic("ticket.created")
    facts = [Fact() for _ in range(20)]
    await stage.write(*facts)
    denials = 0

    async def deny_at_first() -> None:
        nonlocal denials
        if denials < 3:
            denials += 1
            raise TopicAuthorizationFailedError(stage.prefix + "ticket.created")

    async with stage.relaying(producer=lambda: WrappedProducer(stage.producer(), deny_at_first)):
        await stage.arrived("ticket.created", 20)
    assert denials == 3
    assert await stage.held() == []
    assert len(await stage.everything("ticket.created")) == 20


async def test_a_database_that_drops_connections_costs_nothing_but_time(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created", partitions=3)
    pool = await open_pool(stage.database_url, size=4, application_name="relay")
    async with pool, stage.relaying(pool=pool):
        for number, facts in enumerate(story(subjects=20, length=30), start=1):
            await stage.write(*facts)
            if number % 7 == 0:
                await stage.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'relay'"
                )
        await stage.arrived("ticket.created", 600)
    assert_in_order(await stage.everything("ticket.created"), subjects=20, length=30)
    assert await stage.waiting() == []


async def test_a_listener_that_lost_its_connection_listens_again(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    await stage.write(Fact())
    async with stage.relaying(times=PATIENT, listens=True):
        await stage.arrived("ticket.created", 1)
        listeners = "FROM pg_stat_activity WHERE query = 'LISTEN \"ticketing_outbox\"'"
        assert await stage.fetch(f"SELECT pg_terminate_backend(pid) {listeners}") == [(True,)]
        await stage.write(Fact(), notify=True)  # heard, or found when it listens anew
        await stage.arrived("ticket.created", 2)


async def test_a_cancelled_relay_gives_the_lease_back(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    await stage.write(Fact())
    running_relay = asyncio.create_task(stage.relay().run())
    await stage.arrived("ticket.created", 1)
    running_relay.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_relay
    assert await stage.fetch("SELECT expires_at <= now() FROM leases") == [(True,)]
