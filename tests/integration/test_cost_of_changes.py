"""What a batch costs does not depend on how many tickets there are: counted, never timed.

The same requests and the same changes meet 1,000 tickets and 200,000: they make as many round
trips, read and write as many rows, and touch no more pages than deeper indexes explain.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from consumer.transaction import BEGIN, RollBack, transaction
from db.connect import connect, open_pool
from handlers.batch import Entry, Setting, handle
from handlers.outcomes import Rules, outcome_of
from schemas.vocabulary import Outcome
from tests.integration.explained import nodes, types_of, values_of
from tests.integration.recorded import RecordedConnection, Said
from tests.records import asked, wanted
from tests.scenarios.messages import ANNA, NORTH

pytestmark = pytest.mark.integration

FEW, MANY, BATCH = 1_000, 200_000, 100
NO_COPY = 1_000_000
"""EXPLAIN shows an INSERT, and no COPY."""

LEVELS = 1
"""How much deeper an index of 200,000 keys is than one of 1,000: 2 pages to a key, then 3."""

INDEX_SCANS = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}

FILL = (
    """
    INSERT INTO tickets (id, ticket_number, tenant_id, subject, status, priority, origin_type,
                         target_type, customer_id, assigned_team, context, sla_due_date,
                         created_at, updated_at)
    SELECT md5('t' || n)::uuid, 'TCK-' || upper(substr(md5('t' || n), 1, 12)), $3, 'x',
           (ARRAY['open', 'in_progress', 'waiting'])[1 + n % 3], 'normal', 'customer', 'tenant',
           $4::uuid, 'team ' || n % 50, '{"line": 7}', now(), now(), now()
      FROM generate_series($1::int, $2::int) n
    """,
    """
    INSERT INTO requests (tenant_id, request_key, kind, outcome, ticket_id, topic, partition,
                          "offset", content_hash, decided_at)
    SELECT $3, md5('r' || n)::uuid, 'request', 'created', md5('t' || n)::uuid, 't', n % 8, n, 0,
           now()
      FROM generate_series($1::int, $2::int) n WHERE $4::uuid IS NOT NULL
    """,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one statement. rows: those that each step of the plan gave, all loops together.

    probes: how often an index was gone through from its root, to find a row or to place one.
    """

    statement: str
    rows: dict[str, int]
    buffers: int
    probes: int


def a_hundred_requests() -> list[Entry]:
    return [asked(f"cost-{n}", n, assigned_team="North") for n in range(BATCH)]


async def a_hundred_changes(connection: asyncpg.Connection) -> list[Entry]:
    """Of the first tickets, found by their id and by their number in turn."""
    rows = await connection.fetch(
        "SELECT id::text, ticket_number FROM tickets"
        " WHERE id IN (SELECT md5('t' || n)::uuid FROM generate_series(1, $1) n) ORDER BY id",
        BATCH,
    )
    changes: list[Entry] = []
    for n, (ticket_id, number) in enumerate(rows):
        named: dict[str, Any] = {"ticket_number": number} if n % 2 else {}
        found = None if n % 2 else ticket_id
        changes.append(wanted("assign", found, n, assigned_team="South", **named))
    return changes


async def filled(url: str, first: int, last: int) -> None:
    connection = await connect(url)
    await connection.execute("SET synchronous_commit = off")
    for statement in FILL:
        await connection.execute(statement, first, last, NORTH, ANNA)
    await connection.execute("VACUUM (ANALYZE) tickets, requests, customers")
    await connection.close()


async def said_by(url: str, entries: Sequence[Entry], copy_from: int) -> list[Said]:
    """What a batch says to the database. It is not committed."""
    said: list[Said] = []
    setting = Setting(Rules(), "group", copy_from=copy_from)
    pool = await open_pool(url, size=1)
    with suppress(RollBack):
        async with transaction(pool) as connection:
            handled = await handle(RecordedConnection(connection, said.append), entries, setting)
            outcomes = {outcome_of(each) for each in handled.decisions}
            raise RollBack
    await pool.close()
    assert outcomes in ({Outcome.CREATED}, {Outcome.CHANGED})
    return said


async def costs(url: str, said: Sequence[Said]) -> list[Cost]:
    """The same statements again, under the generic plans that a connection comes to keep."""
    connection = await connect(url)
    await connection.execute(f"{BEGIN}; SET LOCAL plan_cache_mode = force_generic_plan")
    found = []
    for statement, arguments in said:
        await connection.execute(
            f"PREPARE q ({await types_of(connection, statement)}) AS {statement}"
        )
        explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE q{values_of(arguments)}"
        plan = json.loads(await connection.fetchval(explained))[0]["Plan"]
        found.append(await _cost(connection, statement, plan))
        await connection.execute("DEALLOCATE q")
    await connection.execute("ROLLBACK")
    await connection.close()
    return found


async def _cost(connection: asyncpg.Connection, statement: str, plan: dict[str, Any]) -> Cost:
    rows: dict[str, int] = {}
    probes = 0
    for node in nodes(plan):
        kind, table, loops = node["Node Type"], node.get("Relation Name"), node["Actual Loops"]
        if kind == "ModifyTable":
            written = sum(round(each["Actual Rows"]) for each in node.get("Plans", ()))
            probes += written * await connection.fetchval(
                "SELECT count(*) FROM pg_index WHERE indrelid = $1::text::regclass", table
            )
        elif kind in INDEX_SCANS:
            probes += loops
        if table is not None and kind != "ModifyTable":
            name = f"{kind} of {table}"
            rows[name] = rows.get(name, 0) + round(node["Actual Rows"] * loops)
    buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return Cost(statement, rows, buffers, probes)


@pytest.fixture
async def url(database_url: str) -> str:
    """A database that knows Anna, and has a few of her tickets."""
    connection = await connect(database_url)
    await connection.execute(
        "INSERT INTO customers (id, tenant_id, status, updated_at)"
        " VALUES ($1, $2, 'active', now())",
        *(ANNA, NORTH),
    )
    await connection.close()
    await filled(database_url, 1, FEW)
    return database_url


async def test_a_batch_costs_the_same_with_200_times_the_tickets(url: str) -> None:
    connection = await connect(url)
    batches = [a_hundred_requests(), await a_hundred_changes(connection)]
    await connection.close()

    async def measured() -> list[tuple[list[str], list[Cost]]]:
        found = []
        for batch in batches:
            usual = await said_by(url, batch, Setting(Rules(), "group").copy_from)
            explained = await said_by(url, batch, NO_COPY)
            trips = [each.statement for each in (*usual, *explained)]
            found.append((trips, await costs(url, explained)))
        return found

    before = await measured()
    await filled(url, FEW + 1, MANY)
    after = await measured()
    for (trips, few), (trips_after, many) in zip(before, after, strict=True):
        assert trips_after == trips
        for small, large in zip(few, many, strict=True):
            assert large.rows == small.rows, small.statement
            assert large.probes == small.probes, small.statement
            assert large.buffers <= small.buffers + LEVELS * small.probes, small.statement
