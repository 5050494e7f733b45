"""Dead letters and rejections decided again, on real PostgreSQL: each once, whoever is at it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from db import letter_steps
from handlers.again import DecidedAgain, decide_again
from handlers.batch import Again, Entry
from handlers.outcomes import Duplicate, Rules
from handlers.record import Coordinates, coordinates
from tests.integration.batch_stage import BatchStage, staged
from tests.records import asked, broken, customer_change, stored, wanted
from tests.scenarios.messages import party_id

pytestmark = pytest.mark.integration

FORBIDDEN: dict[str, Any] = {"target_type": "platform"}


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows Anna."""
    async with staged(module_database) as ready:
        await ready.ask("TRUNCATE dead_letter_steps")
        await ready.know("Anna")
        yield ready


def place_of(entry: Entry) -> Coordinates:
    assert entry.record is not None
    return coordinates(entry.record)


async def redrive(stage: BatchStage, entries: Sequence[Entry], **options: Any) -> DecidedAgain:  # noqa: ANN401  of decide_again
    """As an operator's command does it: only those that nobody has decided about meanwhile."""
    letters = [place_of(entry) for entry in entries]
    async with stage.transaction() as connection:
        rows = await letter_steps.lock(connection, letters)
        free = {tuple(row)[:4] for row in rows if row["state"] in {"dead", "failed_again"}}
        mine = [entry for entry in entries if place_of(entry) in free]
        return await decide_again(
            connection,
            mine,
            [place_of(entry) for entry in mine],
            stage.setting,
            actor="ops",
            state="redriven",
            **options,
        )


async def states(stage: BatchStage) -> list[tuple[object, ...]]:
    rows = await stage.ask('SELECT "offset", state, outcome, attempts FROM dead_letters ORDER BY 1')
    return [tuple(row) for row in rows]


async def test_a_letter_that_can_be_read_by_now_becomes_what_it_asks_for(
    stage: BatchStage,
) -> None:
    await stage.settle([broken(offset) for offset in range(5)])
    mended: list[Entry] = [
        asked(1, 0),
        asked(2, 1, **FORBIDDEN),
        asked(1, 2),
        asked(3, 3, customer_id=party_id("Nobody")),
        broken(4),
    ]
    done = await redrive(stage, mended)
    assert [(fate.letter[2], fate.outcome, fate.has_failed) for fate in done.fates] == [
        (0, "created", False),
        (1, "rejected", False),
        (2, "duplicate", False),
        (3, "parked", False),
        (4, "dead_lettered", True),
    ]
    assert await states(stage) == [
        (0, "redriven", "created", 1),
        (1, "redriven", "rejected", 1),
        (2, "redriven", "duplicate", 1),
        (3, "redriven", "parked", 1),
        (4, "failed_again", None, 2),
    ]
    steps = await stage.ask(
        'SELECT "offset", number, actor, state, outcome, reason FROM dead_letter_steps ORDER BY 1'
    )
    assert tuple(steps[0]) == (0, 1, "ops", "redriven", "created", None)
    assert tuple(steps[1])[5] == "Customer actors cannot open tickets targeting platform."
    assert tuple(steps[4])[:5] == (4, 1, "ops", "failed_again", None)
    assert await stage.count("tickets") == 1
    assert done.handled.dead == []


async def test_nothing_is_passed_on_or_kept_twice(stage: BatchStage) -> None:
    await stage.settle([broken(0)])
    outbox = await stage.count("outbox")
    for _ in range(2):
        await redrive(stage, [broken(0)])
    assert await stage.count("dead_letters") == 1
    assert await stage.count("outbox") == outbox
    assert await states(stage) == [(0, "failed_again", None, 3)]
    numbers = await stage.ask("SELECT number FROM dead_letter_steps ORDER BY 1")
    assert [row[0] for row in numbers] == [1, 2]


async def test_of_two_operators_one_redrives_a_letter(stage: BatchStage) -> None:
    await stage.settle([broken(0), broken(1)])
    done = await asyncio.gather(
        redrive(stage, [asked(1, 0), asked(2, 1)]), redrive(stage, [asked(2, 1), asked(1, 0)])
    )
    assert sorted(len(each.fates) for each in done) == [0, 2]
    assert await stage.count("tickets") == 2
    assert await stage.count("dead_letter_steps") == 2


async def test_an_edit_is_kept_with_the_step_and_the_letter_as_it_was(stage: BatchStage) -> None:
    await stage.settle([broken(0)])
    entry = asked(1, 0)
    assert entry.record is not None
    await redrive(stage, [entry], edited={place_of(entry): entry.record.value})
    ((value,),) = await stage.ask("SELECT value FROM dead_letter_steps")
    assert value == entry.record.value
    ((kept,),) = await stage.ask("SELECT value FROM dead_letters")
    assert kept == b"not json"


async def test_parties_and_changes_are_redriven_too(stage: BatchStage) -> None:
    await stage.settle([asked(1, 9)])
    ((ticket_id,),) = await stage.ask("SELECT id::text FROM tickets")
    customer = customer_change("Ben", 0)
    change = wanted("add_message", ticket_id, 1, body="Still broken.")
    await stage.settle(
        [
            broken(0)._replace(record=stored(b"?", 0, topic="customer.changed")),
            broken(1)._replace(record=stored(b"?", 1, topic="ticket.change_requested")),
        ]
    )
    done = await redrive(stage, [customer, change])
    assert [fate.outcome for fate in done.fates] == ["changed", "changed"]
    assert await stage.count("ticket_messages") == 2


async def test_a_live_reader_finds_a_redriven_record_decided(stage: BatchStage) -> None:
    await stage.settle([broken(0)])
    await redrive(stage, [asked(1, 0)])
    assert await stage.settle([broken(0)]) == ["duplicate"]
    assert await stage.settle([asked(1, 0)]) == ["duplicate"]


async def test_a_rejection_is_decided_again_only_where_that_is_asked_for(
    stage: BatchStage,
) -> None:
    nobody = party_id("Ben")
    refused: list[Entry] = [asked(1, 0, **FORBIDDEN), asked(2, 1, customer_id=nobody)]
    no_grace = {"rules": Rules(grace_seconds=0)}
    assert await stage.settle(refused, **no_grace) == ["rejected", "rejected"]
    assert await stage.settle(refused, **no_grace) == ["duplicate", "duplicate"]
    retry = no_grace | {"again": Again(rejections=True)}
    assert await stage.settle(refused, **retry) == ["duplicate", "duplicate"]
    decisions = [each for part in stage.recorder.handled for each in part.decisions]
    refusals = [each.refused for each in decisions if isinstance(each, Duplicate)][-2:]
    codes = [None if each is None else each.code for each in refusals]
    assert codes == ["route_not_allowed", "customer_not_found"]
    await stage.know("Ben")
    facts = await stage.count("ticket_facts")
    assert await stage.settle(refused, **retry) == ["duplicate", "created"]
    assert await stage.count("ticket_facts") == facts + 1
    assert await stage.settle(refused, **retry) == ["duplicate", "duplicate"]


async def test_a_change_that_was_refused_is_decided_again(stage: BatchStage) -> None:
    change = wanted("add_message", asked(1).ticket_id, 5, body="Any news?")
    assert await stage.settle([change]) == ["rejected"]
    retry = {"again": Again(rejections=True)}
    assert await stage.settle([change], **retry) == ["duplicate"]
    await stage.settle([asked(1, 0)])
    assert await stage.settle([change], **retry) == ["changed"]
    assert await stage.settle([change], **retry) == ["duplicate"]


async def test_replay_leaves_a_letter_that_still_fails_as_it_is(stage: BatchStage) -> None:
    await stage.settle([broken(0), broken(1)])
    async with stage.transaction() as connection:
        entries: list[Entry] = [asked(1, 0), broken(1)]
        letters = [place_of(entry) for entry in entries]
        await letter_steps.lock(connection, letters)
        await decide_again(
            connection,
            entries,
            letters,
            replace(stage.setting, rules=Rules(last_chance=True)),
            actor="ops",
            state="resolved_by_replay",
            keep_failures=False,
        )
    assert await states(stage) == [(0, "resolved_by_replay", "created", 1), (1, "dead", None, 1)]
    assert await stage.count("dead_letter_steps") == 1
