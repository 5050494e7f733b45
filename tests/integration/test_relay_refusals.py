"""What the broker refuses, and what has no topic: held back, while all else flows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from consumer.tolerant_records import tolerate_every_header
from db.held_facts import BEHIND
from db.tables import NO_DEAD_LETTER_TOPIC
from tests.integration.relay_stage import (
    AT,
    QUICK,
    Fact,
    Letter,
    RelayStage,
    first_occurrences,
    staged,
    story,
)

pytestmark = pytest.mark.integration

SMALL = {"max.message.bytes": "2000"}
TOO_LONG = f'"{"x" * 3_000}"'


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        yield ready


async def test_a_refused_fact_is_held_with_what_follows_it(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created", partitions=1, config=SMALL)
    await stage.create_topic("ticket.updated", partitions=1)
    refused = Fact(sequence=2, data=TOO_LONG)
    before = replace(refused, sequence=1, data="{}")
    after = [replace(before, sequence=number) for number in (3, 4)]
    elsewhere = replace(before, sequence=5, ce_type="ticket.rated")
    others = [Fact() for _ in range(100)]
    await stage.write(before, *others[:50], refused, after[0], *others[50:])
    async with stage.relaying():
        await stage.arrived("ticket.created", 101)
        await stage.write(after[1], elsewhere)
        await stage.write(last := Fact())
        records = await stage.arrived("ticket.created", 102)
    keys = [record.key for record in records]
    assert keys.count(refused.subject_id.encode()) == 1
    assert keys[-1] == last.subject_id.encode()
    assert {fact.subject_id.encode() for fact in others} < set(keys)
    assert await stage.everything("ticket.updated") == []
    subject = refused.subject_id
    assert await stage.held() == [(subject, number, None) for number in (2, 3, 4, 5)]
    reasons = await stage.fetch("SELECT reason FROM held_facts ORDER BY sequence")
    assert "MessageSizeTooLarge" in reasons[0][0]
    assert reasons[1:] == [(BEHIND,)] * 3
    assert await stage.waiting() == []


async def test_a_refused_rejection_is_held_alone(stage: RelayStage) -> None:
    await stage.create_topic("ticket.rejected", config=SMALL)
    refused = Fact(sequence=0, ce_type="ticket.rejected", data=TOO_LONG)
    same_ticket = Fact(sequence=0, ce_type="ticket.rejected", ticket_id=refused.subject_id)
    await stage.write(refused, same_ticket)
    async with stage.relaying():
        [record] = await stage.arrived("ticket.rejected", 1)
    assert record.header("ce_id") == same_ticket.subject_id
    assert await stage.held() == [(refused.subject_id, 0, None)]


async def test_a_follower_in_the_next_round_is_held_too(
    stage: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.ledger.MOST_FACTS", 1)
    await stage.create_topic("ticket.created", partitions=1, config=SMALL)
    refused = Fact(data=TOO_LONG)
    for number in range(1, 6):
        await stage.write(replace(refused, sequence=number, data="{}" if number > 1 else TOO_LONG))
    await stage.write(Fact())
    async with stage.relaying():
        records = await stage.arrived("ticket.created", 1)
    assert records[0].key != refused.subject_id.encode()
    assert len(await stage.held()) == 5


async def test_several_refused_facts_are_all_found(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created", partitions=3, config=SMALL)
    refused = [Fact(data=TOO_LONG) for _ in range(7)]
    good = [Fact() for _ in range(300)]
    mixed = [fact for index, bad in enumerate(refused) for fact in (bad, *good[index * 40 :][:40])]
    await stage.write(*mixed, *good[280:])
    async with stage.relaying():
        records = await stage.arrived("ticket.created", 300)
    assert {record.key for record in records} == {fact.subject_id.encode() for fact in good}
    assert len(await stage.held()) == 7


async def test_a_topic_for_small_batches_gets_small_batches(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created", partitions=1, config=SMALL)
    for facts in story(subjects=30, length=10):
        await stage.write(*facts)
    async with stage.relaying():
        await stage.arrived("ticket.created", 300)
    records = await stage.everything("ticket.created")
    assert len(records) == 300
    assert await stage.held() == []


async def test_a_missing_topic_holds_only_its_own_facts(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    ticket = Fact()
    updates = [
        replace(ticket, sequence=number, ce_type="ticket.status_changed") for number in (2, 3, 5)
    ]
    created_again = replace(ticket, sequence=4)
    async with stage.relaying():
        await stage.write(ticket, *updates[:2])
        await stage.write(created_again)
        await stage.write(updates[2])
        created = await stage.arrived("ticket.created", 2)
        await stage.create_topic("ticket.updated")
        updated = await stage.arrived("ticket.updated", 3)
        await stage.write(replace(updates[0], sequence=6))
        await stage.arrived("ticket.updated", 4)
    assert [record.sequence for record in created] == [1, 4]
    assert [record.sequence for record in updated] == [2, 3, 5]
    assert await stage.held() == []
    assert await stage.waiting() == []


async def test_facts_held_for_a_topic_outlast_the_relay(
    stage: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.ledger.HELD_AT_ONCE", 7)
    await stage.create_topic("ticket.created")
    writes = story(subjects=5, length=10)
    updates = [[replace(fact, ce_type="ticket.assigned") for fact in facts] for facts in writes]
    for facts in updates:
        await stage.write(*facts)
    await stage.write(Fact())
    async with stage.relaying():
        await stage.arrived("ticket.created", 1)
    topic = f"{stage.prefix}ticket.updated"
    assert [missing for _, _, missing in await stage.held()] == [topic] * 50
    await stage.create_topic("ticket.updated")
    newer = [replace(fact, sequence=11) for fact in updates[0]]
    await stage.write(*newer)
    async with stage.relaying():
        records = await stage.arrived("ticket.updated", 55)
    assert all(sequences == list(range(1, 12)) for sequences in first_occurrences(records).values())
    assert await stage.held() == []


async def test_a_fact_refused_by_its_late_topic_waits_for_people(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    good, bad = Fact(ce_type="ticket.rated"), Fact(ce_type="ticket.rated", data=TOO_LONG)
    follower = replace(bad, sequence=2, data="{}")
    await stage.write(good, bad, follower, Fact())
    async with stage.relaying():
        await stage.arrived("ticket.created", 1)
        await stage.create_topic("ticket.updated", config=SMALL)
        [record] = await stage.arrived("ticket.updated", 1)
        await stage.write(replace(bad, sequence=3), replace(good, sequence=2))
        await stage.arrived("ticket.updated", 2)
    assert record.key == good.subject_id.encode()
    assert await stage.held() == [(bad.subject_id, number, None) for number in (1, 2, 3)]


async def test_a_dead_letter_is_passed_on_untouched(stage: RelayStage) -> None:
    await stage.create_topic("ticket.requested.dlq")
    await stage.write(letters=[Letter(offset=5), Letter(offset=6, key=None, value=None)])
    async with stage.relaying():
        records = await stage.arrived("ticket.requested.dlq", 2)
    first, second = sorted(records, key=lambda record: record.header("dlq-offset") or "")
    assert (first.key, first.value) == (b"key", b"not json")
    assert (second.key, second.value) == (None, None)
    assert first.headers == [
        ("x", b"\xff\x00"),
        ("x", None),
        ("dlq-topic", f"{stage.prefix}ticket.requested".encode()),
        ("dlq-partition", b"0"),
        ("dlq-offset", b"5"),
        ("dlq-timestamp", b"1700000000000"),
        ("dlq-group", b"isp-ticketing"),
        ("dlq-error-class", b"invalid_json"),
        ("dlq-error-message", b"It is no JSON."),
        ("dlq-error-path", b""),
        ("dlq-attempts", b"1"),
        ("dlq-failed-at", AT.isoformat().encode()),
    ]
    assert await stage.fetch("SELECT DISTINCT publish_error FROM dead_letters") == [(None,)]
    assert await stage.waiting() == []


async def test_a_dead_letter_that_the_broker_refuses_stays_in_its_row(stage: RelayStage) -> None:
    await stage.create_topic("ticket.requested.dlq", partitions=1)
    await stage.create_topic("ticket.created")
    large = Letter(offset=1, value=b"x" * 5_000_000)
    await stage.write(Fact(), letters=[Letter(offset=0), large, Letter(offset=2)])
    await stage.write(Fact())
    async with stage.relaying():
        letters = await stage.arrived("ticket.requested.dlq", 2)
        await stage.arrived("ticket.created", 2)
    assert [letter.header("dlq-offset") for letter in letters] == ["0", "2"]
    [(offset, reason, length)] = await stage.fetch(
        'SELECT "offset", publish_error, length(value) FROM dead_letters'
        " WHERE publish_error IS NOT NULL"
    )
    assert (offset, length) == (1, 5_000_000)
    assert "MessageSizeTooLarge" in reason
    assert await stage.waiting() == []


async def test_dead_letters_wait_for_their_topic_without_blocking(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created")
    await stage.write(letters=[Letter(offset=number) for number in range(3)])
    await stage.write(Fact())
    async with stage.relaying():
        await stage.arrived("ticket.created", 1)
    errors = "SELECT DISTINCT publish_error FROM dead_letters"
    assert await stage.fetch(errors) == [(NO_DEAD_LETTER_TOPIC,)]
    assert await stage.waiting() == []
    await stage.create_topic("ticket.requested.dlq", partitions=1)
    async with stage.relaying():
        letters = await stage.arrived("ticket.requested.dlq", 3)
    assert [letter.header("dlq-offset") for letter in letters] == ["0", "1", "2"]
    assert await stage.fetch(errors) == [(None,)]


async def test_a_keyless_dead_letter_for_a_compacted_topic_stays_in_its_row(
    stage: RelayStage,
) -> None:
    await stage.create_topic("ticket.requested.dlq", config={"cleanup.policy": "compact"})
    await stage.write(letters=[Letter(offset=0, key=None), Letter(offset=1)])
    async with stage.relaying():
        [letter] = await stage.arrived("ticket.requested.dlq", 1)
    assert letter.header("dlq-offset") == "1"
    [(offset,)] = await stage.fetch(
        'SELECT "offset" FROM dead_letters WHERE publish_error IS NOT NULL'
    )
    assert offset == 0


async def test_a_dead_letter_whose_header_name_is_no_text_is_passed_on_byte_by_byte(
    stage: RelayStage,
) -> None:
    await stage.create_topic("ticket.requested.dlq")
    name = b"\xed\xa0\x80"  # a lone surrogate: no UTF-8
    await stage.write(letters=[Letter(offset=0, headers=[(name, b"x")]), Letter(offset=1)])
    async with stage.relaying():
        names = [record.headers[0][0] for record in await read_any(stage, "ticket.requested.dlq")]
    assert {each.encode("utf-8", "surrogateescape") for each in names} == {name, b"x"}


async def read_any(stage: RelayStage, topic: str) -> list[Any]:
    """Two records of a topic, by a client that takes any header's name."""
    tolerate_every_header()
    consumer = AIOKafkaConsumer(
        stage.prefix + topic, bootstrap_servers=stage.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [await consumer.getone() for _ in range(2)]
    finally:
        await consumer.stop()


async def test_refused_facts_one_after_another_do_not_cost_the_lease(stage: RelayStage) -> None:
    """Each is found by several refusals. They are answers: without them nothing would move."""
    await stage.create_topic("ticket.created", partitions=1, config=SMALL)
    await stage.write(*[Fact(data=TOO_LONG) for _ in range(40)], Fact())
    times = replace(QUICK, lease=replace(QUICK.lease, patience=0.5))
    async with stage.relaying(times=times):
        await stage.arrived("ticket.created", 1)
    assert len(await stage.held()) == 40
    assert await stage.fetch("SELECT fence FROM leases") == [(1,)]
