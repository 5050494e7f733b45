"""Requests that wait for their customer, on real PostgreSQL: decided once, at the right time."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from consumer.timers import LONGEST_SLEEP_SECONDS, SHORTEST_SLEEP_SECONDS
from db import letter_steps, parked
from handlers import parking
from handlers.again import decide_again
from handlers.batch import Entry, handle
from handlers.entries import TopicRole, read
from handlers.identity import rejection_id, ticket_number
from handlers.outcomes import Rules
from handlers.record import Record, coordinates
from tests.integration.batch_stage import BatchStage, outcomes, staged, tally
from tests.integration.test_batch import until_waiting
from tests.records import MOST_BYTES, asked, broken, customer_change
from tests.scenarios.messages import ANNA, NORTH, party_id

pytestmark = pytest.mark.integration

FORBIDDEN: dict[str, Any] = {"target_type": "platform"}
ENDS = {"customer.changed": {"0": 10, "1": 20}}


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows nobody."""
    async with staged(module_database) as ready:
        yield ready


async def let_time_pass(stage: BatchStage, seconds: int) -> None:
    """Whatever began to wait did so that much earlier."""
    await stage.ask(
        "UPDATE parked_requests "
        "SET grace_started_at = grace_started_at - make_interval(secs => $1)",
        seconds,
    )


async def swept(stage: BatchStage, *entries: Entry, **changes: Any) -> list[str]:  # noqa: ANN401
    """What became of these records in one look of the sweeper."""
    before = len(stage.recorder.handled)
    await stage.sweep(**changes)
    return outcomes(entries, stage.recorder.handled[before:])


async def outcome_on_record(stage: BatchStage) -> list[tuple[str, int]]:
    rows = await stage.ask('SELECT outcome, "offset" FROM requests ORDER BY 2')
    return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize("customer_id", [ANNA, 7], ids=["by our id", "by number"])
async def test_a_late_customer_opens_the_ticket(stage: BatchStage, customer_id: str | int) -> None:
    request = asked(1, 5, customer_id=customer_id)
    assert await stage.settle([request]) == ["parked"]
    assert await stage.sweep() > SHORTEST_SLEEP_SECONDS
    assert await stage.count("parked_requests") == 1
    assert await stage.settle([request]) == ["duplicate"]
    await stage.settle([customer_change("Anna", 1, external_id=7)])
    assert await swept(stage, request) == ["created"]
    assert await stage.counts() == {
        **dict.fromkeys(("tickets", "ticket_messages", "requests", "ticket_facts", "outbox"), 1),
        "customers": 1,
    }
    assert await outcome_on_record(stage) == [("created", 5)]
    assert await stage.count(f"tickets WHERE customer_id = '{ANNA}'") == 1
    assert await stage.settle([request]) == ["duplicate"]


async def test_a_customer_that_never_comes_ends_in_a_rejection(stage: BatchStage) -> None:
    request = asked(1, 5)
    await stage.settle([request])
    await stage.sweep()
    await let_time_pass(stage, 29)
    assert await stage.sweep() <= 1.0
    assert await stage.count("parked_requests") == 1
    await let_time_pass(stage, 1)
    assert await swept(stage, request) == ["rejected"]
    assert await stage.count("parked_requests") == 0
    ((subject, code),) = await stage.ask(
        "SELECT f.subject_id::text, r.code FROM ticket_facts f, requests r"
    )
    assert subject == rejection_id(request.request_key, "ticket.requested", 0, 5)
    assert code == "customer_not_found"
    await stage.know("Anna")
    assert await stage.settle([request]) == ["duplicate"]
    assert await stage.settle([asked(1, 6)]) == ["created"]


async def test_it_looks_again_before_it_rejects(stage: BatchStage) -> None:
    request = asked(1)
    await stage.settle([request])
    await stage.sweep()
    await stage.know("Anna")
    await let_time_pass(stage, 99)
    assert await swept(stage, request) == ["created"]


@pytest.mark.parametrize("fields", [{"tenant_id": "south"}, {"status": "deleted"}])
async def test_anothers_customer_and_a_deleted_one_do_not_help(
    stage: BatchStage, fields: dict[str, Any]
) -> None:
    request = asked(1)
    await stage.know("Anna", external_id=7, **fields)
    numbered = asked(2, 1, customer_id=7)
    assert await stage.settle([request, numbered]) == ["parked"] * 2
    assert await stage.sweep() > SHORTEST_SLEEP_SECONDS
    assert await stage.count("parked_requests") == 2
    await let_time_pass(stage, 99)
    assert await swept(stage, request, numbered) == ["rejected"] * 2


async def test_the_grace_does_not_run_while_customers_are_not_read(stage: BatchStage) -> None:
    async def note(*positions: tuple[int, int]) -> None:
        rows = [("customer.changed", partition, at) for partition, at in positions]
        async with stage.transaction() as connection:
            await parked.record_positions(connection, rows)

    async def waits_for_its_end() -> bool:
        await stage.sweep()
        return bool(await stage.count("parked_requests WHERE grace_started_at IS NULL"))

    await stage.settle([asked(1)], party_ends=ENDS)
    assert await waits_for_its_end()
    await note((0, 10), (1, 19))
    assert await waits_for_its_end()
    await note((1, 20))
    assert not await waits_for_its_end()
    assert await stage.sweep() == LONGEST_SLEEP_SECONDS
    await note((1, 3))  # a member that lost the partition, and is late with what it knows
    await stage.settle([asked(2, 1)], party_ends=ENDS)
    assert not await waits_for_its_end()


async def test_an_empty_topic_is_read_to_its_end(stage: BatchStage) -> None:
    await stage.settle([asked(1)], party_ends={"customer.changed": {"0": 0}})
    await stage.sweep()
    assert await stage.count("parked_requests WHERE grace_started_at IS NOT NULL") == 1


async def test_two_sweepers_decide_each_request_once(stage: BatchStage) -> None:
    batch = [asked(number, number) for number in range(40)]
    await stage.settle(batch)
    await stage.know("Anna")
    await asyncio.gather(*(stage.sweep() for _ in range(4)))
    async with asyncio.timeout(20):
        while await stage.count("parked_requests"):
            await stage.sweep()
    found = outcomes(batch, stage.recorder.handled)
    assert tally(found) == {"created": 40}
    assert sum(len(part.decisions) for part in stage.recorder.handled) == 40
    assert await stage.count("tickets") == 40
    assert stage.retries == 0


async def test_who_holds_a_row_decides_it(stage: BatchStage) -> None:
    batch = [asked(number, number) for number in range(3)]
    await stage.settle(batch)
    await stage.know("Anna")
    async with stage.transaction() as connection:
        keys = [(NORTH, batch[1].request_key)]
        assert len(await parked.claim(connection, keys, 30)) == 1
        await stage.sweep()
        assert await stage.count("tickets") == 2
        assert await stage.sweep() <= LONGEST_SLEEP_SECONDS
    assert await swept(stage, batch[1]) == ["created"]


@pytest.mark.parametrize("seed", range(3))
async def test_customers_requests_and_sweepers_in_any_order(stage: BatchStage, seed: int) -> None:
    """Every request is created once, wherever its customer comes in, and whoever else sent it."""
    chance = random.Random(seed)  # noqa: S311  no secret
    names = [f"c{number}" for number in range(15)]
    requests = [
        asked(name, offset, customer_id=party_id(name))
        for offset, name in enumerate(chance.sample(names * 2, 30))
    ]
    customers = [customer_change(name, offset) for offset, name in enumerate(names)]

    async def take_in(entries: list[Any]) -> None:
        for entry in entries:
            await stage.settle([entry])

    async def sweep_often() -> None:
        for _ in range(12):
            await stage.sweep()

    await asyncio.gather(
        take_in(requests[:15]),
        take_in(requests[15:]),
        take_in(customers),
        sweep_often(),
        sweep_often(),
    )
    await stage.sweep()
    assert await stage.count("parked_requests") == 0
    assert await stage.count("tickets") == 15
    assert await stage.count("requests WHERE outcome = 'created'") == 15
    assert await stage.count("ticket_facts") == 15
    assert await stage.count("dead_letters") == 0


async def test_a_broken_parked_row_stops_nothing(stage: BatchStage) -> None:
    """Its bytes are what no version of ours would park: they end as a dead letter, alone."""
    batch = [asked(number, number) for number in range(3)]
    await stage.settle(batch)
    await stage.ask('UPDATE parked_requests SET value = $1 WHERE "offset" = 1', b"\x00\xff")
    await stage.know("Anna")
    assert await swept(stage, *batch) == ["created", "dead_lettered", "created"]
    assert await stage.count("parked_requests") == 0
    assert await outcome_on_record(stage) == [("created", 0), ("created", 2)]
    ((value,),) = await stage.ask("SELECT value FROM dead_letters")
    assert value == b"\x00\xff"
    assert await stage.settle([asked(1, 9)]) == ["created"]  # its identity is not used up


async def test_a_parked_row_that_breaks_the_write_is_buried_alone(stage: BatchStage) -> None:
    batch = [
        asked(number, number, description="smuggled" if number == 4 else "It is dark.")
        for number in range(9)
    ]
    await stage.settle(batch)
    await stage.know("Anna")
    stage.watched.poison = "smuggled"
    found = await swept(stage, *batch)
    assert tally(found) == {"created": 8, "dead_lettered": 1}
    assert found[4] == "dead_lettered"
    assert await stage.count("parked_requests") == 0


async def test_a_broken_parked_row_that_is_a_dead_letter_already(stage: BatchStage) -> None:
    await stage.settle([asked(1, 5)])
    await stage.settle([broken(5)])  # the same record, read again by another version
    await stage.ask("UPDATE parked_requests SET value = 'x'")
    assert await stage.count("dead_letters") == 1
    await stage.know("Anna")
    await stage.sweep()
    assert (await stage.count("parked_requests"), await stage.count("dead_letters")) == (0, 1)
    assert stage.retries == 0


@pytest.mark.parametrize("is_poison", [False, True], ids=["not readable", "not writable"])
async def test_a_letter_that_was_parked_and_is_broken_after_all_has_failed_again(
    stage: BatchStage, *, is_poison: bool
) -> None:
    """It must not stay redriven: nothing came of it."""
    await stage.settle([broken(4), broken(5), broken(6)])
    mended = [asked(4, 4), asked(5, 5, description="smuggled")]
    letters = [coordinates(each.record) for each in mended if each.record is not None]
    async with stage.transaction() as connection:
        await letter_steps.lock(connection, letters)
        done = await decide_again(
            connection, mended, letters, stage.setting, actor="ops", state="redriven"
        )
    assert [fate.outcome for fate in done.fates] == ["parked", "parked"]
    if is_poison:
        stage.watched.poison = "smuggled"
    else:
        await stage.ask("UPDATE parked_requests SET value = 'x' WHERE \"offset\" = 5")
    await stage.know("Anna")
    await stage.sweep()
    rows = await stage.ask('SELECT state, outcome, attempts FROM dead_letters ORDER BY "offset"')
    assert [tuple(row) for row in rows] == [
        ("redriven", "parked", 1),
        ("failed_again", None, 2),
        ("dead", None, 1),
    ]
    (step,) = await stage.ask(
        'SELECT "offset", number, actor, state, reason FROM dead_letter_steps WHERE number = 2'
    )
    assert tuple(step)[:4] == (5, 2, "the service", "failed_again")
    assert "value: " in step["reason"]
    assert await stage.count("parked_requests") == 0
    assert await stage.count("requests WHERE outcome = 'created'") == 1


async def test_a_broken_parked_row_never_frees_an_identity_that_is_used_up(
    stage: BatchStage,
) -> None:
    await stage.settle([asked(1, 5)])
    await stage.ask("UPDATE requests SET outcome = 'created', \"offset\" = 6")
    await stage.ask("UPDATE parked_requests SET value = 'x'")
    await stage.know("Anna")
    await stage.sweep()
    assert await stage.count("parked_requests") == 0
    assert await outcome_on_record(stage) == [("created", 6)]
    assert await stage.settle([asked(1, 7)]) == ["duplicate"]


async def test_a_parked_identity_that_another_record_used_up_is_a_duplicate(
    stage: BatchStage,
) -> None:
    """Two workers decided a rejected identity anew: one parked it, the other opened the ticket."""
    first, second = asked(1, 5), asked(1, 6)
    await stage.settle([first])
    await stage.ask("UPDATE requests SET outcome = 'rejected', \"offset\" = 4")
    await stage.know("Anna")
    assert await stage.settle([second]) == ["created"]
    assert await swept(stage, first) == ["duplicate"]
    assert (await stage.count("parked_requests"), await stage.count("tickets")) == (0, 1)


async def test_a_request_keeps_the_identity_that_it_was_parked_under(stage: BatchStage) -> None:
    """Even where its topic means another tenant by now."""

    def bound_elsewhere(record: Record) -> Entry:
        return read(record, TopicRole("request", "south"), MOST_BYTES)

    request = asked(1, 5)
    await stage.settle([request])
    await stage.know("Anna")
    async with stage.transaction() as connection:
        keys = [(NORTH, request.request_key)]
        handled = await parking.decide_parked(connection, keys, stage.setting, bound_elsewhere)
    assert outcomes([request], [handled]) == ["created"]
    assert await stage.count("parked_requests") == 0
    assert await stage.count(f"tickets WHERE tenant_id = '{NORTH}'") == 1


async def test_a_number_that_is_taken_derives_the_next_in_a_sweep_too(stage: BatchStage) -> None:
    request = asked(1, 5)
    await stage.settle([request])
    await stage.know("Anna")
    await stage.settle([asked("old", 1)])
    await stage.ask("UPDATE tickets SET ticket_number = $1", ticket_number(request.ticket_id))
    assert await swept(stage, request) == ["created"]
    ((number,),) = await stage.ask(
        "SELECT ticket_number FROM tickets WHERE id = $1", request.ticket_id
    )
    assert number == ticket_number(request.ticket_id, 1)


async def test_parked_first_and_rejected_by_another_rule_in_the_end(stage: BatchStage) -> None:
    request = asked(1, 5)
    await stage.settle([request])
    await stage.know("Anna")
    rules = Rules(tenants=frozenset({"south"}))
    assert await swept(stage, request, rules=rules) == ["rejected"]
    ((code,),) = await stage.ask("SELECT code FROM requests")
    assert code == "tenant_unknown"


async def test_a_request_that_was_rejected_and_then_waits(stage: BatchStage) -> None:
    rejected, waiting = asked(1, 5, **FORBIDDEN), asked(1, 6)
    assert await stage.settle([rejected]) == ["rejected"]
    assert await stage.settle([waiting]) == ["parked"]
    assert await stage.settle([rejected, waiting, asked(1, 7)]) == ["duplicate"] * 3
    await stage.know("Anna")
    assert await swept(stage, waiting) == ["created"]
    assert await outcome_on_record(stage) == [("created", 6)]


async def test_two_workers_that_park_the_same_record(stage: BatchStage) -> None:
    request = asked(1, 5)
    async with stage.transaction() as first:
        await handle(first, [request], stage.setting)
        second = asyncio.create_task(stage.settle([request]))
        await until_waiting(stage)
    assert await second == ["duplicate"]
    assert await stage.count("parked_requests") == 1


async def test_many_requests_that_wait_are_decided_in_portions(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.parking.SWEEP_AT_ONCE", 20)
    monkeypatch.setattr("consumer.parking.PORTION_BYTES", 3_000)
    batch = [asked(number, number) for number in range(70)]
    await stage.settle(batch)
    await stage.know("Anna")
    assert tally(await swept(stage, *batch)) == {"created": 70}
    sizes = [len(part.decisions) for part in stage.recorder.handled]
    assert max(sizes) < 20
    assert sum(sizes) == 70


async def test_headers_and_event_survive_the_waiting(stage: BatchStage) -> None:
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = [("ce_id", b"e-1"), ("ce_source", b"/p"), ("traceparent", trace), ("\udcff", None)]
    request = asked(1, 5, request_id=None, headers=headers)
    await stage.settle([request])
    await stage.know("Anna")
    assert await swept(stage, request) == ["created"]
    ((row),) = await stage.ask("SELECT causation_id, traceparent FROM ticket_facts")
    assert tuple(row) == ("e-1", trace.decode())
