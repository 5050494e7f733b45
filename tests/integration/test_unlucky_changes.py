"""Changes in unlucky and hostile orders: each keeps its one outcome, and harms no other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from db import policies
from handlers.batch import Entry, handle
from handlers.closing import close_due
from handlers.identity import ticket_number
from tests.integration.batch_stage import BatchStage, staged
from tests.integration.test_changes import CUSTOMER, facts_of, opened
from tests.records import asked, wanted
from tests.scenarios.messages import ANNA, NORTH, party_id

pytestmark = pytest.mark.integration

NO_COPY = 1_000_000
HOSTILE = 'a\\b\tc\nd\re\v\\N\\.\n\\.\n{"x"},\'; -- \u2028 \U0001f4a9 e\u0301 \x7f'
"""What COPY's text form, array literals and JSON each have to escape."""


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows Anna, a partner of her tenant and one of another."""
    async with staged(module_database) as ready:
        await ready.know("Anna")
        await ready.know_partner("Cable & Co")
        await ready.know_partner("Foreign", tenant_id="south")
        yield ready


async def row_of(stage: BatchStage, ticket_id: str) -> dict[str, Any]:
    ((row,),) = await stage.ask(
        "SELECT row_to_json(t)::text FROM tickets t WHERE id = $1", ticket_id
    )
    found: dict[str, Any] = orjson.loads(row)
    return found


async def assert_whole(stage: BatchStage, ticket_id: str) -> None:
    """Its facts count from 1 without gaps, as the ticket says, and its time never goes back."""
    facts = await facts_of(stage, ticket_id)
    row = await row_of(stage, ticket_id)
    assert [sequence for sequence, _, _ in facts] == list(range(1, row["sequence"] + 1))
    effective = [data["occurred_at"] for _, _, data in facts[1:]]
    assert effective == sorted(effective)
    (_, _, first), *rest = facts
    written = [first["created_at"], *(data["updated_at"] for _, _, data in rest)]
    assert written == sorted(written)
    rows = await stage.ask(
        "SELECT occurred_at, outbox_id FROM ticket_facts WHERE subject_id = $1 ORDER BY sequence",
        ticket_id,
    )
    assert rows == sorted(rows)
    assert [at.isoformat(timespec="microseconds") for at, _ in rows] == written
    said = await stage.ask(
        "SELECT created_at FROM ticket_messages WHERE ticket_id = $1 ORDER BY sequence", ticket_id
    )
    assert said == sorted(said)


async def test_a_refusal_in_the_middle_leaves_the_others(stage: BatchStage) -> None:
    ticket = await opened(stage)
    batch: list[Entry] = [
        wanted("set_status", ticket, 0, status="resolved"),
        wanted("rate", ticket, 1, rating=5),
        wanted("assign", ticket, 2, assigned_team="a", expected_sequence=2),
        wanted("assign", ticket, 3, assigned_team="b", expected_sequence=2),
        wanted("rate", ticket, 4, rating=2, actor=CUSTOMER, expected_sequence=3),
    ]
    found = await stage.settle(batch)
    assert found == ["changed", "rejected", "changed", "rejected", "changed"]
    await assert_whole(stage, ticket)
    row = await row_of(stage, ticket)
    assert (row["assigned_team"], row["rating"], row["sequence"]) == ("a", 2, 4)


@pytest.mark.parametrize("copy_from", [1, NO_COPY])
async def test_a_batch_opens_a_ticket_repeats_it_and_changes_it(
    stage: BatchStage, copy_from: int
) -> None:
    request = asked(1, 0)
    by_number: dict[str, Any] = {"ticket_number": ticket_number(request.ticket_id)}
    more = [asked(n, n) for n in range(10, 30)]
    batch: list[Entry] = [
        wanted("add_message", None, 0, body=HOSTILE, **by_number),
        request,
        *more,
        asked(1, 1, title="Something else"),
        wanted("add_message", request.ticket_id, 1, body=HOSTILE, is_internal=True),
        wanted("assign", None, 2, assigned_team=HOSTILE[:100].strip(), **by_number),
        wanted("set_fields", request.ticket_id, 3, fields={"context": {HOSTILE: [HOSTILE]}}),
        wanted("set_fields", request.ticket_id, 4, fields={"affected_services": [HOSTILE]}),
    ]
    found = await stage.settle(batch, copy_from=copy_from)
    assert found == ["changed", *["created"] * 21, "duplicate", *["changed"] * 4]
    await assert_whole(stage, request.ticket_id)
    row = await row_of(stage, request.ticket_id)
    assert (row["context"], row["affected_services"]) == ({HOSTILE: [HOSTILE]}, [HOSTILE])
    assert row["assigned_team"] == HOSTILE
    said = await stage.ask(
        "SELECT body FROM ticket_messages WHERE ticket_id = $1 ORDER BY sequence", request.ticket_id
    )
    assert [body for (body,) in said[1:]] == [HOSTILE] * 2


async def test_a_refused_identity_is_accepted_later_in_the_same_batch(stage: BatchStage) -> None:
    ticket = await opened(stage)
    refused = wanted("set_status", ticket, 0, status="resolved", request_id="c", actor=CUSTOMER)
    wrong = wanted("set_status", ticket, 1, status="resolved", request_id="c", actor=...)
    right = wanted("set_status", ticket, 2, status="resolved", request_id="c")
    late = wanted("set_status", ticket, 3, status="resolved", request_id="c")
    batch: list[Entry] = [refused, wrong, right, late]
    assert await stage.settle(batch) == ["rejected", "rejected", "changed", "duplicate"]
    assert await stage.settle(batch) == ["duplicate"] * 4
    assert await stage.count("requests WHERE kind = 'change'") == 1
    assert await stage.count("ticket_facts WHERE sequence = 0") == 2
    await assert_whole(stage, ticket)


async def test_a_value_that_the_database_refuses_is_buried_alone(stage: BatchStage) -> None:
    ticket = await opened(stage)
    stage.watched.poison = "poison"
    batch: list[Entry] = [
        wanted("assign", ticket, n, assigned_team="poison" if n == 3 else f"team {n}")
        for n in range(7)
    ]
    found = await stage.settle(batch)
    assert found == [*["changed"] * 3, "dead_lettered", *["changed"] * 3]
    stage.watched.poison = None
    await assert_whole(stage, ticket)
    assert (await row_of(stage, ticket))["assigned_team"] == "team 6"
    assert await stage.settle(batch) == ["duplicate"] * 7
    assert await stage.settle(batch[3:4]) == ["duplicate"]


async def test_one_identity_in_two_workers_counts_once(stage: BatchStage) -> None:
    tickets = [await opened(stage, number) for number in range(6)]
    batches = [
        [
            wanted(
                "assign", each, n, partition=worker, request_id=f"c-{n}", assigned_team=f"{worker}"
            )
            for n, each in enumerate(tickets)
        ]
        for worker in range(4)
    ]
    crossed = [
        wanted("assign", each, n, partition=9, request_id=f"c-{n}", assigned_team="crossed")
        for n, each in enumerate(reversed(tickets))
    ]
    await asyncio.gather(*(stage.batches().settle(batch) for batch in [*batches, crossed]))
    assert await stage.count("requests WHERE kind = 'change'") == 6
    assert await stage.count("ticket_facts WHERE sequence > 1") == 6
    for each in tickets:
        await assert_whole(stage, each)


async def test_a_thousand_changes_of_one_ticket_in_one_batch(stage: BatchStage) -> None:
    ticket = await opened(stage)
    batch: list[Entry] = [
        wanted("assign", ticket, n, assigned_team=f"{n}", expected_sequence=n + 1)
        for n in range(1_000)
    ]
    assert await stage.settle(batch) == ["changed"] * 1_000
    assert len(stage.watched.trips) < 20
    await assert_whole(stage, ticket)


async def test_large_contexts_are_replaced_over_and_over(stage: BatchStage) -> None:
    ticket = await opened(stage)
    batch: list[Entry] = [
        wanted("set_fields", ticket, n, fields={"context": {"n": n, "x": "\\" * 16_000}})
        for n in range(100)
    ]
    assert await stage.settle(batch) == ["changed"] * 100
    await assert_whole(stage, ticket)
    assert (await row_of(stage, ticket))["context"]["n"] == 99


async def test_a_change_keeps_the_numbers_of_a_context_that_it_does_not_touch(
    stage: BatchStage,
) -> None:
    numbers = {"big": 2**70 + 1, "small": 1.5e-300, "wide": 1e300, "whole": 1.0, "last": 2**64 - 1}
    request = asked(1, 0, context=numbers)
    await stage.settle([request])
    before = await stage.ask("SELECT context::text FROM tickets")
    await stage.settle([wanted("assign", request.ticket_id, 0, assigned_team="a")])
    assert await stage.ask("SELECT context::text FROM tickets") == before
    same = wanted("set_fields", request.ticket_id, 1, fields={"context": numbers})
    assert await stage.settle([same]) == ["unchanged"]


async def test_a_context_of_short_numbers_stays_short(stage: BatchStage) -> None:
    """PostgreSQL shows 1e300 with all its zeros."""
    request = asked(1, 0, context={"wide": [1e300, -1e22, 5e-324] * 1_000})
    await stage.settle([request])
    changes: list[Entry] = [
        wanted("assign", request.ticket_id, 0, assigned_team="a"),
        wanted("set_fields", request.ticket_id, 1, fields={"context": {}}),
    ]
    assert await stage.settle(changes) == ["changed", "changed"]
    assert await stage.count("ticket_facts WHERE length(data) > 32768") == 0


async def test_no_change_takes_effect_before_the_last_or_after_now(stage: BatchStage) -> None:
    ticket = await opened(stage)
    batch: list[Entry] = [
        wanted("assign", ticket, 0, assigned_team="a", occurred_at="1970-01-01T00:00:00Z"),
        wanted("set_status", ticket, 1, status="resolved", occurred_at="2999-01-01T00:00:00Z"),
        wanted("set_status", ticket, 2, status="open", occurred_at="1000-01-01T00:00:00Z"),
        wanted("set_status", ticket, 3, status="closed", occurred_at="9000-01-01T00:00:00Z"),
    ]
    assert await stage.settle(batch) == ["changed"] * 4
    await assert_whole(stage, ticket)
    row = await row_of(stage, ticket)
    assert row["created_at"] < row["closed_at"] == row["resolved_at"] == row["updated_at"]


async def test_a_ticket_s_time_never_goes_back(stage: BatchStage) -> None:
    """A transaction that began first may get the ticket second."""
    ticket = await opened(stage)
    async with stage.transaction() as slow:
        await stage.settle([wanted("set_status", ticket, 0, status="waiting")])
        await handle(slow, [wanted("set_status", ticket, 1, status="resolved")], stage.setting)
    await assert_whole(stage, ticket)
    row = await row_of(stage, ticket)
    assert row["resolved_at"] == row["updated_at"] == row["last_change_at"]


async def test_partners_are_the_tenants_own(stage: BatchStage) -> None:
    ticket = await opened(stage)
    batch: list[Entry] = [
        wanted("escalate", ticket, 0, to={"partner_id": party_id("Foreign")}),
        wanted("escalate", ticket, 1, to={"partner_id": party_id("nobody")}),
        wanted("escalate", ticket, 2, to={"partner_id": party_id("Cable & Co")}),
    ]
    assert await stage.settle(batch) == ["rejected", "rejected", "changed"]
    await assert_whole(stage, ticket)


async def test_a_ticket_without_customer_is_no_customers(stage: BatchStage) -> None:
    request = asked(1, 0, customer_id=..., origin_type="platform", target_type="tenant")
    assert await stage.settle([request]) == ["created"]
    names = [..., None, "None", "null", ANNA]
    batch: list[Entry] = []
    for n, name in enumerate(names):
        actor = {"type": "customer"} if name is ... else {"type": "customer", "id": name}
        batch.append(wanted("add_message", request.ticket_id, n, body="mine", actor=actor))
    assert await stage.settle(batch) == ["rejected"] * len(names)
    assert await stage.count("ticket_messages") == 1


async def test_a_request_that_another_worker_commits_meanwhile(stage: BatchStage) -> None:
    """The batch repeats it and changes its ticket: found, though it was not there to be locked."""
    request = asked(1, 0)
    again = asked(1, 0, partition=1)

    async def meanwhile(said: str) -> None:
        if "AS outbox_id" in said:
            stage.watched.before = None
            await stage.settle([request])

    stage.watched.before = meanwhile
    batch: list[Entry] = [again, wanted("set_status", request.ticket_id, 0, status="waiting")]
    found = await stage.settle(batch)
    assert found == ["duplicate", "changed"]


@pytest.mark.parametrize("copy_from", [1, NO_COPY])
async def test_workers_that_open_the_same_tickets_lose_no_change(
    stage: BatchStage, copy_from: int
) -> None:
    """One is first; the others wrote tickets already, and start again."""
    requests = [asked(n, n) for n in range(8)]

    def batch(worker: int) -> list[Entry]:
        return [
            *(asked(n, n, partition=worker) for n in range(8)),
            *(
                wanted("add_message", each.ticket_id, n, partition=worker, body=f"{worker}")
                for n, each in enumerate(requests)
            ),
        ]

    workers = [stage.batches(copy_from=copy_from) for _ in range(5)]
    await asyncio.gather(*(each.settle(batch(n)) for n, each in enumerate(workers)))
    assert stage.retries == 0
    assert await stage.count("tickets") == 8
    assert await stage.count("requests WHERE outcome = 'changed'") == 40
    assert await stage.count("ticket_messages") == 48
    for each in requests:
        await assert_whole(stage, each.ticket_id)


async def test_a_number_that_is_taken_sends_the_batch_around_again(stage: BatchStage) -> None:
    """The ticket gets its next number; who names the first one means the ticket that has it."""
    request, other = asked(1, 0), await opened(stage, 2)
    taken = ticket_number(request.ticket_id)
    await stage.ask("UPDATE tickets SET ticket_number = $1 WHERE id = $2", taken, other)
    by_number: dict[str, Any] = {"ticket_number": taken}
    batch: list[Entry] = [
        request,
        wanted("assign", request.ticket_id, 0, assigned_team="new"),
        wanted("assign", None, 1, assigned_team="old", **by_number),
    ]
    assert await stage.settle(batch) == ["created", "changed", "changed"]
    assert (await row_of(stage, request.ticket_id))["assigned_team"] == "new"
    assert (await row_of(stage, other))["assigned_team"] == "old"
    await assert_whole(stage, request.ticket_id)


async def test_a_ticket_closes_by_itself_after_its_last_change(stage: BatchStage) -> None:
    """Its timer began before an agent's note was committed, and closes it after that."""
    ticket = await opened(stage)
    async with stage.transaction() as connection:
        await policies.add(connection, NORTH, 1, '{"settings": {"auto_close_days": 1}}')
    await stage.settle([wanted("set_status", ticket, 0, status="resolved")])
    await stage.ask("UPDATE tickets SET resolved_at = resolved_at - interval '2 days'")
    async with stage.transaction() as slow:
        note = wanted("add_message", ticket, 1, body="Called back.", is_internal=True)
        await stage.settle([note])
        handled = await close_due(slow, [(NORTH, ticket)], copy_from=NO_COPY)
    assert handled.closed == 1
    await assert_whole(stage, ticket)


@pytest.mark.parametrize("refused_before", [False, True])
async def test_one_identity_for_two_tickets_counts_once(
    stage: BatchStage, *, refused_before: bool
) -> None:
    """Each worker holds its own ticket, so they meet on the identity alone."""
    first, second = await opened(stage, 1), await opened(stage, 2)
    if refused_before:
        refused = wanted("assign", first, 0, request_id="c", assigned_team="x", actor=...)
        assert await stage.settle([refused]) == ["rejected"]
    rival = wanted("assign", second, 1, partition=1, request_id="c", assigned_team="rival")

    async def meanwhile(said: str) -> None:
        if "UPDATE tickets" in said or "UPDATE requests" in said:
            stage.watched.before = None
            await stage.settle([rival])

    stage.watched.before = meanwhile
    late = wanted("assign", first, 2, request_id="c", assigned_team="late")
    assert await stage.settle([late]) == ["duplicate"]
    assert (await row_of(stage, first))["assigned_team"] is None
    assert (await row_of(stage, second))["assigned_team"] == "rival"
    assert await stage.settle([late, rival]) == ["duplicate", "duplicate"]
    await assert_whole(stage, first)
    await assert_whole(stage, second)


async def test_no_identity_crosses_kinds_or_tenants(stage: BatchStage) -> None:
    request = asked("x", 0)
    south = asked("x", 1, tenant_id="south", customer_id=..., origin_type="platform")
    change = wanted("assign", request.ticket_id, 0, request_id="request-x", assigned_team="a")
    foreign = wanted(
        "assign", south.ticket_id, 1, request_id="request-x", assigned_team="b", tenant_id="south"
    )
    found = await stage.settle([request, south, change, foreign])
    assert found == ["created", "created", "changed", "changed"]
