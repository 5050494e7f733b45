"""Rows that point to nothing: each kind is planted once in a real database, and told."""

import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from consumer.audit import EVER, NEVER
from db import inventory, loose_ends
from db.connect import connect

pytestmark = pytest.mark.integration

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
CLOCK = """
INSERT INTO sla_clocks (tenant_id, ticket_id, metric, started_at, target_seconds, due_at,
                        next_fire_at)
VALUES ('north', '11111111-1111-5111-8111-111111111111', 'resolution', now(), 60,
        '2026-11-24T12:00:00Z', '2026-11-24T11:30:00Z')
"""
SEGMENT = """
INSERT INTO sla_segments (tenant_id, ticket_id, metric, cycle, number, kind, at, target_seconds)
VALUES ('north', '11111111-1111-5111-8111-111111111111', 'resolution', 1, 1, 'started', now(), 60)
"""
DATED = "UPDATE tickets SET sla_due_date = '2026-11-24T12:00:00Z'"
BREACH = """
UPDATE sla_clocks SET breach_sequence = 1, breaches = 1;
UPDATE tickets SET sla_breached = true;
UPDATE ticket_facts SET ce_type = 'sla.breached', data = '{"metric": "resolution", "cycle": 1}'
"""
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

CUSTOMER = "33333333-3333-4333-8333-333333333333"
OF_SOUTH = """
ALTER TABLE tickets DROP CONSTRAINT fk_tickets_{0}s;
INSERT INTO {0}s (id, tenant_id, status, updated_at)
VALUES ('33333333-3333-4333-8333-333333333333', 'south', 'active', now());
UPDATE tickets SET {0}_id = '33333333-3333-4333-8333-333333333333'
"""
PLANTED |= {
    f"Ticket TCK-1 (tenant north) is for {party} {CUSTOMER}, who is one of tenant south.": (
        *WHOLE,
        OF_SOUTH.format(party),
    )
    for party in ("customer", "partner")
}

CLOCKED = (*WHOLE, CLOCK, DATED)
_OF_CLOCK = "Clock resolution, cycle 1, of ticket TCK-1 (tenant north)"
PLANTED |= {
    f"Clock resolution, cycle 1, of ticket {TICKET} (tenant north) has no ticket.": (CLOCK,),
    f"Segment 1 of clock resolution, cycle 1, of ticket {TICKET} (tenant north) has no clock.": (
        SEGMENT,
    ),
    "Ticket TCK-1 (tenant north) shows None as the due time of resolution, but its clock says"
    " 2026-11-24 12:00:00+00:00.": (*WHOLE, CLOCK),
    "Ticket TCK-1 (tenant north) shows 2026-11-24 12:00:00+00:00 as the due time of resolution, but"
    " its clock says None.": (*WHOLE, DATED),
    "Ticket TCK-1 (tenant north) is resolved, but its clock resolution, cycle 1, is running.": (
        *CLOCKED,
        "UPDATE tickets SET status = 'resolved'",
    ),
    f"Clock resolution, cycle 1, of ticket {TICKET} (tenant north) is cancelled, but waits to tell"
    " something.": (
        *CLOCKED,
        "UPDATE sla_clocks SET state = 'cancelled'; UPDATE tickets SET sla_due_date = NULL",
    ),
    f"{_OF_CLOCK} has 0 segments, but 1 from 1 to 1 are on record.": (*CLOCKED, SEGMENT),
    f"{_OF_CLOCK} has 2 segments, but 0 from None to None are on record.": (
        *CLOCKED,
        "UPDATE sla_clocks SET segments = 2",
    ),
    f"{_OF_CLOCK} has 1 segments, but 1 from 2 to 2 are on record.": (
        *CLOCKED,
        SEGMENT,
        "UPDATE sla_clocks SET segments = 1; UPDATE sla_segments SET number = 2",
    ),
    f"{_OF_CLOCK} names fact 1 as its breach, which is no sla.breached of it.": (
        *CLOCKED,
        BREACH,
        "UPDATE ticket_facts SET ce_type = 'sla.warning'",
    ),
    f"{_OF_CLOCK} names fact 2 as its breach, which is no sla.breached of it.": (
        *CLOCKED,
        BREACH,
        "UPDATE sla_clocks SET breach_sequence = 2",
    ),
    "Ticket TCK-1 (tenant north) says False of being breached, but its clocks have 1 breaches.": (
        *CLOCKED,
        BREACH,
        "UPDATE tickets SET sla_breached = false",
    ),
    "Ticket TCK-1 (tenant north) says True of being breached, but its clocks have 0 breaches.": (
        *CLOCKED,
        "UPDATE tickets SET sla_breached = true",
    ),
}


async def told(url: str, since: datetime = EVER, until: datetime = NEVER) -> list[str]:
    connection = await connect(url)
    try:
        await connection.execute(inventory.SNAPSHOT)
        return await loose_ends.loose_ends(connection, since, until)
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
    await plant(database_url, *CLOCKED, SEGMENT, "UPDATE sla_clocks SET segments = 1")
    assert await told(database_url) == []
    await plant(database_url, BREACH)
    assert await told(database_url) == []


async def test_what_is_outside_of_the_window_is_not_looked_at(database_url: str) -> None:
    await plant(database_url, MESSAGE, PARKED, HELD, OUTBOX)
    hour = timedelta(hours=1)
    assert await told(database_url, since=datetime.now(UTC) + hour) == []
    assert await told(database_url, until=datetime.now(UTC) - hour) == []
    assert len(await told(database_url, datetime.now(UTC) - hour, datetime.now(UTC) + hour)) == 4


def test_every_kind_is_planted() -> None:
    kinds = {kind.sentence: re.compile(_pattern(kind.sentence)) for kind in loose_ends.LOOSE_ENDS}
    planted = {
        kind for kind, form in kinds.items() for sentence in PLANTED if form.fullmatch(sentence)
    }
    assert planted == kinds.keys()


def _pattern(sentence: str) -> str:
    """What `sentence` says of any row."""
    return ".+".join(map(re.escape, re.split(r"\{\d\}", sentence)))
