"""Past facts are walked along the outbox number, with one plan, whatever the statistics say."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from consumer import transaction as transactions
from consumer.past_facts import BEGIN
from db import held_release, past_facts
from db.connect import connect
from db.past_facts import LONGEST_TRANSACTION, Filter
from devstack.databases import create_database, drop_database

pytestmark = pytest.mark.integration

FACTS = 30_000
START = datetime(2026, 1, 1, tzinfo=UTC)
FILL = """
INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                          occurred_at, data)
SELECT 'tenant' || n % 5, md5('t' || n % 1000)::uuid, n / 1000, 10 * (n / 10), 'ticket.created',
       md5('t' || n % 1000)::uuid, $1::timestamptz + n / 10 * interval '1 minute', '{}'
  FROM generate_series(0, $2::int - 1) AS n
"""
UUID = "00000000-0000-4000-8000-000000000000"

QUESTIONS: dict[str, tuple[str, list[object], str]] = {
    "all": (past_facts.KEYS, [10, 20_000, None, None, None, None], "ix_ticket_facts_outbox_id"),
    "a tenant's": (
        past_facts.KEYS,
        [10, 20_000, "tenant1", ["ticket.created"], START, START],
        "ix_ticket_facts_outbox_id",
    ),
    "a ticket's": (
        past_facts.KEYS_OF_SUBJECT,
        ["tenant1", UUID, ["ticket.created"], None, START],
        "pk_ticket_facts",
    ),
    "in full": (past_facts.FACTS, [["tenant1"], [UUID], [1]], "pk_ticket_facts"),
    "the last": (past_facts.LAST, [], "ix_ticket_facts_outbox_id"),
    "a probe": (past_facts.PROBE, [7], "ix_ticket_facts_outbox_id"),
    "a stretch": (past_facts.STRETCH, [7, 20_000, 5_000], "ix_ticket_facts_outbox_id"),
    "whose": (past_facts.SUBJECTS, [None, UUID], "pk_ticket_facts"),
    "held": (held_release.LISTED, [None, None, 100], "pk_ticket_facts"),
    "held of a ticket": (held_release.LOCKED, [["tenant1"], [UUID]], "pk_ticket_facts"),
}


@pytest.fixture(scope="module")
async def filled(migrated_template: str) -> AsyncIterator[asyncpg.Connection]:
    """Statistics say that the table is empty, until a test says otherwise."""
    url = create_database(migrated_template, template=migrated_template)
    connection = await connect(url)
    await connection.execute("ANALYZE ticket_facts")
    await connection.execute(FILL, START, FACTS)
    yield connection
    await connection.close()
    drop_database(url)


@pytest.mark.parametrize("has_statistics", [False, True])
@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_question_has_one_plan(
    filled: asyncpg.Connection, name: str, *, has_statistics: bool
) -> None:
    if has_statistics:
        await filled.execute("ANALYZE")
    question, arguments, index = QUESTIONS[name]
    await filled.execute(BEGIN)
    try:
        rows = await filled.fetch(f"EXPLAIN {question}", *arguments)
    finally:
        await filled.execute("ROLLBACK")
    plan = "\n".join(row[0] for row in rows)
    used = re.findall(r"using (\w+) on ticket_facts|Index Scan on (\w*ticket_facts\w*)", plan)
    assert {"".join(names) for names in used} == {index}, plan
    assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        (held_release.LOCKED, [["tenant1"], [UUID]]),
        (held_release.LEFT, [["tenant1"], [UUID]]),
        (held_release.RELEASE, [["tenant1"], [UUID], [1], ["t"], "x"]),
    ],
)
async def test_held_facts_are_found_by_their_key(
    filled: asyncpg.Connection, question: str, arguments: list[object]
) -> None:
    """Although the table was empty when it was last looked at."""
    await filled.execute(transactions.BEGIN)
    try:
        rows = await filled.fetch(f"EXPLAIN {question}", *arguments)
    finally:
        await filled.execute("ROLLBACK")
    plan = "\n".join(row[0] for row in rows)
    assert re.search(r"Index Cond: \(\(tenant_id = r.tenant_id\) AND \(subject_id = r", plan), plan
    assert "Join Filter" not in plan, plan


async def test_stretches_are_whole_writes(filled: asyncpg.Connection) -> None:
    seen, start, stretches = 0, -1, 0
    while start < 10 * (FACTS // 10 - 1):
        stop = await past_facts.stretch_end(filled, start, 10**9, facts=7_003)
        seen += len(await past_facts.keys(filled, Filter(), start, stop))
        start, stretches = stop, stretches + 1
    assert seen == FACTS
    assert stretches == 5


@pytest.mark.parametrize("minute", [0, 1, 61, 1_500, 2_999, 9_999])
async def test_a_window_leaves_nothing_out_that_happened_in_it(
    filled: asyncpg.Connection, minute: int
) -> None:
    """Bounds come from a few probes, and are wider than the window by an hour."""
    moment = START + timedelta(minutes=minute)
    slack = int(LONGEST_TRANSACTION.total_seconds() / 60)
    last = FACTS // 10 - 1
    start, end = await past_facts.bounds(filled, Filter(since=moment))
    assert (start // 10, end) == (max(0, min(last, minute - slack - 1)), 10 * last)
    start, end = await past_facts.bounds(filled, Filter(until=moment))
    assert (start, end // 10) == (0, min(last, minute + slack - 1))
    inside = await past_facts.keys(filled, Filter(since=moment), *(-1, 10**9))
    assert all(each.occurred_at >= moment for each in inside)


async def test_facts_come_in_the_order_that_was_asked_for(filled: asyncpg.Connection) -> None:
    positions = [each.position for each in await past_facts.keys(filled, Filter(), -1, 100)][::-1]
    rows = await past_facts.facts(filled, positions)
    assert [(row[0], row[2]) for row in rows] == [(each[1], each[3]) for each in positions]
