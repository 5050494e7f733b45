"""The relay on a real broker and database: what subscribers see, and what it costs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4, uuid5
from zlib import crc32

import pytest

from consumer.relay import Relay
from db import outbox
from tests.integration.counting_pool import CountingPool
from tests.integration.relay_stage import (
    PATIENT,
    QUICK,
    Fact,
    RelayStage,
    first_occurrences,
    staged,
    story,
)

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        yield ready


async def test_a_fact_arrives_as_the_contract_says(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    fact = Fact(
        causation_id="request-1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    await stage.write(fact)
    async with stage.relaying():
        [record] = await stage.arrived("ticket.created", 1)
    assert record.key == fact.subject_id.encode()
    assert record.value == fact.data.encode()
    assert dict(record.headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": str(uuid5(UUID(fact.subject_id), "1")).encode(),
        "ce_source": b"/isp-ticketing/acme",
        "ce_type": b"ticket.created",
        "ce_subject": b"TCK-0123456789AB",
        "ce_time": b"2026-03-01T12:00:00.123456+00:00",
        "ce_dataschema": b"urn:isp-ticketing:ticket.created:1",
        "ce_tenantid": b"acme",
        "ce_sequence": b"1",
        "ce_sequencetype": b"Integer",
        "ce_causationid": b"request-1",
        "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    assert await stage.waiting() == []


async def test_a_rejection_has_its_own_id_and_the_tickets_key(stage: RelayStage) -> None:
    await stage.create_topic("ticket.rejected")
    would_be = str(uuid4())
    rejection = Fact(sequence=0, ce_type="ticket.rejected", ticket_id=would_be, ticket_number=None)
    await stage.write(rejection)
    async with stage.relaying():
        [record] = await stage.arrived("ticket.rejected", 1)
    assert record.key == would_be.encode()
    assert record.header("ce_id") == rejection.subject_id
    assert record.header("ce_subject") is None
    assert record.header("ce_sequence") is None


async def test_the_partition_is_crc32_of_the_key(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created", partitions=3)
    await stage.write(*(Fact() for _ in range(50)))
    async with stage.relaying():
        records = await stage.arrived("ticket.created", 50)
    assert {record.partition for record in records} == {0, 1, 2}
    assert all(record.partition == crc32(record.key or b"") % 3 for record in records)


async def test_a_ticket_keeps_its_order_over_many_rounds(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created", partitions=4)
    writes = story(subjects=40, length=60)
    async with stage.relaying():
        for facts in writes:
            await stage.write(*facts)
        await stage.arrived("ticket.created", 2_400)
    records = await stage.everything("ticket.created")
    assert len(records) == 2_400
    assert all(sequences == list(range(1, 61)) for sequences in first_occurrences(records).values())
    assert await stage.waiting() == []


async def test_a_lower_number_that_is_committed_later_is_published_too(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    late, early = Fact(), Fact()
    async with stage.relaying(), stage.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        lower = await outbox.take_number(connection)
        assert await stage.write(early) > lower
        [first] = await stage.arrived("ticket.created", 1)
        await stage.write_facts(connection, lower, [late])
        await stage.announce(connection, lower, [late])
        await transaction.commit()
        records = await stage.arrived("ticket.created", 2)
    assert first.key == early.subject_id.encode()
    assert {record.key for record in records} == {
        early.subject_id.encode(),
        late.subject_id.encode(),
    }


async def test_another_process_wakes_it(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    await stage.write(Fact())
    async with stage.relaying(times=PATIENT, listens=True):
        await stage.arrived("ticket.created", 1)
        await stage.write(Fact(), notify=True)
        await stage.arrived("ticket.created", 2)


async def test_who_stops_lets_the_next_one_start_at_once(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    slow = replace(QUICK, lease=replace(QUICK.lease, lease=3_600.0))
    for number in range(1, 4):
        async with stage.relaying(times=slow, holder=f"relay-{number}"):
            await stage.write(Fact())
            await stage.arrived("ticket.created", number)
    [(holder, fence, is_free)] = await stage.fetch(
        "SELECT holder, fence, expires_at <= now() FROM leases"
    )
    assert (holder, fence, is_free) == ("relay-3", 3, True)


async def test_what_was_written_before_a_stop_is_published(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    await stage.write(Fact())
    async with stage.relaying(times=PATIENT) as relay:
        await stage.arrived("ticket.created", 1)
        await stage.write(Fact())
        relay.stop()
    assert len(await stage.everything("ticket.created")) == 2
    assert await stage.waiting() == []


async def test_a_round_takes_eight_statements_however_many_facts_it_has(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    for _ in range(20):
        await stage.write(*(Fact() for _ in range(1_000)))
    pool = CountingPool(stage.pool)
    async with stage.relaying(pool=pool, times=PATIENT) as relay:
        await stage.arrived("ticket.created", 20_000)
    rounds = rounds_of(relay)
    assert rounds == 4
    settled = pool.statements["DELETE"]
    assert settled <= rounds
    assert pool.statements["BEGIN;"] == pool.statements["COMMIT"]
    # Read it: BEGIN, rows, facts, COMMIT. Write it off: BEGIN, lease, DELETE, COMMIT. On top come
    # taking the lease, what waits (5), what is held, and looks that find nothing (3 each).
    assert pool.statements.total() - renewals(pool) <= 8 * rounds + 16


async def test_a_lone_write_takes_eight_statements(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    pool = CountingPool(stage.pool)
    async with stage.relaying(pool=pool, times=PATIENT, listens=True):
        for number in range(1, 21):
            await stage.write(Fact(), notify=True)
            await stage.arrived("ticket.created", number)
    assert pool.statements.total() - renewals(pool) <= 8 * 20 + 25


def rounds_of(relay: Relay) -> int:
    [metric] = relay._metrics.relay_rounds.collect()  # noqa: SLF001  its own count
    return int(metric.samples[0].value)


def renewals(pool: CountingPool) -> int:
    return pool.statements["UPDATE"]


async def test_many_relays_wait_while_one_works(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    async with asyncio.TaskGroup() as group:
        relays = [stage.relay(holder=f"relay-{number}") for number in range(3)]
        for relay in relays:
            group.create_task(relay.run())
        for facts in story(subjects=5, length=20):
            await stage.write(*facts)
        await stage.arrived("ticket.created", 100)
        for relay in relays:
            relay.stop()
    assert len(await stage.everything("ticket.created")) == 100
    assert [rounds_of(relay) > 0 for relay in relays].count(True) == 1
