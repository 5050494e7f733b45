"""Changes in batches on real PostgreSQL: locked, judged in their order, written once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from handlers.batch import Entry
from handlers.identity import ticket_number
from tests.integration.batch_stage import BatchStage, staged
from tests.records import asked, broken, wanted
from tests.scenarios.messages import ANNA

pytestmark = pytest.mark.integration

CUSTOMER = {"type": "customer", "id": ANNA}


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows Anna."""
    async with staged(module_database) as ready:
        await ready.know("Anna")
        yield ready


async def opened(stage: BatchStage, number: int = 1) -> str:
    """The id of a ticket that Anna has just opened."""
    request = asked(number, 1_000 + number)
    assert await stage.settle([request]) == ["created"]
    stage.forget()
    return request.ticket_id


async def facts_of(stage: BatchStage, ticket_id: str) -> list[tuple[int, str, dict[str, Any]]]:
    rows = await stage.ask(
        "SELECT sequence, ce_type, data FROM ticket_facts WHERE subject_id = $1 ORDER BY sequence",
        ticket_id,
    )
    return [(sequence, ce_type, orjson.loads(data)) for sequence, ce_type, data in rows]


async def status_of(stage: BatchStage, ticket_id: str) -> str:
    ((status,),) = await stage.ask("SELECT status FROM tickets WHERE id = $1", ticket_id)
    return str(status)


async def test_a_ticket_lives_from_one_change_to_the_next_within_a_batch(stage: BatchStage) -> None:
    ticket = await opened(stage)
    story: list[Entry] = [
        wanted("add_message", ticket, 0, body="We look into it."),
        wanted("set_priority", ticket, 1, priority="high"),
        wanted("set_status", ticket, 2, status="resolved"),
        wanted("add_message", ticket, 3, body="It is back again.", actor=CUSTOMER),
        wanted("set_status", ticket, 4, status="open"),
    ]
    assert await stage.settle(story) == ["changed"] * 4 + ["unchanged"]
    facts = await facts_of(stage, ticket)
    assert [sequence for sequence, _, _ in facts] == list(range(1, len(facts) + 1))
    assert [ce_type for _, ce_type, _ in facts] == [
        "ticket.created",
        "ticket.message_added",
        "ticket.status_changed",
        "ticket.priority_changed",
        "ticket.status_changed",
        "ticket.message_added",
        "ticket.reopened",
    ]
    ((sequence, priority),) = await stage.ask(
        "SELECT sequence, priority FROM tickets WHERE id = $1", ticket
    )
    assert (sequence, priority) == (len(facts), "high")
    assert await stage.count("ticket_messages") == 3


async def test_a_batch_of_changes_takes_as_many_statements_as_one(stage: BatchStage) -> None:
    tickets = [await opened(stage, number) for number in range(40)]
    await stage.settle([wanted("set_status", tickets[0], 0, status="waiting")])
    one = len(stage.watched.trips)
    stage.forget()
    many = [wanted("set_status", each, 10 + n, status="resolved") for n, each in enumerate(tickets)]
    assert await stage.settle(many) == ["changed"] * 40
    assert len(stage.watched.trips) == one


async def test_a_change_may_come_with_the_request_that_opens_its_ticket(stage: BatchStage) -> None:
    request = asked(1, 0)
    by_number: dict[str, Any] = {"ticket_number": ticket_number(request.ticket_id)}
    batch: list[Entry] = [
        request,
        wanted("set_status", request.ticket_id, 0, status="waiting"),
        wanted("assign", None, 1, assigned_team="North", **by_number),
    ]
    assert await stage.settle(batch) == ["created", "changed", "changed"]
    assert await status_of(stage, request.ticket_id) == "waiting"
    sequences = [sequence for sequence, _, _ in await facts_of(stage, request.ticket_id)]
    assert sequences == [1, 2, 3]


async def test_nothing_is_found_by_an_id_of_another_tenant(stage: BatchStage) -> None:
    ticket = await opened(stage)
    south: dict[str, Any] = {"tenant_id": "south"}
    by_number: dict[str, Any] = {"ticket_number": ticket_number(ticket), **south}
    batch: list[Entry] = [
        wanted("set_status", ticket, 0, status="resolved", **south),
        wanted("set_status", None, 1, status="resolved", **by_number),
        wanted("set_status", None, 2, status="resolved", ticket_number="TCK-000000000000"),
    ]
    assert await stage.settle(batch) == ["rejected"] * 3
    assert await status_of(stage, ticket) == "open"
    rows = await stage.ask("SELECT tenant_id, code FROM requests WHERE kind = 'change' ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("north", "ticket_not_found"),
        ("south", "ticket_not_found"),
        ("south", "ticket_not_found"),
    ]


async def test_repeating_changes_nothing(stage: BatchStage) -> None:
    ticket = await opened(stage)
    batch: list[Entry] = [
        wanted("set_status", ticket, 0, status="resolved", request_id="c-1"),
        wanted("set_status", ticket, 1, status="open", actor=...),
        broken(2),
    ]
    assert await stage.settle(batch) == ["changed", "rejected", "dead_lettered"]
    facts = await stage.count("ticket_facts")
    assert await stage.settle(batch) == ["duplicate"] * 3
    again = wanted("set_status", ticket, 7, status="closed", request_id="c-1")
    assert await stage.settle([again]) == ["duplicate"]
    assert await stage.count("ticket_facts") == facts
    assert await status_of(stage, ticket) == "resolved"


async def test_a_refused_change_is_decided_anew_by_a_new_record(stage: BatchStage) -> None:
    request = asked(1, 0)
    early = wanted("set_status", request.ticket_id, 0, status="resolved", request_id="c-1")
    late = wanted("set_status", request.ticket_id, 1, status="resolved", request_id="c-1")
    assert await stage.settle([early]) == ["rejected"]
    assert await stage.settle([request]) == ["created"]
    assert await stage.settle([late, early]) == ["changed", "duplicate"]


async def test_many_workers_change_one_ticket_in_one_consistent_history(stage: BatchStage) -> None:
    ticket = await opened(stage)
    batches = [
        [
            wanted("add_message", ticket, offset, partition=worker, body=f"{worker}.{offset}")
            for offset in range(10)
        ]
        for worker in range(8)
    ]
    settled = await asyncio.gather(*(stage.batches().settle(batch) for batch in batches))
    assert len(settled) == 8
    facts = await facts_of(stage, ticket)
    assert [sequence for sequence, _, _ in facts] == list(range(1, len(facts) + 1))
    said = [data["message"]["body"] for _, kind, data in facts if kind == "ticket.message_added"]
    assert len(said) == 80
    for worker in range(8):
        own = [body for body in said if body.startswith(f"{worker}.")]
        assert own == [f"{worker}.{offset}" for offset in range(10)]
    numbers = await stage.ask(
        "SELECT sequence, outbox_id FROM ticket_facts WHERE subject_id = $1 ORDER BY sequence",
        ticket,
    )
    outbox_ids = [outbox_id for _, outbox_id in numbers]
    assert outbox_ids == sorted(outbox_ids)


async def test_workers_that_change_the_same_tickets_never_block_each_other(
    stage: BatchStage,
) -> None:
    tickets = [await opened(stage, number) for number in range(12)]
    batches = [
        [
            wanted("assign", each, n, partition=worker, assigned_team=f"team {worker}.{n}")
            for n, each in enumerate(tickets if worker % 2 else tickets[::-1])
        ]
        for worker in range(8)
    ]
    await asyncio.gather(*(stage.batches().settle(batch) for batch in batches))
    assert stage.retries == 0
    for each in tickets:
        sequences = [sequence for sequence, _, _ in await facts_of(stage, each)]
        assert sequences == list(range(1, 10))
