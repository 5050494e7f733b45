"""The checker itself, on real servers: what is tampered with after the fact is found."""

from datetime import UTC, datetime

import pytest

from consumer.verify import verify
from tests.scenarios.messages import Message, customer, requested
from tests.scenarios.world import World

TAMPERING = {
    "DELETE FROM requests WHERE outcome = 'created'": ("has no recorded outcome",),
    "UPDATE requests SET request_key = gen_random_uuid() WHERE outcome = 'created'": (
        "has no recorded outcome",
        "but it is no such record",
    ),
    "DELETE FROM ticket_facts WHERE sequence = 1": ("which is not in the database",),
    "UPDATE ticket_facts SET data = data || ' ' WHERE sequence = 1": (
        "with another value than the one committed",
    ),
    "UPDATE ticket_facts SET subject_id = ticket_id WHERE sequence = 0": (
        "has no recorded outcome",
        "which is not in the database",
    ),
    "UPDATE dead_letters SET value = 'other'": ("is kept as a dead letter with other bytes",),
    "DELETE FROM dead_letters": ("has no recorded outcome", "that is not in the database"),
    "DELETE FROM tickets": ("but there is no ticket", "has no ticket"),
    "DELETE FROM customers WHERE name = 'Bert'": ("has no recorded outcome",),
}


@pytest.fixture
async def finished(world: World) -> World:
    """A created, a rejected and a broken request, and a service that has left."""
    await world.publish(customer(), customer("Bert"))
    async with world.service() as service:
        await world.publish(requested(1), requested(2, target_type="platform"), Message(b"broken"))
        await world.come_to_rest_and_leave(service)
    return world


async def test_tampering_is_found(finished: World) -> None:
    await finished.check()
    for statement, sentences in TAMPERING.items():
        backup = await finished.copy_database()
        await finished.ask(statement)
        violations = (await finished.report()).violations
        for sentence in sentences:
            assert any(sentence in each for each in violations), (statement, violations)
        await finished.hang_up()
        finished.database_url = backup
    await finished.check()


async def test_what_the_service_did_not_publish_is_found(finished: World) -> None:
    await finished.publish(
        Message(b"{}", b"key", [("ce_id", b"made up")], topic="ticket.created"),
        Message(b"{}", topic="ticket.requested.dlq"),
    )
    letter, fact = (await finished.report()).violations
    assert "publishes 'made up', which is not in the database" in fact
    assert "is a dead letter that is not in the database" in letter


async def test_what_is_not_read_yet_is_no_violation(finished: World) -> None:
    await finished.publish(requested(3), requested(4))
    report = await finished.report()
    assert report.holds
    assert report.waiting["unread"] == 2


async def test_a_window_looks_at_what_happened_since(finished: World) -> None:
    everything = await verify(finished.settings, since=datetime(2000, 1, 1, tzinfo=UTC))
    assert everything == await finished.check()
    nothing = await verify(finished.settings, since=datetime(2100, 1, 1, tzinfo=UTC))
    assert (nothing.records, nothing.facts, nothing.violations) == (0, 0, ())
