"""`ticketing verify` as an operator runs it: what it finds, what it says, and its exit codes."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from consumer import clients
from consumer.breach import Breach
from consumer.exact_names import ExactBatch
from consumer.scan import started
from consumer.subscription import Subscription
from consumer.transaction import transaction
from consumer.verify import verify
from consumer.watching import Unwatched
from db import letter_steps
from db.connect import open_pool
from handlers.again import decide_again
from handlers.batch import Setting
from handlers.entries import read
from handlers.outcomes import Rules
from handlers.record import StoredRecord, coordinates
from tests.scenarios.messages import (
    NORTH,
    Message,
    change_requested,
    customer,
    encoded,
    party_id,
    request,
    requested,
)
from tests.scenarios.test_upstream import delete_before, lose_fifteen
from tests.scenarios.world import World


class Said(NamedTuple):
    """A command that ended."""

    code: int | None
    out: str
    err: str


async def ticketing(world: World, *words: str) -> Said:
    environment = {f"TICKETING_{name}": each for name, each in world.environment.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consumer", *words),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def finished(world: World) -> World:
    """A created, a rejected and a broken request and a repeat, and a service that has left."""
    await world.publish(customer(), customer("Bert"))
    async with world.service() as service:
        await world.publish(
            requested(1), requested(2, target_type="platform"), Message(b"broken"), requested(1)
        )
        await world.come_to_rest_and_leave(service)
    return world


async def test_the_promise_holds_and_that_is_said(finished: World) -> None:
    said = await ticketing(finished, "verify")
    assert (said.code, said.err) == (0, "")
    window, records, *lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert window.startswith("window everything, as it was at 2")
    total, outcomes = records.split(": ")
    assert total == "records 6"
    assert set(outcomes.split(", ")) == {
        *("2 applied", "1 created", "1 rejected", "1 dead lettered", "1 duplicate"),
    }
    assert lines == [
        "tickets 1, 1 of them published",
        "facts 2: 2 published",
        "dead letters 1",
        "waiting nothing",
        "The promise holds, and nothing is left to be done.",
    ]


async def test_what_waits_is_no_violation(finished: World) -> None:
    await finished.publish(requested(3), requested(4))
    said = await ticketing(finished, "verify")
    assert said.code == 0
    assert said.out.splitlines()[-1] == "The promise holds so far: 2 records unread."


PLANTED = {
    "DELETE FROM ticket_facts WHERE sequence = 1": {"not_committed", "loose_end"},
    "DELETE FROM requests WHERE outcome = 'created'": {"no_outcome", "loose_end"},
    "UPDATE ticket_facts SET tenant_id = 'south' WHERE sequence = 1": {
        "other_tenant",
        "differs",
        "loose_end",
    },
    "UPDATE customers SET tenant_id = 'south' WHERE name = 'Bert'": {"other_tenant"},
    "UPDATE dead_letters SET state = 'redriven', outcome = 'created'": {"not_borne_out"},
}


async def test_what_was_tampered_with_is_found(finished: World) -> None:
    for statement, kinds in PLANTED.items():
        backup = await finished.copy_database()
        await finished.ask(statement)
        said = await ticketing(finished, "verify", "--json")
        found = json.loads(said.out)
        assert said.code == 1, statement
        assert not found["holds"]
        assert {each["kind"] for each in found["violations"]} == kinds, statement
        await finished.hang_up()
        finished.database_url = backup
    assert (await ticketing(finished, "verify")).code == 0


async def test_many_findings_of_a_kind_are_counted(world: World) -> None:
    await world.publish(customer())
    async with world.service() as service:
        await world.publish(*[requested(number) for number in range(20)])
        await world.come_to_rest_and_leave(service)
    await world.ask("DELETE FROM ticket_facts")
    said = await ticketing(world, "verify", "--limit", "2")
    assert said.code == 1
    assert "Published, but not in the database (20):" in said.out
    assert said.out.count("which is not in the database.") == 2
    assert "and 18 more; --json names all" in said.out
    assert said.out.splitlines()[-1] == "The promise is broken: 40 violations."


async def test_a_window_judges_what_came_in_and_occurred_in_it(finished: World) -> None:
    ((between,),) = await finished.ask("SELECT clock_timestamp()")
    async with finished.service() as service:
        await finished.publish(*[requested(number) for number in range(10, 15)])
        await finished.until_at_rest()
        await service.line("http.listening")
    everything = json.loads((await ticketing(finished, "verify", "--json")).out)
    late = await verify(finished.settings, since=between)
    early = await verify(finished.settings, until=between)
    assert (early.facts, late.facts, everything["facts"]) == (2, 5, 7)
    assert early.violations == late.violations == ()
    assert (early.records, early.waiting["unread"]) == (6, 0)
    assert late.records == 11  # a minute early: clocks differ
    nothing = await ticketing(finished, "verify", "--since", "1w", "--until", "6d", "--json")
    assert (nothing.code, json.loads(nothing.out)["records"]) == (0, 0)
    await finished.ask(
        "DELETE FROM requests WHERE request_key = (SELECT request_key FROM requests"
        " WHERE outcome = 'created' ORDER BY decided_at DESC LIMIT 1)"
    )
    assert (await verify(finished.settings, until=between)).violations == ()
    assert len((await verify(finished.settings, since=between)).violations) == 2


async def test_letters_that_live_again_hold_the_promise(finished: World) -> None:
    """One as it is edited, one as somebody else, one still broken; and a rejection tried again."""
    await finished.publish(*[Message(b"broken %d" % number) for number in range(2)])
    async with finished.service() as service:
        await finished.until_rows("dead_letters", 3)
        rows = await finished.ask("SELECT * FROM dead_letters ORDER BY failed_at, value")
        records = [
            StoredRecord(row[0], row[1], row[2], row[3], row["key"], row["value"], ())
            for row in rows
        ]
        edits = [encoded(request("edited")), encoded(request(1)), b"broken still"]
        await redrive(finished, dict(zip(records, edits, strict=True)))
        await finished.until_at_rest()
        await service.line("http.listening")
    report = await finished.check()
    assert report.outcomes == {
        "applied": 2,
        "created": 2,
        "rejected": 1,
        "duplicate": 2,
        "dead_lettered": 1,
    }
    assert report.dead_letters == 3
    await finished.ask("DELETE FROM requests WHERE request_key = $1", await edited_key(finished))
    (first, *_) = (await finished.report()).violations
    assert "redriven with the outcome created, but other rows say nothing of it" in first


async def redrive(world: World, edits: dict[StoredRecord, bytes]) -> None:
    """As `dlq redrive` does."""
    pool = await open_pool(world.database_url, size=1)
    role = Subscription(world.settings).role_of(next(iter(edits)).topic)
    assert role is not None
    entries = [
        read(StoredRecord(*coordinates(each), each.key, value, each.headers), role, 1_000_000)
        for each, value in edits.items()
    ]
    letters = [coordinates(each) for each in edits]
    async with transaction(pool) as connection:
        await letter_steps.lock(connection, letters)
        await decide_again(
            connection,
            entries,
            letters,
            Setting(Rules(), "group"),
            actor="ops",
            state="redriven",
            edited={coordinates(each): value for each, value in edits.items()},
        )
    await pool.close()


async def edited_key(world: World) -> str:
    ((key,),) = await world.ask(
        "SELECT q.request_key::text FROM requests q JOIN dead_letters d ON d.topic = q.topic"
        ' AND d.partition = q.partition AND d."offset" = q."offset"'
    )
    return str(key)


async def test_there_is_no_false_alarm_while_the_service_works(world: World) -> None:
    """Parked requests, repeats, poison and changes, over and over, in windows too."""
    world.options["UNKNOWN_CUSTOMER_GRACE_SECONDS"] = "1"
    people = [f"customer {number}" for number in range(20)]
    await world.publish(*map(customer, people))
    begun = datetime.now(UTC)
    async with world.service(BATCH_RECORDS="50"), world.service(BATCH_RECORDS="50"):
        sending = asyncio.create_task(send(world, people))
        reports = []
        while not sending.done():
            reports.append(await verify(world.settings))
            since = begun + timedelta(seconds=len(reports) / 2)
            reports.append(await verify(world.settings, since=since))
            reports.append(await verify(world.settings, until=since))
        await sending
        assert [report.violations for report in reports if report.violations] == []
        assert [report.losses for report in reports if report.losses] == []
        assert len(reports) >= 3
        assert any(not report.is_at_rest for report in reports)
        report = await world.come_to_rest()
    assert {"created", "duplicate", "rejected", "dead_lettered"} <= report.outcomes.keys()


async def send(world: World, people: list[str]) -> None:
    for turn in range(12):
        numbers = range(turn * 100, turn * 100 + 100)
        await world.publish(
            *[requested(n, customer_id=party_id(people[n % 20])) for n in numbers],
            *[requested(n, customer_id=party_id(people[n % 20])) for n in numbers if n % 3 == 0],
            *[requested(f"{n} unknown", customer_id=party_id("nobody")) for n in range(turn, 5)],
            *[Message(b"poison %d" % n) for n in range(5)],
        )
        tickets = await world.ask("SELECT id::text FROM tickets ORDER BY created_at DESC LIMIT 20")
        await world.publish(
            *[change_requested("add_message", row[0], body="?") for row in tickets],
            *[change_requested("set_priority", row[0], priority="high") for row in tickets],
        )


async def test_a_topic_of_a_tenant_is_looked_at_as_such(world: World) -> None:
    world.options["REQUEST_TOPICS"] = r"^requests\.(?P<tenant>[a-z]+)$"
    await world.make_topics_named("requests.north", "requests.south")
    await world.publish(customer())
    async with world.service() as service:
        await world.publish(
            requested(1).on("requests.north"),
            requested(1).on("requests.south"),
            Message(b"broken").on("requests.south"),
        )
        await world.come_to_rest_and_leave(service)
    await world.ask("UPDATE requests SET tenant_id = 'south' WHERE tenant_id = $1", NORTH)
    await world.ask("UPDATE dead_letters SET tenant_id = $1", NORTH)
    violations = (await world.report()).violations
    for sentence in ("is on record as created for tenant south", "a dead letter of tenant north"):
        assert [each for each in violations if f"{sentence}." in each], violations


async def test_a_topic_that_was_made_anew_accuses_nobody(world: World) -> None:
    await world.make_topics_named("requests.one", partitions=1)
    world.options["REQUEST_TOPICS"] = "requests.one"
    await world.make_topics()
    await world.publish(customer())
    async with world.service() as service:
        await world.publish(*[requested(number).on("requests.one") for number in range(10)])
        await world.come_to_rest_and_leave(service)
    topic = f"{world.prefix}requests.one"
    async with started(clients.admin(world.settings)) as admin:
        await admin.delete_topics([topic])

        async def is_gone() -> bool:
            return topic not in await admin.list_topics()

        await world.until(is_gone, "the topic deleted")
    await world.make_topics_named("requests.one", partitions=1)
    await world.publish(*[requested(number).on("requests.one") for number in range(20, 25)])
    report = await world.report()
    assert (report.violations, report.losses) == ((), ())
    assert report.waiting["unread"] == 5
    async with world.service():
        report = await world.come_to_rest()
    assert (report.outcomes["created"], report.losses) == (5, ())


async def test_what_retention_deleted_unread_is_a_loss(world: World) -> None:
    """Before the service has met it, and afterwards, when it has reported it."""
    await lose_fifteen(world)
    said = await ticketing(world, "verify")
    assert said.code == 1
    assert "requests.one:0 (offsets 10 to 24) were deleted before the group had read" in said.out
    assert said.out.splitlines()[-1] == "The promise is broken: 15 records deleted unread."
    async with world.service():
        report = await world.come_to_rest()
    assert (report.lost, report.holds) == (15, False)


async def test_what_came_after_an_unknown_customer_was_refused_needs_an_outcome(
    world: World,
) -> None:
    """Where its identity alone is on record, with the outcome of another record."""
    world.options["UNKNOWN_CUSTOMER_GRACE_SECONDS"] = "0"
    async with world.service():
        for number in (1, 2):
            await world.publish(requested(1))
            await world.until_rows("ticket_facts", number)
        report = await world.come_to_rest()
    assert report.outcomes == {"rejected": 2}
    first = "(SELECT min(occurred_at) FROM ticket_facts)"
    await world.ask(f"DELETE FROM ticket_facts WHERE occurred_at > {first}")  # noqa: S608  our own words
    await world.ask(
        "UPDATE requests SET partition = (f.data::json ->> 'partition')::int,"
        " \"offset\" = (f.data::json ->> 'offset')::bigint FROM ticket_facts f"
    )
    await world.ask("UPDATE ticket_facts SET occurred_at = occurred_at - interval '2 minutes'")
    found = (await world.report()).found
    assert [each.kind for each in found].count(Breach.NO_OUTCOME) == 1


async def test_who_looks_is_told_how_much_is_read(finished: World) -> None:
    told: dict[str, tuple[int | None, int]] = {}

    class Line(Unwatched):
        def __init__(self, total: int | None, unit: str) -> None:
            self.unit = unit
            told[unit] = (total, 0)

        def advance(self, number: int) -> None:
            total, done = told[self.unit]
            told[self.unit] = (total, done + number)

    await verify(finished.settings, watch=Line)
    assert told == {
        "records": (6, 6),
        "facts in the database": (None, 2),
        "published facts": (2, 2),
        "dead letters": (1, 1),
    }


async def test_what_retention_deleted_of_the_outputs_is_not_taken_for_lost(world: World) -> None:
    await world.make_topics_named("ticket.created", partitions=1)
    await world.make_topics()
    await world.publish(customer())
    async with world.service() as service:
        await world.publish(*[requested(number) for number in range(10)], Message(b"broken"))
        await world.come_to_rest_and_leave(service)
    fifth = (await world.read("ticket.created"))[4].offset
    delete_before(world, "ticket.created", fifth)
    report = await world.report()
    assert (report.violations, report.expired, report.published) == ((), 4, 6)


NAME = b"tr\xe4ger"


async def test_a_header_name_of_any_bytes_comes_to_the_dead_letter_topic(world: World) -> None:
    name = NAME.decode("utf-8", "surrogateescape")
    sent = ExactBatch.of(b"key", b"broken", [("before", b"1"), (name, b"2")])
    async with started(clients.producer(world.settings)) as producer:
        topic = f"{world.prefix}ticket.requested"
        await (await producer.send_batch(sent, topic, partition=0))
    async with world.service():
        await world.until_rows("dead_letters")
        report = await world.come_to_rest()
    assert report.outcomes == {"dead_lettered": 1}
    ((names,),) = await world.ask("SELECT header_names FROM dead_letters")
    assert names == [b"before", NAME]
    (letter,) = await world.read("ticket.requested.dlq")
    assert list(letter.headers[:2]) == [("before", b"1"), (name, b"2")]


async def test_servers_that_are_away_and_wrong_use_are_told_in_a_sentence(world: World) -> None:
    said = await ticketing(world, "verify", "--since", "yesterday")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("--since: 'yesterday' is not a time; write ")
    said = await ticketing(world, "verify", "--since", "1h", "--until", "2h")
    assert (said.code, said.err) == (2, "--since: is not before --until; write an earlier time.\n")
    kafka, world.kafka = world.kafka, "127.0.0.1:1"
    said = await ticketing(world, "verify")
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert said.err.startswith("Kafka at 127.0.0.1:1 can't be used: ")
    world.kafka = kafka
    database, world.database_url = world.database_url, "postgresql://u:secret@127.0.0.1:1/d"
    said = await ticketing(world, "verify")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert said.err.startswith("The database 127.0.0.1:1/d can't be used: ")
    world.database_url = database
