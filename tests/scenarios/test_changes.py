"""Changes to tickets, seen from outside: many at once, and the service killed among them."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest

from handlers.identity import request_key
from schemas.vocabulary import Kind
from tests.records import asked
from tests.scenarios.histories import Told, assert_consistent, histories, refusals
from tests.scenarios.messages import ANNA, NORTH, Message, change_requested, customer, requested
from tests.scenarios.test_crashes import QUICK
from tests.scenarios.world import World

AT_ONCE = 200
PARTITIONS = 8
CUSTOMER = {"type": "customer", "id": ANNA}
PLATFORM = {"type": "platform", "id": "engineer-3"}


@pytest.fixture
async def wide(kafka: str, database_url: str, topic_prefix: str) -> AsyncIterator[World]:
    """A world whose changes come over several partitions."""
    world = World(kafka, database_url, topic_prefix)
    await world.make_topics_named("ticket.change_requested", partitions=PARTITIONS)
    await world.make_topics()
    yield world
    await world.hang_up()


def of_all_kinds(ticket_id: str, number: int) -> Message:
    """One of many changes; some are refused, and some change nothing, by what came before."""
    statuses = ("waiting", "in_progress", "resolved", "open")
    priorities = ("low", "normal", "high", "urgent")
    turn = number // PARTITIONS
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("add_message", {"body": f"agent {number}"}),
        ("add_message", {"body": f"customer {number}", "actor": CUSTOMER}),
        ("add_message", {"body": f"internal {number}", "is_internal": True}),
        ("set_status", {"status": statuses[turn % 4]}),
        ("set_priority", {"priority": priorities[turn % 4]}),
        ("assign", {"assigned_team": f"team {turn % 3}"}),
        (
            "set_fields",
            {"fields": {"service_address": f"Row {turn % 3}", "context": {"n": number}}},
        ),
        ("escalate", {"to": {"level": turn % 3}, "actor": PLATFORM}),
        ("rate", {"rating": 1 + turn % 5, "actor": CUSTOMER}),
    ]
    kind, fields = kinds[number % len(kinds)]
    return change_requested(kind, ticket_id, request_id=f"change-{number}", **fields)


async def opened(world: World, *numbers: int) -> list[str]:
    """The ids of tickets that Anna has just opened. A service must run."""
    await world.publish(customer(), *(requested(number) for number in numbers))
    await world.until_rows("tickets", len(numbers))
    return [asked(number).ticket_id for number in numbers]


async def outcome_of(world: World, number: int) -> str:
    """What is on record about one of the many changes."""
    key = request_key(Kind.CHANGE, "request_id", NORTH, f"change-{number}")
    ((outcome,),) = await world.ask("SELECT outcome FROM requests WHERE request_key = $1", key)
    return str(outcome)


async def test_200_changes_at_once_to_one_ticket_are_one_consistent_history(wide: World) -> None:
    """Over eight partitions, to two processes, in batches small enough to come between."""
    options = {"BATCH_RECORDS": "5"}
    async with wide.service(**options) as one, wide.service(**options) as other:
        for service in (one, other):
            await service.line("partitions.assigned")
        (ticket,) = await opened(wide, 1)
        for service in (one, other):
            service.lines.clear()
        changes = [
            replace(of_all_kinds(ticket, number), partition=number % PARTITIONS)
            for number in range(AT_ONCE)
        ]
        senders = (changes[each::PARTITIONS] for each in range(PARTITIONS))
        await asyncio.gather(*(wide.publish(*sent) for sent in senders))
        report = await wide.come_to_rest()
        for service in (one, other):
            assert any(line["event"] == "batch.committed" for line in service.lines)
    outcomes = Counter(report.outcomes) - Counter(applied=1, created=1)
    assert outcomes.total() == AT_ONCE
    assert outcomes.keys() == {"changed", "unchanged", "rejected"}
    ((told, history),) = (await histories(wide)).items()
    assert told == ticket
    await assert_consistent(wide, history)
    await assert_one_outcome_each(wide, history)
    assert_in_their_order(history)


async def assert_one_outcome_each(world: World, history: Sequence[Told]) -> None:
    """What changed has its facts together, once; what was refused is told; the rest is nowhere."""
    causes = [cause for cause, _ in groupby(fact.cause for fact in history[1:])]
    refused = await refusals(world)
    for number in range(AT_ONCE):
        cause = f"change-{number}"
        expected = {"changed": (1, False), "rejected": (0, True), "unchanged": (0, False)}
        outcome = await outcome_of(world, number)
        assert (causes.count(cause), cause in refused) == expected[outcome], cause
    assert await world.count("requests WHERE kind = 'change'") == AT_ONCE


def assert_in_their_order(history: Sequence[Told]) -> None:
    """The changes of one partition took effect in the order in which they stand there."""
    numbers = [int((fact.cause or "").removeprefix("change-")) for fact in history[1:]]
    for partition in range(PARTITIONS):
        own = [number for number in numbers if number % PARTITIONS == partition]
        assert own == sorted(own)


MOMENTS = {
    "before the tickets are locked": "kill before connection.fetch ~FOR NO KEY UPDATE #2",
    "while they are locked": "kill after connection.fetch ~FOR NO KEY UPDATE #2",
    "when they are written, and their facts are not": (
        "kill after connection.execute ~UPDATE tickets #2"
    ),
    "between the database's commit and the offsets'": "kill before consumer.commit",
    "while the facts are on their way": "kill after producer.send_batch #2",
    "between publishing and forgetting the outbox row": (
        "kill before connection.execute ~DELETE FROM outbox"
    ),
}
TICKETS = range(10)
EACH = 30


def flow(tickets: Sequence[str]) -> list[Message]:
    """Changes that all succeed: a message and an assignment in turn, ticket by ticket."""
    return [
        change_requested("add_message", ticket, request_id=f"m-{ticket}-{turn}", body=f"{turn}")
        if turn % 2
        else change_requested(
            "assign", ticket, request_id=f"a-{ticket}-{turn}", assigned_team=str(turn)
        )
        for turn in range(EACH)
        for ticket in tickets
    ]


async def assert_all_once(world: World, tickets: Sequence[str]) -> None:
    """Each ticket has every message and every assignment, in the order in which they were sent."""
    found = await histories(world)
    assert found.keys() == set(tickets)
    for ticket in tickets:
        await assert_consistent(world, found[ticket])
        causes = Counter(fact.cause for fact in found[ticket])
        turns = [f"{'m' if turn % 2 else 'a'}-{ticket}-{turn}" for turn in range(EACH)]
        assert list(causes)[1:] == turns
        assert [causes[each] for each in turns] == [1, 2] + [1] * (EACH - 2)
    assert await refusals(world) == {}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_changes_flow(moment: str, own_world: World) -> None:
    world = own_world
    options = {"BATCH_RECORDS": "50"}
    async with world.service(client=QUICK) as first:
        tickets = await opened(world, *TICKETS)
        await world.come_to_rest_and_leave(first)
    await world.publish(*flow(tickets))
    async with world.service(client=QUICK, faults=[MOMENTS[moment]], **options) as killed:
        assert await killed.end() == -signal.SIGKILL
    assert (await world.report()).holds
    await world.let_leases_expire()
    async with world.service(client=QUICK):
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 10, "changed": len(TICKETS) * EACH}
    await assert_all_once(world, tickets)


async def test_killed_from_outside_and_started_again_and_again(own_world: World) -> None:
    """Wherever it happens to be, three times, while a sender goes on sending."""
    world = own_world
    options = {"BATCH_RECORDS": "10"}
    async with world.service(client=QUICK) as first:
        tickets = await opened(world, *TICKETS)
        await world.come_to_rest_and_leave(first)
    changes = flow(tickets)
    third = len(changes) // 3
    for number in range(3):
        sending = asyncio.create_task(
            world.publish(*changes[number * third : (number + 1) * third])
        )
        await world.let_leases_expire()
        async with world.service(client=QUICK, **options) as killed:
            await world.until_rows("requests WHERE outcome = 'changed'", number * third + 20)
            killed.signal(signal.SIGKILL)
            assert await killed.end() == -signal.SIGKILL
        await sending
    await world.let_leases_expire()
    async with world.service(client=QUICK):
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 10, "changed": len(changes)}
    await assert_all_once(world, tickets)
