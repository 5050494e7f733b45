"""What is due on tickets' clocks, on real PostgreSQL: each level once, at the right time."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import orjson
import pytest

from consumer.firing import Firing
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db import clocks
from handlers.batch import Entry
from handlers.write import COPY_FROM
from schemas.catalogue import TOPIC_OF_CE_TYPE, TOPICS
from tests.integration.batch_stage import BatchStage, staged
from tests.records import asked, wanted
from tests.scenarios.messages import NORTH

pytestmark = pytest.mark.integration

HOUR = 3_600.0
ALL_LEVELS = [
    *("sla.warning 50", "sla.warning 75", "sla.warning 90", "sla.breached"),
]
PLACES = count(1_000)
"""Offsets, so that each record has a place of its own."""


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    async with staged(module_database) as ready:
        await ready.know("Anna")
        yield ready


def firing(stage: BatchStage, metrics: Metrics | None = None) -> Firing:
    writes = Writes(stage.watched, Wakeups(), Handover())
    return Firing(
        pool=stage.watched, writes=writes, metrics=metrics or Metrics(), copy_from=COPY_FROM
    )


async def sweep(stage: BatchStage) -> float | None:
    return await firing(stage).sweep()


async def opened(
    stage: BatchStage,
    *numbers: int,
    ago: float,
    **fields: Any,  # noqa: ANN401  as `asked` takes them
) -> list[str]:
    """The ids of tickets that were opened so many seconds ago."""
    requests = [asked(number, next(PLACES), **fields) for number in numbers]
    tickets = [request.ticket_id for request in requests]
    assert await stage.settle(requests) == ["created"] * len(numbers)
    await let_pass(stage, ago, tickets)
    stage.forget()
    return tickets


async def let_pass(stage: BatchStage, seconds: float, tickets: list[str]) -> None:
    await stage.ask(
        """
        UPDATE sla_clocks SET started_at = started_at - make_interval(secs => $1::float8),
               due_at = due_at - make_interval(secs => $1::float8),
               next_fire_at = next_fire_at - make_interval(secs => $1::float8)
         WHERE ticket_id = ANY($2::text[]::uuid[])
        """,
        seconds,
        tickets,
    )
    await stage.ask(
        """
        UPDATE tickets SET created_at = created_at - make_interval(secs => $1::float8),
               updated_at = updated_at - make_interval(secs => $1::float8),
               sla_due_date = sla_due_date - make_interval(secs => $1::float8),
               first_response_due_at = first_response_due_at - make_interval(secs => $1::float8)
         WHERE id = ANY($2::text[]::uuid[])
        """,
        seconds,
        tickets,
    )


async def told(stage: BatchStage, ticket: str) -> list[dict[str, Any]]:
    """The facts of a ticket's clocks, in their order; each keeps its contract."""
    models = {topic.name: topic.model for topic in TOPICS}
    rows = await stage.ask(
        "SELECT ce_type, data FROM ticket_facts WHERE subject_id = $1::text::uuid"
        " AND ce_type LIKE 'sla.%' ORDER BY sequence",
        ticket,
    )
    for ce_type, data in rows:
        models[TOPIC_OF_CE_TYPE[ce_type]].model_validate_json(data)
    return [{"ce_type": ce_type, **orjson.loads(data)} for ce_type, data in rows]


def levels(facts: list[dict[str, Any]], metric: str) -> list[str]:
    return [
        f"{fact['ce_type']} {fact.get('threshold_percent', '')}".strip()
        for fact in facts
        if fact["metric"] == metric
    ]


async def all_levels(stage: BatchStage) -> list[tuple[str, str, str]]:
    rows = await stage.ask(
        "SELECT subject_id::text, ce_type, coalesce(data::jsonb ->> 'threshold_percent', '')"
        " FROM ticket_facts WHERE ce_type LIKE 'sla.%' ORDER BY 1, 2, 3"
    )
    return [tuple(row) for row in rows]


async def test_a_level_is_told_when_it_is_reached_and_not_before(stage: BatchStage) -> None:
    (ticket,) = await opened(stage, 1, ago=11.9 * HOUR)
    assert await sweep(stage) == pytest.approx(0.1 * HOUR, abs=60)
    assert await told(stage, ticket) == []
    await let_pass(stage, 0.2 * HOUR, [ticket])
    assert await sweep(stage) == pytest.approx(5.9 * HOUR, abs=60)  # 75 percent of 24 hours
    (fact,) = await told(stage, ticket)
    assert (fact["metric"], fact["threshold_percent"]) == ("first_response", 50)
    assert fact["detection_lag_ms"] == pytest.approx(360_000, abs=60_000)
    assert await sweep(stage) is not None
    assert len(await told(stage, ticket)) == 1


async def test_after_a_downtime_all_is_told_in_order_with_its_true_times(
    stage: BatchStage,
) -> None:
    (ticket,) = await opened(stage, 1, ago=80 * HOUR)
    assert await sweep(stage) is None
    facts = await told(stage, ticket)
    assert levels(facts, "first_response") == ALL_LEVELS
    assert levels(facts, "resolution") == ALL_LEVELS
    breach = facts[-1]
    ((due, is_breached, sequence, last_change),) = await stage.ask(
        "SELECT to_json(sla_due_date) #>> '{}', sla_breached, sequence, last_change_sequence"
        " FROM tickets"
    )
    assert due[:19] == breach["due_at"][:19]
    assert (is_breached, sequence, last_change) == (True, 9, 1)
    assert breach["target_seconds"] == 72 * 3_600
    assert breach["overrun_seconds"] == pytest.approx(8 * HOUR, abs=60)
    assert breach["detection_lag_ms"] == pytest.approx(8 * HOUR * 1_000, abs=60_000)
    assert (breach["reason"], breach["policy_version"]) == ("timer", None)


async def test_no_change_that_knows_the_ticket_as_it_was_is_stale(stage: BatchStage) -> None:
    (ticket,) = await opened(stage, 1, ago=80 * HOUR)
    await sweep(stage)
    note: Entry = wanted("add_message", ticket, next(PLACES), body="x", expected_sequence=1)
    assert await stage.settle([note]) == ["changed"]


async def test_a_late_answer_that_no_timer_saw_is_a_breach(stage: BatchStage) -> None:
    (ticket,) = await opened(stage, 1, ago=25 * HOUR)
    reply: Entry = wanted("add_message", ticket, next(PLACES), body="Sorry for the delay.")
    assert await stage.settle([reply]) == ["changed"]
    facts = await told(stage, ticket)
    assert levels(facts, "first_response") == ALL_LEVELS
    assert {fact["reason"] for fact in facts} == {"completion"}
    assert await sweep(stage) is not None
    assert await told(stage, ticket) == facts


async def test_an_answer_in_time_that_is_reported_late_annuls_the_breach(
    stage: BatchStage,
) -> None:
    (ticket,) = await opened(stage, 1, ago=25 * HOUR)
    await sweep(stage)
    ((at, breached),) = await stage.ask(
        "SELECT to_json(created_at + interval '23 h') #>> '{}', sla_breached FROM tickets"
    )
    assert breached
    reply: Entry = wanted("add_message", ticket, next(PLACES), body="Done.", occurred_at=at)
    assert await stage.settle([reply]) == ["changed"]
    ((breach_id,),) = await stage.ask(
        "SELECT sequence FROM ticket_facts WHERE ce_type = 'sla.breached'"
    )
    *_, annulled = await told(stage, ticket)
    assert annulled["ce_type"] == "sla.breach_annulled"
    assert annulled["annulled_ce_id"]
    ((breached, of_clock),) = await stage.ask(
        "SELECT t.sla_breached, c.breach_sequence FROM tickets t JOIN sla_clocks c"
        " ON c.ticket_id = t.id WHERE c.metric = 'first_response'"
    )
    assert (breached, of_clock) == (False, breach_id)


async def test_nothing_is_told_of_tickets_that_are_over(stage: BatchStage) -> None:
    (ticket,) = await opened(stage, 1, ago=1)
    done: Entry = wanted("set_status", ticket, next(PLACES), status="resolved")
    await stage.settle([done])
    await let_pass(stage, 500 * HOUR, [ticket])
    assert await sweep(stage) is None
    assert await told(stage, ticket) == []
    states = await stage.ask("SELECT metric, state FROM sla_clocks ORDER BY metric")
    assert [tuple(row) for row in states] == [
        ("first_response", "cancelled"),
        ("resolution", "fulfilled"),
    ]


async def test_a_backlog_is_told_in_portions(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.firing.PORTION", 14)
    await opened(stage, *range(20), ago=80 * HOUR)
    assert await sweep(stage) is None
    assert len(await all_levels(stage)) == 160
    sizes = await stage.ask("SELECT facts FROM outbox ORDER BY id")
    assert [row[0] for row in sizes[1:]] == [112, 48]


@pytest.mark.parametrize("seed", range(3))
async def test_of_many_timers_at_once_each_level_is_told_once(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("consumer.firing.PORTION", 10 + seed)
    tickets = await opened(stage, *range(60), ago=80 * HOUR)

    async def sweep_until_nothing_is_due() -> None:
        while await sweep(stage) is not None:
            pass

    await asyncio.gather(*(sweep_until_nothing_is_due() for _ in range(4)))
    found = await all_levels(stage)
    assert len(found) == 60 * 8
    assert {ticket for ticket, _, _ in found} == {*tickets}
    assert await stage.count("tickets WHERE sequence = 9 AND sla_breached") == 60


async def test_what_somebody_else_holds_is_tried_again_and_the_rest_is_told(
    stage: BatchStage,
) -> None:
    held, free = await opened(stage, 1, 2, ago=80 * HOUR)
    async with stage.transaction() as other:
        await other.execute("SELECT FROM tickets WHERE id = $1 FOR NO KEY UPDATE", held)
        seconds = await sweep(stage)
        assert seconds is not None
        assert 0.02 <= seconds <= 0.05
        assert (len(await told(stage, free)), await told(stage, held)) == (8, [])
    assert await sweep(stage) is None
    assert len(await told(stage, held)) == 8


async def test_held_tickets_keep_nobody_waiting_who_comes_after_them(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.firing.PORTION", 5)
    held = await opened(stage, *range(20), ago=90 * HOUR)
    free = await opened(stage, *range(30, 42), ago=80 * HOUR)
    async with stage.transaction() as other:
        await other.execute(
            "SELECT FROM tickets WHERE id = ANY($1::text[]::uuid[]) FOR NO KEY UPDATE", held
        )
        assert await sweep(stage) == pytest.approx(0.02)
        assert [len(await told(stage, ticket)) for ticket in free] == [8] * 12
        assert [len(await told(stage, ticket)) for ticket in held] == [0] * 20
    assert await sweep(stage) is None
    assert [len(await told(stage, ticket)) for ticket in held] == [8] * 20


async def test_clocks_without_a_ticket_keep_nobody_waiting(
    stage: BatchStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key holds a clock to its ticket, and a tenant may insert them."""
    monkeypatch.setattr("consumer.firing.PORTION", 5)
    await stage.ask(
        "INSERT INTO sla_clocks (tenant_id, ticket_id, metric, started_at, target_seconds,"
        " next_fire_at) SELECT 'evil', gen_random_uuid(), 'resolution', now(), 60,"
        " now() - interval '99 d' FROM generate_series(1, 50)"
    )
    (ticket,) = await opened(stage, 1, ago=80 * HOUR)
    metrics = Metrics()
    assert await firing(stage, metrics).sweep() == pytest.approx(60, abs=5)
    assert len(await told(stage, ticket)) == 8
    assert metrics.registry.get_sample_value("ticketing_clocks_unfit_total") == 50


async def test_a_write_that_fails_leaves_nothing_and_is_done_again(stage: BatchStage) -> None:
    (ticket,) = await opened(stage, 1, ago=80 * HOUR)
    await sweep(stage)
    trips = len(stage.watched.trips) - 3  # without the last look
    for place in range(1, trips):
        await stage.ask("UPDATE tickets SET sequence = 1, sla_breached = false")
        await stage.ask("DELETE FROM ticket_facts WHERE sequence > 1")
        await stage.ask(
            "UPDATE sla_clocks SET fired = '{}', breach_sequence = NULL, breaches = 0,"
            " next_fire_at = started_at"
        )
        stage.forget()
        stage.watched.fail_at = place
        with pytest.raises(ConnectionResetError):
            await sweep(stage)
        stage.watched.fail_at = None
        await sweep(stage)
        assert len(await told(stage, ticket)) == 8
        assert await stage.count("tickets WHERE sequence = 9") == 1


async def test_a_ticket_that_no_write_takes_is_put_off_and_stops_no_other(
    stage: BatchStage,
) -> None:
    tickets = await opened(stage, *range(9), ago=80 * HOUR)
    broken = tickets[4]
    ((number,),) = await stage.ask("SELECT ticket_number FROM tickets WHERE id = $1", broken)
    stage.watched.poison = number  # stands in its facts alone
    metrics = Metrics()
    seconds = await firing(stage, metrics).sweep()
    assert seconds == pytest.approx(60, abs=5)
    assert [len(await told(stage, ticket)) for ticket in tickets] == [8, 8, 8, 8, 0, 8, 8, 8, 8]
    assert metrics.registry.get_sample_value("ticketing_clocks_unfit_total") == 1
    stage.watched.poison = None
    await stage.ask(
        "UPDATE sla_clocks SET next_fire_at = now() - interval '1 ms' WHERE ticket_id = $1", broken
    )
    assert await sweep(stage) is None
    facts = await told(stage, broken)
    assert levels(facts, "first_response") == ALL_LEVELS
    assert facts[3]["detection_lag_ms"] == pytest.approx(56 * HOUR * 1_000, abs=60_000)


async def test_its_number_is_taken_after_its_locks(stage: BatchStage) -> None:
    """Then a lower number never holds a later fact of a ticket."""
    await opened(stage, 1, ago=80 * HOUR)
    await sweep(stage)
    said = [said for _, said in stage.watched.trips]
    locked = next(place for place, each in enumerate(said) if "SKIP LOCKED" in each)
    numbered = next(place for place, each in enumerate(said) if "nextval" in each)
    assert locked < numbered


async def test_a_look_that_finds_nothing_is_one_statement(stage: BatchStage) -> None:
    await opened(stage, 1, ago=1)
    await sweep(stage)
    said = [said for _, said in stage.watched.trips]
    assert len(said) == 3, said  # with its BEGIN and COMMIT


async def test_statements_are_counted_by_portion_and_not_by_ticket(stage: BatchStage) -> None:
    trips = []
    for size in (1, 400):
        numbers = range(1_000 * size, 1_000 * size + size)
        await opened(stage, *numbers, ago=80 * HOUR)
        await sweep(stage)
        said = [(call, said) for call, said in stage.watched.trips if "NOTIFY" not in said]
        trips.append(len([call for call, said in said if "slept" not in said]))
    assert max(trips) <= 18, trips  # two looks and a write of a dozen


async def test_the_next_that_is_due_is_read_off_an_index(stage: BatchStage) -> None:
    """With a million clocks that run, whatever the statistics say."""
    for first in range(1, 1_000_000, 100_000):
        await stage.ask(
            """
            INSERT INTO sla_clocks (tenant_id, ticket_id, metric, started_at, target_seconds,
                                    due_at, next_fire_at)
            SELECT $1, lpad(to_hex(n), 32, '0')::uuid, 'resolution', now(), 60,
                   now() + interval '1 d', now() + make_interval(secs => n)
              FROM generate_series($2::int, $2 + 99999) AS n
            """,
            NORTH,
            first,
        )
    for statement in ("SELECT 1", "ANALYZE sla_clocks"):
        await stage.ask(statement)
        plan = await stage.ask(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {clocks.LOOK}", 500, 0)
        (top,) = orjson.loads(plan[0][0])
        text = orjson.dumps(top).decode()
        assert '"Seq Scan"' not in text
        assert '"Sort"' not in text
        assert text.count('"Index Cond"') == 2
        hits = top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"]
        assert hits <= 20, text
