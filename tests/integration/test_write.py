"""Rows on real PostgreSQL: the same by COPY and by INSERT, in one order, whatever texts hold."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import tables
from db.bulk import NULL, Rows, copy, insert
from handlers.batch import Entry, handle
from handlers.outcomes import Rules
from schemas.ticket_created import TicketCreated
from tests.integration.batch_stage import TABLES, BatchStage, staged
from tests.records import asked, broken, customer_change, some_id
from tests.scenarios.messages import ANNA, party_id

pytestmark = pytest.mark.integration

ODD = "tab\tline\nfeed\rback\\slash \\N \\. \\v \x0b quote\"'{}, ,é\u2028\U0001f600"
TRACE = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),)


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    async with staged(module_database) as ready:
        await ready.know("Anna")
        await ready.know_partner("Cable & Co")
        yield ready


def everything() -> list[Entry]:
    """Records with every field, with none, with odd texts, and of every outcome."""
    full: dict[str, Any] = {
        "title": f"a{ODD}b",
        "description": ODD,
        "priority": "urgent",
        "ticket_type": "outage_report",
        "assigned_team": f"a{ODD}b",
        "service_address": ODD,
        "affected_services": [f"a{ODD}b", "NULL", "{}"],
        "device_serial_numbers": ["1", '"', "\\"],
        "partner_id": party_id("Cable & Co"),
        "actor": {"type": "tenant", "id": f"a{ODD}b"},
        "attachments": [{"name": f"a{ODD}b", "url": "https://x/y", "size": 5}],
        "context": {"deep": {"list": [1, 2.5, None, True, 2**70, ODD]}, "": "empty"},
        "group_key": f"a{ODD}b",
        "requested_at": "2026-02-28T23:59:60+05:30",
    }
    least: dict[str, Any] = {"customer_id": ..., "origin_type": "platform"}
    return [
        asked("full", 0, headers=TRACE, **full),
        asked(offset=1, request_id=..., **least),
        asked("rejected", 2, target_type="platform", title=f"a{ODD}b"),
        asked("parked", 3, customer_id=some_id("nobody")),
        asked("again", 4),
        asked("again", 5, title="Another"),
        broken(6, ODD.encode()),
        customer_change("Ben", 7, external_id=5, tier=f"a{ODD}b"),
        *(asked(number, number) for number in range(20, 60)),
    ]


async def rows_written(
    stage: BatchStage,
    entries: Sequence[Entry],
    **changes: Any,  # noqa: ANN401
) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables after this batch, which then is rolled back."""
    found: dict[str, list[dict[str, Any]]] = {}
    setting = stage.batches(**changes)._setting()  # noqa: SLF001
    async with stage.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT setval('outbox_id_seq', 1000)")
        await handle(connection, entries, setting)
        for table in TABLES:
            rows = await connection.fetch(f"SELECT t.* FROM {table} t ORDER BY t::text")  # noqa: S608
            found[table] = [dict(row) for row in rows]
        (now,) = await connection.fetchrow("SELECT now()")
        await transaction.rollback()
    return {table: [without_time(row, now) for row in rows] for table, rows in found.items()}


def without_time(row: dict[str, Any], now: Any) -> dict[str, Any]:  # noqa: ANN401  a datetime
    """The row with the transaction's time, and what is counted from it, made comparable."""
    shown = {}
    for name, value in row.items():
        if name == "data":
            data = json.loads(value)
            times = {key for key in data if key.endswith(("_at", "_date")) and data[key]}
            shown[name] = data | dict.fromkeys(times, "a time")
        elif name.endswith(("_at", "_date")) and name != "requested_at" and value is not None:
            shown[name] = value - now if name not in {"updated_at", "recorded_at"} else "a time"
        else:
            shown[name] = value
    return shown


async def test_copy_and_insert_write_the_same_rows(stage: BatchStage) -> None:
    rules = Rules(customers_required=False)
    batch = [*everything(), asked("unlisted", 8, customer_id=some_id("unlisted"))]
    for changes in ({}, {"rules": rules}):
        by_copy = await rows_written(stage, batch, copy_from=0, **changes)
        by_insert = await rows_written(stage, batch, copy_from=1_000_000, **changes)
        assert by_copy == by_insert
        assert all(by_copy[table] for table in TABLES if table != "parked_requests" or not changes)


async def test_every_text_is_stored_as_it_was_sent(stage: BatchStage) -> None:
    first, *_ = everything()
    await stage.settle([first, *(asked(number, number) for number in range(20, 60))])
    ((ticket),) = await stage.ask("SELECT * FROM tickets WHERE request_id = 'request-full'")
    assert ticket["subject"] == ticket["assigned_team"] == ticket["group_key"] == f"a{ODD}b"
    assert ticket["service_address"] == ODD.strip()
    assert json.loads(ticket["affected_services"]) == [f"a{ODD}b", "NULL", "{}"]
    context = json.loads(ticket["context"])
    assert context["deep"]["list"] == [1, 2.5, None, True, 2**70, ODD]
    assert context["routing"] == {"team": f"a{ODD}b"}
    assert str(ticket["requested_at"]) == "2026-02-28 18:30:00+00:00"
    ((body, attachments),) = await stage.ask(
        "SELECT body, attachments FROM ticket_messages WHERE ticket_id = $1", ticket["id"]
    )
    assert body == ODD.strip()
    assert json.loads(attachments)[0]["name"] == f"a{ODD}b"
    ((data,),) = await stage.ask(
        "SELECT data FROM ticket_facts WHERE subject_id = $1", ticket["id"]
    )
    fact = TicketCreated.model_validate_json(data)
    assert (fact.title, fact.description, fact.context) == (f"a{ODD}b", ODD.strip(), context)
    assert fact.ticket_number == ticket["ticket_number"]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
VALUES = TEXTS | st.sampled_from([NULL, "", "\\.", "\\N", "\\v", "\t", "\r\n", "NULL", "a\vb"])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(VALUES, min_size=1, max_size=8), st.booleans())
async def test_any_text_is_read_back_as_it_was_written(
    stage: BatchStage,
    values: list[str],
    is_copied: bool,  # noqa: FBT001  as Hypothesis calls it
) -> None:
    rows = [(str(number), "x", value, "0") for number, value in enumerate(values)]
    columns = ("request_key", "tenant_id", "topic", "content_hash")
    batch = Rows(
        tables.requests,
        (*columns, "kind", "outcome", "decided_at"),
        [(some_id(key), *rest, "request", "created", "now") for key, *rest in rows],
    )
    async with stage.transaction() as connection:
        if is_copied:
            await copy(connection, batch)
        else:
            await insert(connection, [batch])
        stored = {
            str(row["request_key"]): row["topic"]
            for row in await connection.fetch("SELECT request_key, topic FROM requests")
        }
        await connection.execute("TRUNCATE requests")
    found = [stored[some_id(str(number))] for number in range(len(values))]
    assert found == [None if value == NULL else value for value in values]


async def test_tables_are_written_in_their_order_by_insert_too(stage: BatchStage) -> None:
    """Each of three tables refuses its row: the first one is heard, and then the next."""
    rows = [
        Rows(tables.leases, ("name", "holder", "fence", "expires_at"), [("a", "h", "1", "now")]),
        Rows(tables.outbox, ("id", "facts", "created_at"), [("1", "1", "now")]),
        Rows(
            tables.party_positions,
            ("topic", "partition", "position", "recorded_at"),
            [("t", "0", "0", "now")],
        ),
    ]
    async with stage.pool.acquire() as connection:
        await insert(connection, rows)
        for batch in rows:
            with pytest.raises(asyncpg.UniqueViolationError) as refused:
                await insert(connection, rows)
            assert refused.value.table_name == batch.table.name
            await connection.execute(f"DELETE FROM {batch.table.name}")  # noqa: S608  ours
        await insert(connection, rows)


async def test_the_database_decides_what_time_it_is(stage: BatchStage) -> None:
    await stage.settle([asked(1), asked(2, 1, target_type="platform")])
    ((times, instants),) = await stage.ask(
        """
        SELECT count(DISTINCT t), array_agg(DISTINCT t) FROM (
          SELECT created_at AS t FROM tickets UNION ALL SELECT updated_at FROM tickets UNION ALL
          SELECT last_response_at FROM tickets UNION ALL SELECT created_at FROM ticket_messages
          UNION ALL SELECT decided_at FROM requests UNION ALL SELECT occurred_at FROM ticket_facts
          UNION ALL SELECT created_at FROM outbox) AS all_times (t)
        """
    )
    assert times == 1
    ((data,),) = await stage.ask("SELECT data FROM ticket_facts WHERE sequence = 1")
    assert json.loads(data)["created_at"] == instants[0].isoformat(timespec="microseconds")


async def test_anna_is_the_customer(stage: BatchStage) -> None:
    await stage.settle([asked(1)])
    assert await stage.count(f"tickets WHERE customer_id = '{ANNA}'") == 1
