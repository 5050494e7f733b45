"""Every question of the command line is answered by an index, on a filled database."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from consumer.cli.failures import READ
from db import (
    clock_reading,
    dead_letter_reading,
    letter_retention,
    letter_search,
    letter_steps,
    replays,
    request_reading,
    status,
    ticket_changes,
    ticket_reading,
)
from db.connect import connect
from db.letter_search import Filter
from devstack.databases import create_database, drop_database

FILL = """
INSERT INTO tickets (id, ticket_number, tenant_id, subject, status, priority, origin_type,
                     target_type, assigned_team, created_at, updated_at, sla_due_date)
SELECT md5('t' || n)::uuid, 'TCK-' || upper(substr(md5('t' || n), 1, 12)), 'tenant' || n % 5,
       'x', (ARRAY['open', 'waiting', 'resolved', 'closed'])[1 + n % 4], 'normal', 'platform',
       'tenant', CASE WHEN n % 3 = 0 THEN 'team' || n % 50 END, now() - n * interval '1 minute',
       now(), now() + (n - 5000) * interval '1 minute'
  FROM generate_series(1, 20000) AS n;
INSERT INTO ticket_messages (ticket_id, tenant_id, sequence, sender_type, body, created_at)
SELECT id, tenant_id, 1, 'customer', 'x', created_at FROM tickets;
INSERT INTO requests (tenant_id, request_key, kind, outcome, ticket_id, topic, partition, "offset",
                      content_hash, decided_at)
SELECT tenant_id, id, 'request', 'created', id, 't', 0, row_number() OVER (), 0, created_at
  FROM tickets;
INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                          occurred_at, data)
SELECT tenant_id, id, 1, 1, 'ticket.created', id, created_at, '{}' FROM tickets;
INSERT INTO dead_letters (topic, partition, "offset", record_timestamp, tenant_id, request_id,
    header_names, header_values, error_class, error_message, group_id, failed_at)
SELECT 't', 0, n, 0, 'tenant' || n % 5, 'r' || n, '{}', '{}', 'NotJson', 'x', 'g',
       now() - n * interval '1 minute' FROM generate_series(1, 20000) AS n;
INSERT INTO customers (id, tenant_id, external_id, status, updated_at)
SELECT md5('c' || n)::uuid, 'tenant' || n % 5, n, 'active', now()
  FROM generate_series(1, 20000) AS n;
INSERT INTO sla_clocks (tenant_id, ticket_id, metric, state, started_at, target_seconds, due_at,
                        next_fire_at)
SELECT tenant_id, id, metric, CASE WHEN status IN ('open', 'waiting') THEN 'running'
                                   ELSE 'fulfilled' END, created_at, 60, sla_due_date,
       CASE WHEN status IN ('open', 'waiting') THEN sla_due_date - interval '1 hour' END
  FROM tickets CROSS JOIN (VALUES ('first_response'), ('resolution')) AS m (metric);
INSERT INTO sla_segments (tenant_id, ticket_id, metric, cycle, number, kind, at, target_seconds)
SELECT tenant_id, ticket_id, metric, cycle, 1, 'started', started_at, 60 FROM sla_clocks;
INSERT INTO lost_positions SELECT 'g' || n % 100, 't', 0, n, 0, now()
  FROM generate_series(1, 2000) AS n;
"""

OPEN = ["open", "waiting"]
SOON = datetime(2026, 11, 25, tzinfo=UTC)
UUID = "00000000-0000-4000-8000-000000000000"
LETTER = ("t", 0, 7, 0)
PICKY = Filter(
    *(SOON - timedelta(days=9), SOON, ["t", "p.t"], "tenant1", "portal", "NotJson", b"key", "X"),
    states=["dead", "failed_again"],
)

QUESTIONS: dict[str, tuple[str, list[object]]] = {
    "ticket by number": (ticket_reading.BY_NUMBER, [None, "TCK-0"]),
    "ticket by number in a tenant": (ticket_reading.BY_NUMBER, ["tenant1", "TCK-0"]),
    "tickets by status": (ticket_reading.BY_STATUS, [None, OPEN, 20]),
    "tickets by status in a tenant": (ticket_reading.BY_STATUS, ["tenant1", OPEN, 20]),
    "tickets by customer": (ticket_reading.BY_CUSTOMER, [UUID, OPEN, 20, None, None]),
    "tickets by team": (ticket_reading.BY_TEAM, [None, OPEN, 20, "team3"]),
    "tickets by ids": (ticket_reading.BY_IDS, [["tenant1"], [UUID]]),
    "customer by external id": (ticket_reading.CUSTOMER_IDS, [None, 7]),
    "messages": (ticket_reading.MESSAGES, ["tenant1", UUID]),
    "timeline": (ticket_reading.TIMELINE, ["tenant1", UUID]),
    "tenants": (request_reading.TENANTS, []),
    "requests by key": (request_reading.BY_KEYS, [["tenant1"], [UUID]]),
    "requests by record": (request_reading.BY_RECORD, ["t", 0, 7]),
    "dead letters": (letter_search.NEWEST, [*Filter().arguments, 20]),
    "dead letters that fit a filter": (letter_search.NEWEST, [*PICKY.arguments, 20]),
    "kinds of dead letters": (letter_search.ALIKE, [*Filter().arguments, 20]),
    "kinds of dead letters that fit": (letter_search.ALIKE, [*PICKY.arguments, 20]),
    "how many dead letters fit": (letter_search.COUNT, [*PICKY.arguments]),
    "the first dead letters in turn": (
        letter_search.NEXT,
        [*PICKY.arguments, *(None,) * 5, 20],
    ),
    "the next dead letters in turn": (letter_search.NEXT, [*PICKY.arguments, SOON, *LETTER, 20]),
    "dead letters of a stretch": (replays.LETTERS, ["t", 0, 100, 5_000]),
    "dead letters that are over": (letter_retention.REMOVE, [timedelta(days=1), None, 500]),
    "dead letters by name": (letter_search.NAMED, [[each] for each in LETTER]),
    "what was done about a letter": (letter_steps.OF_LETTER, [*LETTER]),
    "what was last done about letters": (letter_steps.LAST, [[each] for each in LETTER]),
    "what actors did to tickets since": (
        ticket_changes.LATER,
        [["tenant1"], [UUID], [SOON], 20],
    ),
    "the id of a ticket": (ticket_changes.ID_OF, ["tenant1", "TCK-0"]),
    "dead letters by record": (dead_letter_reading.BY_RECORD, ["t", 0, 7]),
    "dead letters by request": (dead_letter_reading.BY_REQUEST, ["r7", None]),
    "a dead letter's record": (dead_letter_reading.RECORD, ["t", 0, 7, 0]),
    "dead letters by cause": (dead_letter_reading.BY_CAUSE, [timedelta(hours=24)]),
    "clocks of a ticket": (clock_reading.OF_TICKET, ["tenant1", UUID]),
    "what happened to a ticket's clocks": (clock_reading.SEGMENTS, ["tenant1", UUID]),
    "what breaches next": (clock_reading.BREACH_NEXT, [None, None, 20, None, None]),
    "what breaches next in a tenant": (
        clock_reading.BREACH_NEXT,
        ["tenant1", "resolution", 20, None, SOON],
    ),
    "what has breached": (clock_reading.BREACHED, [None, None, 20]),
    "what has breached in a tenant": (clock_reading.BREACHED, ["tenant1", "resolution", 20]),
    "timers": (clock_reading.TIMERS, []),
    "lost positions": (status.LOST_POSITIONS, ["g1"]),
}


@pytest.fixture(scope="module")
async def filled(migrated_template: str) -> AsyncIterator[asyncpg.Connection]:
    url = create_database(migrated_template, template=migrated_template)
    connection = await connect(url)
    await connection.execute(FILL)
    yield connection
    await connection.close()
    drop_database(url)


@pytest.mark.parametrize("has_statistics", [False, True])
@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_question_reads_through_an_index(
    filled: asyncpg.Connection, name: str, *, has_statistics: bool
) -> None:
    if has_statistics:
        await filled.execute("ANALYZE")
    query, arguments = QUESTIONS[name]
    await filled.execute(READ)
    try:
        rows = await filled.fetch(f"EXPLAIN {query}", *arguments)
    finally:
        await filled.execute("ROLLBACK")
    plan = "\n".join(row[0] for row in rows)
    assert re.findall(r"Seq Scan on (?!outbox|held_facts|parked_requests)\w+", plan) == [], plan


async def test_a_window_of_dead_letters_is_read_off_its_index(filled: asyncpg.Connection) -> None:
    """Whatever the rest of the filter says, and with the planner free to choose."""
    await filled.execute("ANALYZE")
    window = Filter(datetime.now(UTC) - timedelta(hours=2), text="x", error_class="NotJson")
    for question, arguments in (
        (letter_search.NEWEST, [*window.arguments, 20]),
        (letter_search.ALIKE, [*window.arguments, 20]),
        (letter_search.NEXT, [*window.arguments, *(None,) * 5, 20]),
    ):
        plan = "\n".join(row[0] for row in await filled.fetch(f"EXPLAIN {question}", *arguments))
        assert "ix_dead_letters_failed_at" in plan, plan


async def test_the_state_of_the_whole_reads_no_large_table(filled: asyncpg.Connection) -> None:
    await filled.execute("ANALYZE")
    plan = "\n".join(row[0] for row in await filled.fetch(f"EXPLAIN {status.STATUS}"))
    assert "Seq Scan on tickets" not in plan, plan


async def test_a_status_page_reads_clocks_off_an_index(filled: asyncpg.Connection) -> None:
    """Without the settings of a command that reads, however many clocks are running."""
    await filled.execute("ANALYZE")
    for question, arguments in (
        (clock_reading.TIMERS, []),
        (clock_reading.BREACH_NEXT, [None, None, 1, SOON, None]),
    ):
        plan = "\n".join(row[0] for row in await filled.fetch(f"EXPLAIN {question}", *arguments))
        assert "Seq Scan on" not in plan, plan
        assert re.search("Index (Only )?Scan using ix_sla_clocks_next_fire_at", plan), plan
        assert "Sort Key: c_1.next_fire_at" not in plan, plan
