"""Rows that point to nothing: each kind is planted once in a real database, and told."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from db import inventory
from db.connect import connect

pytestmark = pytest.mark.integration

EVER = datetime(1, 1, 1, tzinfo=UTC)
TICKET = "11111111-1111-5111-8111-111111111111"
KEY = "22222222-2222-5222-8222-222222222222"

MESSAGE = """
INSERT INTO ticket_messages (ticket_id, tenant_id, sequence, sender_type, body, created_at)
VALUES ('11111111-1111-5111-8111-111111111111', 'north', 1, 'customer', 'hello', now())
"""
TICKET_ROW = """
INSERT INTO tickets (id, ticket_number, tenant_id, subject, priority, origin_type, target_type,
                     created_at, updated_at)
VALUES ('11111111-1111-5111-8111-111111111111', 'TCK-1', 'north', 'x', 'low', 'tenant',
        'platform', now(), now())
"""
REQUEST = """
INSERT INTO requests (tenant_id, request_key, kind, outcome, ticket_id, content_hash, decided_at)
VALUES ('north', '22222222-2222-5222-8222-222222222222', 'request', 'created',
        '11111111-1111-5111-8111-111111111111', 0, now())
"""
FACT = """
INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                          occurred_at, data)
VALUES ('north', '11111111-1111-5111-8111-111111111111', 1, 7, 'ticket.created',
        '11111111-1111-5111-8111-111111111111', now(), '{}')
"""
PARKED = """
INSERT INTO parked_requests (tenant_id, request_key, customer_ref, topic, partition, "offset",
    record_timestamp, header_names, header_values, parked_at)
VALUES ('north', '22222222-2222-5222-8222-222222222222', '1', 't', 0, 0, 0, '{}', '{}', now())
"""
HELD = """
INSERT INTO held_facts (tenant_id, subject_id, sequence, reason, held_at)
VALUES ('north', '11111111-1111-5111-8111-111111111111', 1, 'too large', now())
"""
OUTBOX = "INSERT INTO outbox (id, facts, dead_letters, created_at) VALUES (7, 1, 0, now())"
WHOLE = (TICKET_ROW, MESSAGE, REQUEST, FACT, OUTBOX)

PLANTED = {
    f"Message 1 of ticket {TICKET} (tenant north) has no ticket.": (MESSAGE,),
    f"Fact 1 of ticket {TICKET} (tenant north) has no ticket.": (FACT,),
    "Ticket TCK-1 (tenant north) has sequence 1, but 0 facts from None to None.": (
        *(TICKET_ROW, MESSAGE, REQUEST),
    ),
    "Ticket TCK-1 (tenant north) has sequence 1, but 1 facts from 2 to 2.": (
        *WHOLE,
        "UPDATE ticket_facts SET sequence = 2",
    ),
    "Ticket TCK-1 (tenant north) has sequence 3, but 1 facts from 1 to 1.": (
        *WHOLE,
        "UPDATE tickets SET sequence = 3",
    ),
    "Ticket TCK-1 (tenant north) has no first message.": (TICKET_ROW, REQUEST, FACT),
    "Ticket TCK-1 (tenant north) was opened by no request.": (TICKET_ROW, MESSAGE, FACT),
    f"Request {KEY} (tenant north) is on record as rejected, but nothing tells it.": (
        REQUEST,
        "UPDATE requests SET outcome = 'rejected'",
    ),
    f"Request {KEY} (tenant north) is on record as parked, but it isn't kept.": (
        REQUEST,
        "UPDATE requests SET outcome = 'parked'",
    ),
    f"Request {KEY} (tenant north) is kept as parked, but on record it isn't.": (PARKED,),
    f"Fact 1 of {TICKET} (tenant north) is held back, but there is no such fact.": (HELD,),
    "Outbox row 7 announces 1 facts and 0 dead letters, but there are 0 and 0.": (OUTBOX,),
}


async def told(url: str, since: datetime = EVER) -> list[str]:
    connection = await connect(url)
    try:
        await connection.execute(inventory.SNAPSHOT)
        return await inventory.loose_ends(connection, since)
    finally:
        await connection.close()


async def plant(url: str, *statements: str) -> None:
    connection: asyncpg.Connection = await connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("sentence", PLANTED)
async def test_a_loose_end_is_told(sentence: str, database_url: str) -> None:
    await plant(database_url, *PLANTED[sentence])
    assert await told(database_url) == [sentence]


async def test_a_whole_ticket_has_none(database_url: str) -> None:
    await plant(database_url, *WHOLE)
    assert await told(database_url) == []


async def test_what_is_older_than_the_window_is_not_looked_at(database_url: str) -> None:
    await plant(database_url, MESSAGE, PARKED, HELD, OUTBOX)
    assert await told(database_url, datetime.now(UTC) + timedelta(hours=1)) == []


def test_every_kind_is_planted() -> None:
    beginnings = {sentence.split(" ", 1)[0] for sentence in PLANTED}
    assert beginnings == {kind.sentence.split(" ", 1)[0] for kind in inventory.LOOSE_ENDS}
    assert len(PLANTED) >= len(inventory.LOOSE_ENDS)
