"""The outbox's questions: their plans, whatever the statistics say, and their answers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from consumer.ledger import beginning
from consumer.transaction import transaction
from db import held_facts, letters, outbox
from db.connect import connect
from db.tables import NO_DEAD_LETTER_TOPIC
from tests.integration.relay_stage import Fact, RelayStage, staged

pytestmark = pytest.mark.integration

FULL = 50_000
SUBJECT = "0192f0c1-0000-7000-8000-000000000000"
KEYS = (["acme"], [SUBJECT], [1])
LETTERS = (["t"], [0], [1], [1])

QUESTIONS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "the next rows": (outbox.CLAIM, (500,)),
    "their facts": (outbox.FACTS, ([1, 2, 3],)),
    "published rows": (outbox.DELETE, ([1, 2, 3],)),
    "what is held of subjects": (held_facts.BLOCKED, (["acme"], [b"x" * 16], [SUBJECT])),
    "topics that facts wait for": (held_facts.MISSING_TOPICS, ()),
    "facts that wait for a topic": (held_facts.WAITING, ("ticket.created", 500)),
    "held facts that are published": (held_facts.REMOVE, KEYS),
    "facts refused by a late topic": (held_facts.BLOCK, ("acme", SUBJECT, 1, "no", "behind")),
    "dead letters of rows": (letters.WRITTEN_WITH, ([1, 2, 3],)),
    "dead letters in full": (letters.LETTER, LETTERS),
    "why they were not passed on": (letters.SET_ERRORS, (*LETTERS, ["no"])),
    "topics without a .dlq": (letters.TOPICS_WITHOUT_DLQ, ()),
    "dead letters that wait": (letters.WAITING, ("t", 500)),
}

FILL = (
    """
    INSERT INTO outbox (id, facts, created_at) SELECT n, 1, now() FROM generate_series(1, $1) n
    """,
    """
    INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                              occurred_at, data)
    SELECT 'acme', gen_random_uuid(), 1, least(n, $2), 'ticket.created', gen_random_uuid(), now(),
           repeat('x', 200)
      FROM generate_series(1, $1) n
    """,
    """
    INSERT INTO held_facts (tenant_id, subject_id, sequence, reason, missing_topic, held_at)
    SELECT 'acme', subject_id, 1, 'no', 'ticket.created', now() FROM ticket_facts
    """,
    """
    INSERT INTO dead_letters (topic, partition, "offset", record_timestamp, header_names,
                              header_values, error_class, error_message, group_id, failed_at,
                              outbox_id, publish_error)
    SELECT 't', 0, n, 1, '{}', '{}', 'x', 'x', 'g', now(), n, $2 FROM generate_series(1, $1) n
    """,
)


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        yield ready


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await connect(database_url)
    yield opened
    await opened.close()


async def fill(connection: asyncpg.Connection, *, highest: int = FULL) -> None:
    """Fill every table. highest: the highest outbox number that facts have."""
    announced, facts, held, dead = FILL
    await connection.execute(announced, FULL)
    await connection.execute(facts, FULL, highest)
    await connection.execute(held)
    await connection.execute(dead, FULL, NO_DEAD_LETTER_TOPIC)


async def assert_index_plans(stage: RelayStage) -> None:
    """With the values given, and for any: a cached plan is made without looking at them."""
    async with transaction(stage.pool, begin=beginning(5)) as connection:
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
            for name, (question, arguments) in QUESTIONS.items():
                rows = await connection.fetch(f"EXPLAIN {question}", *arguments)
                plan = "\n".join(row[0] for row in rows)
                assert "Seq Scan" not in plan, f"{name}\n{plan}"
                assert "Index" in plan, f"{name}\n{plan}"


async def test_no_question_depends_on_statistics(
    stage: RelayStage, connection: asyncpg.Connection
) -> None:
    """A plan made while the tables are known as empty reads no more than one made afterwards."""
    await connection.execute("VACUUM ANALYZE")
    await assert_index_plans(stage)
    await fill(connection)
    await assert_index_plans(stage)
    await connection.execute("ANALYZE")
    await assert_index_plans(stage)


async def test_a_backlog_after_one_large_write_is_read_by_index(
    stage: RelayStage, connection: asyncpg.Connection
) -> None:
    """Statistics that know one outbox number say that each number has all the facts."""
    await fill(connection, highest=1)
    await connection.execute("ANALYZE")
    await assert_index_plans(stage)


async def test_a_plan_kept_from_an_empty_outbox_reads_only_its_rows(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute("VACUUM ANALYZE")
    await connection.execute(beginning(5))
    for _ in range(10):  # after five the server keeps one plan for all values
        assert await outbox.facts_of(connection, [1]) == []
    await connection.execute("COMMIT")
    await fill(connection)
    await connection.execute(beginning(5))
    assert len(await outbox.facts_of(connection, [7, 8])) == 2
    assert await rows_scanned(connection) == 0
    await connection.execute("COMMIT")


async def rows_scanned(connection: asyncpg.Connection) -> int:
    """How many rows of ticket_facts this transaction has read by scanning all of it."""
    number: int = await connection.fetchval(
        "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'ticket_facts'"
    )
    return number


async def test_a_tickets_facts_come_in_their_order(
    stage: RelayStage, connection: asyncpg.Connection
) -> None:
    facts = [Fact(subject_id=Fact().subject_id, sequence=number) for number in (3, 1, 2)]
    first = await stage.write(facts[1], facts[0])
    second = await stage.write(facts[2])
    rows = await outbox.facts_of(connection, [second, first])
    assert [(row["outbox_id"], row["sequence"]) for row in rows] == [
        (first, 1),
        (first, 3),
        (second, 2),
    ]


async def test_the_backlog_is_what_is_not_yet_deleted(
    stage: RelayStage, connection: asyncpg.Connection
) -> None:
    assert await outbox.backlog(connection) == outbox.Backlog(0, 0, 0.0)
    first = await stage.write(Fact(), Fact())
    await stage.write(Fact())
    rows, facts, oldest = await outbox.backlog(connection)
    assert (rows, facts) == (2, 3)
    assert oldest > 0
    await outbox.delete(connection, [first])
    assert (await outbox.backlog(connection))[:2] == (1, 1)


async def test_numbers_rise_and_a_notification_comes_with_the_commit(
    connection: asyncpg.Connection, database_url: str
) -> None:
    heard = asyncio.Event()
    listener = await connect(database_url)
    await listener.add_listener(outbox.CHANNEL, lambda *_: heard.set())
    first = await outbox.take_number(connection)
    assert await outbox.take_number(connection) > first
    async with connection.transaction():
        await outbox.notify(connection)
        await listener.fetchval("SELECT 1")
        assert not heard.is_set()
    await heard.wait()
    await listener.close()
