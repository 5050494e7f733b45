"""Decisions become rows: in key order, each identity in one place, and facts in their order."""

import json
from typing import Any

import pytest
from sqlalchemy import Table

from db import tables
from db.bulk import NULL, Row
from handlers.identity import first_message_id, rejection_id, ticket_number
from handlers.outcomes import Known, Prior, Request, Rules, Stranger
from handlers.requests import decide
from handlers.rows import rows_of
from handlers.write import OUTBOX_COLUMNS
from handlers.written import (
    FACT_COLUMNS,
    MESSAGE_COLUMNS,
    REQUEST_COLUMNS,
    TICKET_COLUMNS,
    Written,
)
from schemas.vocabulary import Outcome
from tests.records import asked, known
from tests.scenarios.messages import ANNA, NORTH, party_id

NOBODY = party_id("Nobody")
FORBIDDEN: dict[str, Any] = {"target_type": "platform"}


def written(*requests: Request, facts: Known | None = None, rules: Rules | None = None) -> Written:
    facts = facts or known(strangers={(NORTH, NOBODY): Stranger.MISSING})
    return rows_of(decide(requests, facts, rules or Rules()), facts)


def named(columns: tuple[str, ...], row: Row) -> dict[str, Any]:
    return {
        name: None if value == NULL else value for name, value in zip(columns, row, strict=True)
    }


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (tables.tickets, TICKET_COLUMNS),
        (tables.ticket_messages, MESSAGE_COLUMNS),
        (tables.requests, REQUEST_COLUMNS),
        (tables.ticket_facts, FACT_COLUMNS),
        (tables.outbox, OUTBOX_COLUMNS),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else "",
)
def test_every_column_is_one_of_the_tables_and_none_that_is_needed_is_missing(
    table: Table, columns: tuple[str, ...]
) -> None:
    needed = {
        each.name for each in table.columns if not each.nullable and each.server_default is None
    }
    assert needed <= set(columns) <= set(table.columns.keys())


def test_a_created_ticket_is_a_row_in_each_table() -> None:
    request = asked(3, 42, partition=1, attachments=[{"name": "a", "url": "http://x/a", "z": 1}])
    rows = written(request)
    (ticket,), (message,), (fact,) = rows.tickets, rows.messages, rows.facts
    ((identity, outcome),) = rows.requests.items()
    assert identity == (NORTH, request.request_key)
    now = "2026-03-01T12:00:00.000000+00:00"
    assert named(MESSAGE_COLUMNS, message) == {
        "id": first_message_id(request.ticket_id),
        "ticket_id": request.ticket_id,
        "tenant_id": NORTH,
        "sequence": "1",
        "sender_type": "customer",
        "sender_id": ANNA,
        "body": "The modem shows a red light.",
        "attachments": '[{"name":"a","url":"http://x/a","content_type":null,"size":null}]',
        "is_internal": "false",
        "created_at": now,
    }
    assert named(REQUEST_COLUMNS, outcome) == {
        "tenant_id": NORTH,
        "request_key": request.request_key,
        "kind": "request",
        "outcome": "created",
        "code": None,
        "ticket_id": request.ticket_id,
        "topic": "ticket.requested",
        "partition": "1",
        "offset": "42",
        "content_hash": str(request.content_hash),
        "decided_at": now,
    }
    found = named(FACT_COLUMNS, fact)
    assert json.loads(found.pop("data"))["ticket_number"] == ticket_number(request.ticket_id)
    assert found == {
        "tenant_id": NORTH,
        "subject_id": request.ticket_id,
        "sequence": "1",
        "outbox_id": "7",
        "ce_type": "ticket.created",
        "ticket_id": request.ticket_id,
        "ticket_number": ticket_number(request.ticket_id),
        "causation_id": "request-3",
        "traceparent": None,
        "record": None,
        "occurred_at": now,
    }
    columns = named(TICKET_COLUMNS, ticket)
    assert (columns["id"], columns["subject"]) == (request.ticket_id, "No connection 3")
    assert (columns["priority"], columns["created_by"]) == ("normal", ANNA)
    assert (columns["origin_user_id"], columns["request_id"]) == (None, "request-3")


def test_the_event_that_caused_a_fact_is_named() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = (("ce_id", b"e-1"), ("ce_source", b"/p"), ("traceparent", trace.encode()))
    (fact,) = written(asked(headers=headers)).facts
    found = named(FACT_COLUMNS, fact)
    assert (found["causation_id"], found["traceparent"]) == ("e-1", trace)
    assert found["record"] is None


def test_a_record_is_named_where_there_is_no_id_to_name() -> None:
    of_opened, of_refused = written(
        asked(1, 42, partition=3, request_id=...), asked(2, 43, request_id=..., **FORBIDDEN)
    ).facts
    opened, refused = named(FACT_COLUMNS, of_opened), named(FACT_COLUMNS, of_refused)
    assert (opened["causation_id"], opened["record"]) == (None, "ticket.requested:3:42")
    assert (refused["causation_id"], refused["record"]) == (None, "ticket.requested:0:43")
    call = asked(request_id=...)._replace(record=None)  # the library face's
    (fact,) = written(call).facts
    assert named(FACT_COLUMNS, fact)["record"] is None


def test_a_rejection_is_a_fact_of_its_own_and_no_ticket() -> None:
    request = asked(offset=5, **FORBIDDEN)
    rows = written(request)
    assert (rows.tickets, rows.messages) == ([], [])
    (fact,) = rows.facts
    found = named(FACT_COLUMNS, fact)
    assert found["subject_id"] == rejection_id(request.request_key, "ticket.requested", 0, 5)
    assert (found["sequence"], found["ticket_number"]) == ("0", None)
    assert found["ticket_id"] == request.ticket_id
    ((_, outcome),) = rows.requests.items()
    assert named(REQUEST_COLUMNS, outcome)["code"] == "route_not_allowed"


def test_rejected_and_then_created_leaves_both_facts_and_one_outcome() -> None:
    rows = written(asked(offset=0, **FORBIDDEN), asked(offset=1))
    assert [fact[4] for fact in rows.facts] == ["ticket.rejected", "ticket.created"]
    ((_, outcome),) = rows.requests.items()
    assert named(REQUEST_COLUMNS, outcome)["outcome"] == "created"
    assert named(REQUEST_COLUMNS, outcome)["offset"] == "1"


def test_rejected_and_then_parked_waits_once() -> None:
    rows = written(asked(offset=0, **FORBIDDEN), asked(offset=1, customer_id=NOBODY))
    assert len(rows.facts) == 1
    assert len(rows.parked) == 1
    ((_, outcome),) = rows.requests.items()
    assert named(REQUEST_COLUMNS, outcome)["outcome"] == "parked"


def test_an_identity_that_is_on_record_is_changed_and_not_inserted() -> None:
    request = asked(offset=9)
    before = Prior(Outcome.REJECTED, 0, "ticket.requested", 0, 1, request.ticket_id)
    facts = known(decided={(NORTH, request.request_key): before})
    rows = written(request, asked(2), facts=facts)
    assert list(rows.settled) == [(NORTH, request.request_key)]
    assert list(rows.requests) == [(NORTH, asked(2).request_key)]


def test_a_duplicate_leaves_nothing() -> None:
    rows = written(asked(), asked(offset=1))
    assert len(rows.requests) == len(rows.facts) == len(rows.tickets) == 1


def test_a_customer_that_nobody_announced_is_listed() -> None:
    rows = written(asked(customer_id=NOBODY), rules=Rules(customers_required=False))
    assert rows.customers == [(NORTH, NOBODY)]


def test_rows_are_in_key_order() -> None:
    requests = [
        asked(number, tenant_id=tenant)
        for number in range(20)
        for tenant in ("south", NORTH, "east")
    ]
    rows = written(*requests)
    assert [(row[2], row[0]) for row in rows.tickets] == sorted(
        (each.tenant_id, each.ticket_id) for each in requests
    )
    by_table = {batch.table.name: batch.rows for batch in rows.tables()}
    assert list(by_table) == [
        *("tickets", "ticket_messages", "sla_clocks", "requests", "ticket_facts")
    ]
    keys = [(row[0], row[1]) for row in by_table["requests"]]
    assert keys == sorted((each.tenant_id, each.request_key) for each in requests)


def test_a_call_that_is_refused_is_never_written() -> None:
    refused = asked(**FORBIDDEN)._replace(record=None)
    with pytest.raises(AssertionError, match="library face raises"):
        written(refused)
