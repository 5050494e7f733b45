"""What every batch asks and writes is found by index, whatever the statistics say.

A statement is planned once per connection and kept; one that was planned while its tables were
known as empty must not read them whole when they are full.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from consumer.transaction import BEGIN
from db import closing, parked, parties, policies, requests, tables, tickets
from db.bulk import Rows, unnested
from db.connect import connect
from handlers.change_rows import CHANGED_COLUMNS
from handlers.written import REQUEST_COLUMNS
from tests.integration.explained import nodes, types_of, values_of
from tests.records import some_id
from tests.scenarios.messages import NORTH

pytestmark = pytest.mark.integration

FULL = 20_000
HOT = (
    *("tickets", "requests", "ticket_facts", "customers", "partners", "dead_letters"),
    *("parked_requests", "party_positions", "policies"),
)
KEY = some_id("key")
MANY = 50
"""What plans look at is how many keys there are, too."""


def literal(value: str, count: int = MANY) -> str:
    return "{" + ",".join([value] * count) + "}"


def outcome_rows() -> Rows:
    row = (NORTH, KEY, "request", "created", "\v", KEY, "t", "0", "0", "0", "now")
    return Rows(tables.requests, REQUEST_COLUMNS, [row] * MANY)


def party_rows() -> Rows:
    row = (KEY, NORTH, "7", "n", "active", "\v", "now")
    return Rows(tables.customers, parties.PARTY_COLUMNS, [row] * MANY)


def settling() -> tuple[str, list[Any]]:
    source, arguments = unnested(outcome_rows())
    return requests.settling(REQUEST_COLUMNS, source), arguments


def changing() -> tuple[str, list[Any]]:
    values = {"tenant_id": NORTH, "id": KEY, "partner_id": KEY}
    numbers = {"escalation_level", "rating", "resolution_time_minutes"}
    row = tuple(
        values.get(name, "1" if name in numbers or name.endswith("sequence") else "now")
        for name in CHANGED_COLUMNS
    )
    source, arguments = unnested(Rows(tables.tickets, CHANGED_COLUMNS, [row] * MANY))
    return tickets.updating(CHANGED_COLUMNS, source), arguments


def replacing() -> tuple[str, list[Any]]:
    source, arguments = unnested(party_rows())
    return parties.replacing(tables.customers, source), arguments


TENANTS, KEYS = [NORTH] * MANY, [KEY] * MANY
QUESTIONS: dict[str, tuple[str, list[Any]]] = {
    "what a batch must know": (
        requests.LOOK_UP,
        [
            *(literal(NORTH), literal(KEY), literal(NORTH), literal(KEY), literal(NORTH)),
            *(literal("7"), literal(KEY), ["t", "u"], "{0,1}", "{5,5}", "{9,9000}"),
            literal(NORTH, 1),
        ],
    ),
    "rejections on record": (requests.REJECTIONS, [TENANTS, KEYS]),
    "numbers given out": (requests.TAKEN_NUMBERS, [TENANTS, ["TCK-0"] * MANY]),
    "customers' tiers": (policies.TIERS, [TENANTS, KEYS]),
    "a ticket's first fact": (requests.FIRST_FACT, [NORTH, KEY]),
    "identities decided anew": settling(),
    "tickets to change": (tickets.LOCK, [TENANTS, KEYS, TENANTS, ["TCK-0"] * MANY]),
    "tickets changed": changing(),
    "identities set free": (requests.FORGET_PARKED, [TENANTS, KEYS]),
    "stored customers": (parties.storing(tables.customers), [KEYS, TENANTS, ["7"] * MANY]),
    "stored partners": (parties.storing(tables.partners), [KEYS, TENANTS, ["7"] * MANY]),
    "external ids given up": (parties.releasing(tables.customers), [KEYS]),
    "customers replaced": replacing(),
    "parked requests that are due": (parked.DUE, [30.0, 500]),
    "parked requests to decide": (parked.CLAIM, [TENANTS, KEYS, 30.0]),
    "parked requests decided": (parked.REMOVE, [TENANTS, KEYS]),
    "parked requests whose grace begins": (parked.START_GRACE, []),
    "resolved tickets that are due": (closing.LOOK, [200]),
    "resolved tickets to close": (closing.LOCK, [TENANTS, KEYS]),
    "days after which tickets close": (closing.OPEN, [TENANTS]),
}
WHOLE = {
    "parked requests that are due": {"parked_requests"},
    "parked requests whose grace begins": {"parked_requests"},
}
"""Tables that a question goes through from end to end, since it is about every row of them."""

ONLY = {
    "resolved tickets that are due": {
        *("ix_policies_auto_close", "pk_policies", "ix_tickets_resolved")
    }
}
"""The indexes by which a question finds the next row at once; by another it would read many."""

FILL = (
    """
    INSERT INTO customers (id, tenant_id, external_id, status, updated_at)
    SELECT md5('c' || n)::uuid, 'north', n, 'active', now() FROM generate_series(1, $1) n
    """,
    "INSERT INTO partners SELECT * FROM customers",
    """
    INSERT INTO requests (tenant_id, request_key, kind, outcome, topic, partition, "offset",
                          content_hash, decided_at)
    SELECT 'north', id, 'request', 'rejected', 't', 0, external_id, 0, now() FROM customers
    """,
    """
    INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                              occurred_at, data)
    SELECT 'north', id, 0, external_id, 'ticket.rejected', id, now(), '{}' FROM customers
    """,
    """
    INSERT INTO tickets (id, ticket_number, tenant_id, subject, priority, origin_type, target_type,
                         created_at, updated_at)
    SELECT id, 'TCK-' || external_id, 'north', 'x', 'normal', 'platform', 'tenant', now(), now()
      FROM customers
    """,
    """
    INSERT INTO parked_requests (tenant_id, request_key, customer_ref, topic, partition, "offset",
                                 record_timestamp, header_names, header_values, party_ends,
                                 parked_at, grace_started_at)
    SELECT 'north', id, CASE WHEN external_id % 2 = 0 THEN md5(id::text)::uuid::text
                             ELSE (external_id + 1000000)::text END,
           't', 0, external_id, 0, '{}', '{}', '{"customer.changed": {"0": 1}}', now(),
           CASE WHEN external_id % 3 = 0 THEN now() END FROM customers
    """,
    """
    INSERT INTO dead_letters (topic, partition, "offset", record_timestamp, header_names,
                              header_values, error_class, error_message, group_id, failed_at)
    SELECT 't', 0, external_id + 1000000, 0, '{}', '{}', 'X', 'x', 'g', now() FROM customers
    """,
    """
    INSERT INTO party_positions (topic, partition, position, recorded_at)
    SELECT 't', external_id, 0, now() FROM customers
    """,
    """
    INSERT INTO policies (tenant_id, version, document)
    SELECT 'tenant ' || external_id / 10, 1 + external_id % 10,
           CASE WHEN external_id % 3 = 0 THEN '{"settings": {"auto_close_days": 5}}'
                ELSE '{}' END::json FROM customers
    """,
)


@pytest.fixture(scope="module")
async def empty_plans(module_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that has planned every question on tables that are known as empty.

    Then the tables are filled: `EXPLAIN EXECUTE` of its statements shows the plans it keeps.
    """
    connection = await connect(module_database)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute(f"{BEGIN}; SET LOCAL plan_cache_mode = force_generic_plan")
    for number, (question, arguments) in enumerate(QUESTIONS.values()):
        types = await types_of(connection, question)
        await connection.execute(
            f"PREPARE q{number} ({types}) AS {question}"
            if types
            else f"PREPARE q{number} AS {question}"
        )
        await connection.execute(f"EXECUTE q{number}{values_of(arguments)}")
    await connection.execute("COMMIT")
    for statement in FILL:
        await connection.execute(statement, *([FULL] if "$1" in statement else []))
    yield connection
    await connection.close()


def assert_by_index(name: str, plan: dict[str, Any]) -> None:
    """Every hot table is read by probes of an index, and by nothing that builds on all of it."""
    found = list(nodes(plan))
    for node in found:
        kind, table = node["Node Type"], node.get("Relation Name")
        shown = f"{name}: {kind} of {table}, in {[each['Node Type'] for each in found]}"
        assert kind not in {"Hash Join", "Merge Join"}, shown
        assert not node.get("Subplan Name", "").startswith("hashed"), shown
        if table not in HOT or kind in {"ModifyTable", "Tid Scan"} or table in WHOLE.get(name, ()):
            continue
        assert kind in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, shown
        assert "Index Cond" in node or kind == "Bitmap Heap Scan", shown
        if name in ONLY:
            assert node.get("Index Name") in ONLY[name], (shown, node)
    if name in ONLY:
        sorted_from = [
            each for node in found if "Sort" in node["Node Type"] for each in nodes(node)
        ]
        assert not set(HOT).intersection(each.get("Relation Name") for each in sorted_from), name


async def plan_of(connection: asyncpg.Connection, explained: str) -> dict[str, Any]:
    await connection.execute(BEGIN)
    try:
        shown = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {explained}")
    finally:
        await connection.execute("ROLLBACK")
    found: dict[str, Any] = json.loads(shown)[0]["Plan"]
    return found


@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_plan_from_empty_tables_is_right_for_full_ones(
    empty_plans: asyncpg.Connection, name: str
) -> None:
    number = list(QUESTIONS).index(name)
    values = values_of(QUESTIONS[name][1])
    assert_by_index(name, await plan_of(empty_plans, f"EXECUTE q{number}{values}"))


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("has_statistics", [False, True], ids=["stale", "fresh"])
async def test_new_plans_are_right_too(
    empty_plans: asyncpg.Connection,
    module_database: str,
    mode: str,
    *,
    has_statistics: bool,
) -> None:
    del empty_plans  # has filled the tables
    connection = await connect(module_database)
    if has_statistics:
        await connection.execute("ANALYZE")
    for name, (question, arguments) in QUESTIONS.items():
        types = await types_of(connection, question)
        await connection.execute(f"SET plan_cache_mode = {mode}")
        await connection.execute(f"PREPARE q {f'({types})' if types else ''} AS {question}")
        assert_by_index(name, await plan_of(connection, f"EXECUTE q{values_of(arguments)}"))
        await connection.execute("DEALLOCATE q")
    await connection.close()


async def test_what_a_foreign_key_checks_is_found_by_index(
    empty_plans: asyncpg.Connection, module_database: str
) -> None:
    """Their plans are kept too, made here while the customers were none."""
    del empty_plans
    connection = await connect(module_database)
    await connection.execute(BEGIN)
    before = await rows_read(connection, "customers")
    await connection.execute(
        """
        INSERT INTO tickets (id, ticket_number, tenant_id, subject, priority, origin_type,
                             target_type, customer_id, created_at, updated_at)
        SELECT gen_random_uuid(), 'F' || external_id, 'north', 'x', 'normal', 'customer', 'tenant',
               id, now(), now() FROM customers WHERE external_id <= 50 ORDER BY external_id
        """
    )
    assert await rows_read(connection, "customers") == before
    await connection.execute("ROLLBACK")
    await connection.close()


async def rows_read(connection: asyncpg.Connection, table: str) -> int:
    """How many rows this transaction has read of the table by scanning all of it."""
    number: int = await connection.fetchval(
        "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = $1", table
    )
    return number
