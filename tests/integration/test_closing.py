"""Resolved tickets that close by themselves, on real PostgreSQL: each once, at the right time."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import orjson
import pytest

from consumer.closing import Closing
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db import policies
from handlers.batch import Entry, handle
from handlers.closing import close_due
from handlers.write import COPY_FROM
from schemas.ticket_updated import TicketUpdated
from tests.integration.batch_stage import BatchStage, staged
from tests.integration.test_batch import until_waiting
from tests.records import asked, wanted
from tests.scenarios.messages import ANNA, NORTH, party_id

pytestmark = pytest.mark.integration

DAY = 86_400.0
SOUTH = "south"
OF_SOUTH: dict[str, Any] = {"tenant_id": SOUTH, "customer_id": party_id("Sue")}
CUSTOMER = {"type": "customer", "id": ANNA}
PLACES = count(1_000)
"""Offsets, so that each record has a place of its own."""


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows a customer of the north and one of the south."""
    async with staged(module_database) as ready:
        await ready.know("Anna")
        await ready.know("Sue", tenant_id=SOUTH)
        yield ready


async def sweep(stage: BatchStage, metrics: Metrics | None = None) -> float | None:
    writes = Writes(stage.watched, Wakeups(), Handover())
    closer = Closing(
        pool=stage.watched, metrics=metrics or Metrics(), writes=writes, copy_from=COPY_FROM
    )
    return await closer.sweep()


async def apply(stage: BatchStage, days: float | None, tenant_id: str = NORTH) -> None:
    """Put a policy in force, as `policy apply` does."""
    document = orjson.dumps({"settings": {"reopen_days": 7, "auto_close_days": days}}).decode()
    async with stage.transaction() as connection:
        before = await policies.find(connection, tenant_id)
        version = 1 if before is None else before.version + 1
        await policies.add(connection, tenant_id, version, document)


async def resolved(
    stage: BatchStage,
    *numbers: int,
    ago: float,
    **fields: Any,  # noqa: ANN401  as `asked` takes them
) -> list[str]:
    """The ids of tickets that were resolved so many days ago."""
    requests = [asked(number, next(PLACES), **fields) for number in numbers]
    tenant: dict[str, Any] = {"tenant_id": requests[0].tenant_id}
    tickets = [request.ticket_id for request in requests]
    await stage.settle(requests)
    changes: list[Entry] = [
        wanted("set_status", ticket, next(PLACES), status="resolved", **tenant)
        for ticket in tickets
    ]
    assert await stage.settle(changes) == ["changed"] * len(numbers)
    await let_days_pass(stage, ago, tickets)
    stage.forget()
    return tickets


async def let_days_pass(stage: BatchStage, days: float, tickets: list[str]) -> None:
    await stage.ask(
        "UPDATE tickets SET resolved_at = resolved_at - make_interval(secs => 86400 * $1::float8)"
        " WHERE id = ANY($2::text[]::uuid[])",
        days,
        tickets,
    )


async def statuses(stage: BatchStage) -> dict[str, str]:
    return dict(await stage.ask("SELECT id::text, status FROM tickets"))


async def closings(stage: BatchStage) -> list[str]:
    """The tickets that the system closed, one for each fact, in the order of their facts."""
    rows = await stage.ask(
        """
        SELECT subject_id::text FROM ticket_facts WHERE data::jsonb #>> '{actor,type}' = 'system'
         ORDER BY outbox_id, tenant_id, subject_id
        """
    )
    return [row[0] for row in rows]


async def test_a_ticket_closes_when_its_tenants_days_are_over(stage: BatchStage) -> None:
    await apply(stage, 30)
    old, new = *await resolved(stage, 1, ago=30), *await resolved(stage, 2, ago=29.5)
    seconds = await sweep(stage)
    assert seconds == pytest.approx(DAY / 2, abs=60)
    assert await statuses(stage) == {old: "closed", new: "resolved"}
    await let_days_pass(stage, 0.5, [new])
    assert await sweep(stage) is None
    assert await statuses(stage) == {old: "closed", new: "closed"}
    assert await closings(stage) == [old, new]


async def test_what_it_tells_and_leaves_behind(stage: BatchStage) -> None:
    await apply(stage, 0.5)
    (ticket,) = await resolved(stage, 1, ago=1, context={"line": 7}, affected_services=["tv"])
    ((before,),) = await stage.ask("SELECT to_jsonb(t)::text FROM tickets t")
    await sweep(stage)
    ((after, closed_at),) = await stage.ask("SELECT to_jsonb(t)::text, closed_at FROM tickets t")
    ((row),) = await stage.ask(
        """
        SELECT f.sequence, f.ce_type, f.ticket_id::text, f.ticket_number = t.ticket_number,
               f.causation_id, f.traceparent, f.occurred_at, f.data, o.facts
          FROM ticket_facts f JOIN tickets t ON t.id = f.subject_id
          JOIN outbox o ON o.id = f.outbox_id WHERE f.sequence = 3
        """
    )
    sequence, ce_type, key, has_number, cause, trace, occurred_at, data, facts = row
    assert (sequence, ce_type, key, has_number) == (3, "ticket.status_changed", ticket, True)
    assert (cause, trace, occurred_at, facts) == (None, None, closed_at, 1)
    told = orjson.loads(data)
    TicketUpdated.model_validate_json(data)
    assert told["actor"] == {"type": "system", "id": None}
    assert told["request_id"] is None
    time = closed_at.isoformat(timespec="microseconds")
    assert told["changes"] == {
        "status": {"from": "resolved", "to": "closed"},
        "closed_at": {"from": None, "to": time},
    }
    assert (told["occurred_at"], told["updated_at"], told["sequence"]) == (time, time, 3)
    one, other = orjson.loads(before), orjson.loads(after)
    changed = {name for name in one if one[name] != other[name]}
    assert changed == {"status", "closed_at", "sequence", "updated_at"}


@pytest.mark.parametrize("days", [None, 31])
async def test_nothing_closes_before_its_time_or_without_a_time(
    stage: BatchStage, days: float | None
) -> None:
    tickets = await resolved(stage, 1, 2, ago=30)
    assert await sweep(stage) is None
    await apply(stage, 1, "elsewhere")
    await apply(stage, days)
    seconds = await sweep(stage)
    assert seconds == (None if days is None else pytest.approx(DAY, abs=60))
    assert await statuses(stage) == dict.fromkeys(tickets, "resolved")
    assert await stage.count("outbox") == 2  # what opened and resolved them


async def test_the_version_in_force_counts(stage: BatchStage) -> None:
    (ticket,) = await resolved(stage, 1, ago=10)
    for days in (5.0, None):
        await apply(stage, days)
    assert await sweep(stage) is None
    await apply(stage, 20)
    seconds = await sweep(stage)
    assert seconds == pytest.approx(10 * DAY, abs=60)
    assert await closings(stage) == []
    await apply(stage, 10)
    assert await sweep(stage) is None
    assert await closings(stage) == [ticket]


async def test_each_tenant_has_its_own_time(stage: BatchStage) -> None:
    await apply(stage, 30)
    await apply(stage, 3, SOUTH)
    norths = await resolved(stage, 1, 2, ago=10)
    souths = await resolved(stage, 1, 2, ago=10, **OF_SOUTH)
    seconds = await sweep(stage)
    assert seconds == pytest.approx(20 * DAY, abs=60)
    assert await statuses(stage) == {
        **dict.fromkeys(norths, "resolved"),
        **dict.fromkeys(souths, "closed"),
    }


async def test_only_resolved_tickets_close(stage: BatchStage) -> None:
    await apply(stage, 1)
    waiting, closed = asked(1, next(PLACES)), asked(2, next(PLACES))
    await stage.settle([waiting, closed])
    await stage.settle(
        [
            wanted("set_status", waiting.ticket_id, next(PLACES), status="waiting"),
            wanted("set_status", closed.ticket_id, next(PLACES), status="closed"),
        ]
    )
    (reopened,) = await resolved(stage, 3, ago=5)
    again = wanted("set_status", reopened, next(PLACES), status="open", actor=CUSTOMER)
    assert await stage.settle([again]) == ["changed"]
    assert await sweep(stage) is None
    assert await closings(stage) == []


async def test_after_a_downtime_all_close_in_portions(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest resolved first, and no tenant's backlog keeps another's waiting."""
    monkeypatch.setattr("consumer.closing.PORTION", 7)
    await apply(stage, 1)
    await apply(stage, 1, SOUTH)
    tickets = [*await resolved(stage, *range(20), ago=20)]
    (first,) = await resolved(stage, 30, ago=40)
    souths = await resolved(stage, *range(3), ago=30, **OF_SOUTH)
    assert await sweep(stage) is None
    found = await closings(stage)
    assert sorted(found) == sorted([*tickets, first, *souths])
    sizes = await stage.ask("SELECT facts FROM outbox ORDER BY id")
    assert [row[0] for row in sizes[-4:]] == [7, 7, 7, 3]
    assert set(found[:7]) > {first}
    assert set(found[7:14]) > set(souths)


@pytest.mark.parametrize("seed", range(3))
async def test_of_many_sweepers_at_once_each_ticket_closes_once(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("consumer.closing.PORTION", 10 + seed)
    await apply(stage, 1)
    tickets = await resolved(stage, *range(60), ago=2)

    async def sweep_until_nothing_is_due() -> None:
        while await sweep(stage) is not None:
            pass

    await asyncio.gather(*(sweep_until_nothing_is_due() for _ in range(4)))
    assert sorted(await closings(stage)) == sorted(tickets)
    assert await stage.count("tickets WHERE status = 'closed' AND sequence = 3") == 60


async def test_what_somebody_else_holds_is_tried_again_and_the_rest_closes(
    stage: BatchStage,
) -> None:
    await apply(stage, 1)
    held, free = await resolved(stage, 1, 2, ago=2)
    async with stage.transaction() as other:
        await other.execute("SELECT FROM tickets WHERE id = $1 FOR NO KEY UPDATE", held)
        seconds = await sweep(stage)
        assert seconds is not None
        assert seconds < 0
        assert await closings(stage) == [free]
    assert await sweep(stage) is None
    assert await closings(stage) == [free, held]


async def test_a_customers_message_that_comes_first_keeps_the_ticket_open(
    stage: BatchStage,
) -> None:
    """It was due when it was looked for, and is open by the time of the lock."""
    await apply(stage, 1)
    (ticket,) = await resolved(stage, 1, ago=2)
    message = wanted("add_message", ticket, next(PLACES), body="Not yet.", actor=CUSTOMER)
    async with stage.transaction() as other:
        await handle(other, [message], stage.setting)
        assert await sweep(stage) is not None  # held: to be tried again
    async with stage.transaction() as connection:
        handled = await close_due(connection, [(NORTH, ticket)], copy_from=COPY_FROM)
    assert (handled.closed, handled.outbox_id) == (0, None)
    assert await sweep(stage) is None
    assert await statuses(stage) == {ticket: "open"}
    assert await closings(stage) == []


async def test_a_customers_message_that_comes_second_is_refused(stage: BatchStage) -> None:
    """It waits for the lock, and is told that the ticket is closed."""
    await apply(stage, 1)
    (ticket,) = await resolved(stage, 1, ago=2)
    message = wanted("add_message", ticket, next(PLACES), body="Not yet.", actor=CUSTOMER)
    async with stage.transaction() as timer:
        handled = await close_due(timer, [(NORTH, ticket)], copy_from=COPY_FROM)
        assert handled.closed == 1
        settling = asyncio.create_task(stage.settle([message]))
        await until_waiting(stage)
    assert await settling == ["rejected"]
    assert await statuses(stage) == {ticket: "closed"}
    rows = await stage.ask("SELECT code FROM requests WHERE outcome = 'rejected'")
    assert [row[0] for row in rows] == ["ticket_closed"]


async def test_what_is_closed_is_counted_once_it_is_committed(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.closing.PORTION", 2)
    metrics = Metrics()
    await apply(stage, 1)
    await resolved(stage, *range(5), ago=2)

    def counted() -> float | None:
        return metrics.registry.get_sample_value("ticketing_tickets_closed_total")

    async def cut_off_before_the_second_commit(said: str) -> None:
        commits.append("COMMIT" in said)
        if sum(commits) == 4:  # each portion is looked for in a transaction of its own
            raise ConnectionResetError

    commits: list[bool] = []
    stage.watched.before = cut_off_before_the_second_commit
    with pytest.raises(ConnectionResetError):
        await sweep(stage, metrics)
    stage.watched.before = None
    assert counted() == 2 == len(await closings(stage))
    await sweep(stage, metrics)
    assert counted() == 5 == len(await closings(stage))


async def test_its_number_is_taken_after_its_locks(stage: BatchStage) -> None:
    """Then a lower number never holds a later fact of a ticket."""
    await apply(stage, 1)
    await resolved(stage, 1, ago=2)
    await sweep(stage)
    said = [said for _, said in stage.watched.trips]
    locked = next(place for place, each in enumerate(said) if "SKIP LOCKED" in each)
    numbered = next(place for place, each in enumerate(said) if "nextval" in each)
    assert locked < numbered


async def test_no_change_that_knows_the_ticket_as_it_was_is_stale(stage: BatchStage) -> None:
    await apply(stage, 1)
    (ticket,) = await resolved(stage, 1, ago=2)
    await sweep(stage)
    rate = wanted("rate", ticket, next(PLACES), rating=5, expected_sequence=2, actor=CUSTOMER)
    assert await stage.settle([rate]) == ["changed"]
    note: Entry = wanted(
        "add_message", ticket, next(PLACES), body="x", is_internal=True, expected_sequence=2
    )
    assert await stage.settle([note]) == ["rejected"]  # the customer's own was in between


async def test_where_no_actors_change_is_on_record_time_goes_on_from_what_was(
    stage: BatchStage,
) -> None:
    """A row that another program wrote. What an actor did before the closing keeps its time."""
    await apply(stage, 1)
    (ticket,) = await resolved(stage, 1, ago=2)
    await stage.ask("UPDATE tickets SET last_change_at = NULL, updated_at = now() - interval '9 d'")
    await sweep(stage)
    ((same,),) = await stage.ask(
        "SELECT last_change_at < now() - interval '8 d' AND updated_at = closed_at FROM tickets"
    )
    assert same, ticket


async def test_a_write_that_fails_leaves_nothing_and_is_done_again(stage: BatchStage) -> None:
    await apply(stage, 1)
    (ticket,) = await resolved(stage, 1, ago=2)
    await sweep(stage)
    trips = len(stage.watched.trips)
    for place in range(1, trips):
        await stage.ask("UPDATE tickets SET status = 'resolved', closed_at = NULL, sequence = 2")
        await stage.ask("DELETE FROM ticket_facts WHERE sequence = 3")
        stage.forget()
        stage.watched.fail_at = place
        with pytest.raises(ConnectionResetError):
            await sweep(stage)
        stage.watched.fail_at = None
        await sweep(stage)
        assert await closings(stage) == [ticket]
        assert await stage.count("tickets WHERE sequence = 3") == 1


async def test_a_look_that_finds_nothing_is_one_statement(stage: BatchStage) -> None:
    await apply(stage, 30)
    await resolved(stage, 1, ago=2)
    await sweep(stage)
    said = [said for _, said in stage.watched.trips]
    assert len(said) == 3, said  # with its BEGIN and COMMIT
    assert "WITH RECURSIVE ever" in said[1]
