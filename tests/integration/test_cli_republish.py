"""`ticketing republish`: past facts once more, on real servers."""

import asyncio
import shlex
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from db.held_facts import FactKey, Hold, hold
from tests.integration.command import Command
from tests.integration.relay_stage import (
    AT,
    Fact,
    Received,
    RelayStage,
    first_occurrences,
    staged,
    story,
)
from tests.integration.ticketing_process import Ended, begun, end_of

pytestmark = pytest.mark.integration

POLL_SECONDS = 0.05
REPLAYED = ("ce_replayed", b"true")


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        yield ready


def settings_of(stage: RelayStage) -> dict[str, str]:
    return {
        "DATABASE_URL": stage.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stage.kafka,
        "TOPIC_PREFIX": stage.prefix,
        "GROUP_ID": f"{stage.prefix}group",
    }


async def republish(stage: RelayStage, cwd: Path, *arguments: str) -> Ended:
    process = await begun("republish", *arguments, settings=settings_of(stage), cwd=cwd)
    return await end_of(process)


async def published(stage: RelayStage, writes: Sequence[Sequence[Fact]]) -> None:
    """Write facts, and have a relay publish them."""
    for facts in writes:
        await stage.write(*facts)
    await relayed(stage)


async def relayed(stage: RelayStage) -> None:
    """Have a relay publish what is in the outbox, and end."""
    async with stage.relaying():
        while True:
            if not await stage.waiting():
                break
            await asyncio.sleep(POLL_SECONDS)


def by_place(records: Sequence[Received]) -> list[tuple[int, bytes | None, bytes | None]]:
    return [(record.partition, record.key, record.value) for record in records]


def in_order(records: Sequence[Received]) -> bool:
    """Whether each ticket's facts came in their order, each once."""
    orders: dict[bytes | None, list[int]] = {}
    for record in records:
        orders.setdefault(record.key, []).append(record.sequence)
    return all(order == sorted(set(order)) for order in orders.values())


async def test_facts_are_sent_again_as_they_were_and_marked(
    stage: RelayStage, tmp_path: Path
) -> None:
    for topic in ("ticket.created", "ticket.updated", "ticket.rejected"):
        await stage.create_topic(topic)
    ticket = Fact(causation_id="cause", traceparent=f"00-{'1' * 32}-{'2' * 16}-01")
    rejection = Fact(sequence=0, ce_type="ticket.rejected", ticket_id=str(uuid4()))
    follower = replace(ticket, sequence=2, ce_type="ticket.rated")
    await published(stage, [[ticket, rejection], [follower, Fact(tenant_id="beta")]])
    before = await stage.fetch("SELECT * FROM ticket_facts ORDER BY 1, 2, 3")
    fences = await stage.fetch("SELECT name, fence FROM leases")
    first = {topic: await stage.everything(topic) for topic in ("ticket.created", "ticket.updated")}

    done = await republish(stage, tmp_path, "--all", "--yes", "--json")

    assert done.code == 0, done.err
    told = done.json
    assert told["by_type"] == {"ticket.created": 2, "ticket.rated": 1, "ticket.rejected": 1}
    assert (told["sent"], told["refused"], told["not_published"]) == (4, 0, 0)
    assert (told["complete"], told["from"], told["to"]) == (True, AT.isoformat(), AT.isoformat())
    for topic, records in first.items():
        again = (await stage.everything(topic)).copy()
        for record in records:
            again.remove(record)
        marked = [replace(record, headers=[*record.headers, REPLAYED]) for record in records]
        assert sorted(map(repr, again)) == sorted(map(repr, marked))
    rejections = await stage.everything("ticket.rejected")
    assert [REPLAYED in record.headers for record in rejections] == [False, True]
    assert await stage.fetch("SELECT * FROM ticket_facts ORDER BY 1, 2, 3") == before
    assert await stage.fetch("SELECT name, fence FROM leases") == fences
    assert await stage.waiting() == []


async def test_a_tickets_facts_come_in_their_order(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created", partitions=3)
    await stage.create_topic("copies", partitions=2)
    await published(stage, story(subjects=40, length=30))
    done = await republish(stage, tmp_path, "--tenant", "acme", "--to-topic", "copies", "--yes")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        f"Sent 1200 facts again to {stage.prefix}copies:",
        "  ticket.created: 1200",
    ]
    copies = await stage.everything("copies")
    assert len(copies) == 1_200
    assert in_order(copies)
    assert len(await stage.everything("ticket.created")) == 1_200


async def test_what_is_sent_is_what_was_named(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    await stage.create_topic("ticket.updated")
    first, other = Fact(), Fact(tenant_id="beta")
    rated = replace(first, sequence=2, ce_type="ticket.rated")
    assigned = replace(first, sequence=3, ce_type="ticket.assigned")
    await stage.write(first)
    await stage.write(rated, other)
    await stage.write(assigned)
    await stage.fetch("DELETE FROM outbox")
    await stage.fetch(
        "UPDATE ticket_facts SET occurred_at = occurred_at + sequence * interval '1 day'"
    )

    async def named(*arguments: str) -> dict[str, int]:
        done = await republish(stage, tmp_path, *arguments, "--dry-run", "--json")
        assert done.code == 0, done.err
        counts: dict[str, int] = done.json["by_type"]
        return counts

    assert await named("--type", "ticket.rated") == {"ticket.rated": 1}
    assert await named("--type", "ticket.updated") == {"ticket.rated": 1, "ticket.assigned": 1}
    assert await named("--ticket", first.subject_id, "--type", "ticket.created") == {
        "ticket.created": 1
    }
    assert sum((await named("--ticket", first.subject_id)).values()) == 3
    assert await named("--tenant", "beta") == {"ticket.created": 1}
    day = [(AT + timedelta(days=number)).isoformat() for number in range(5)]
    assert await named("--since", day[2]) == {"ticket.rated": 1, "ticket.assigned": 1}
    assert await named("--since", day[2], "--until", day[3]) == {"ticket.rated": 1}
    assert await named("--until", day[2]) == {"ticket.created": 2}
    assert await named("--since", day[4]) == {}
    assert await stage.everything("ticket.created") == []


async def test_what_is_not_published_yet_is_left_to_the_relay(
    stage: RelayStage, tmp_path: Path
) -> None:
    await stage.create_topic("ticket.created")
    await published(stage, [[Fact()]])
    held = Fact(data='"held"')
    await stage.write(held)
    await stage.fetch("DELETE FROM outbox")
    async with stage.pool.acquire() as connection:
        key = FactKey(held.tenant_id, bytes.fromhex(held.subject_id.replace("-", "")), 1)
        await hold(connection, [Hold(key, "too long")])
    await stage.write(Fact(), Fact())
    done = await republish(stage, tmp_path, "--all", "--yes")
    assert done.code == 0
    assert done.out.splitlines()[0] == f"Sent 1 fact again to {stage.prefix}ticket.created:"
    assert done.err.splitlines()[-1] == "3 facts are not published yet: the relay sends them."
    assert len(await stage.everything("ticket.created")) == 2
    assert len(await stage.waiting()) == 1


async def test_a_refused_fact_is_told_and_the_rest_goes_on(
    stage: RelayStage, tmp_path: Path
) -> None:
    await stage.create_topic("ticket.created")
    await stage.create_topic("small", partitions=1, config={"max.message.bytes": "2000"})
    long = Fact(sequence=2, data=f'"{"x" * 3_000}"')
    facts = [replace(long, sequence=1, data="{}"), long, replace(long, sequence=3, data="{}")]
    await published(stage, [[fact] for fact in facts] + [[Fact() for _ in range(20)]])
    done = await republish(stage, tmp_path, "--all", "--to-topic", "small", "--yes", "--json")
    assert done.code == 1
    told = done.json
    assert (told["sent"], told["refused"], told["complete"]) == (22, 1, True)
    (refusal,) = told["refusals"]
    assert (refusal["subject_id"], refusal["sequence"]) == (long.subject_id, 2)
    assert "MessageSizeTooLarge" in refusal["reason"]
    assert f"Fact 2 (ticket.created) of {long.subject_id} in tenant acme was refused" in done.err
    copies = await stage.everything("small")
    assert first_occurrences(copies)[long.subject_id.encode()] == [1, 3]


async def test_a_stopped_run_tells_how_to_go_on(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    await stage.create_topic("copies", partitions=1)
    await published(stage, story(subjects=5, length=30))
    arguments = ("--since", "3000d", "--to-topic", "copies", "--rate", "30", "--yes", "--json")
    process = await begun("republish", *arguments, settings=settings_of(stage), cwd=tmp_path)
    await stage.arrived("copies", 5)
    process.send_signal(signal.SIGINT)
    done = await end_of(process)
    assert done.code == 1
    told = done.json
    sent = await stage.everything("copies")
    assert 5 <= told["sent"] == len(sent) < 150
    assert told["complete"] is False
    line = shlex.split(done.err.splitlines()[-1].partition("this goes on: ")[2])
    assert line[:2] == ["ticketing", "republish"]
    assert line[-1] == told["cursor"]
    rest = await republish(stage, tmp_path, *line[2:], "--rate", "100000", "--yes", "--json")
    assert rest.code == 0, rest.err
    assert rest.json["sent"] == 150 - told["sent"]
    copies = await stage.everything("copies")
    assert len(copies) == 150
    assert in_order(copies)


async def test_without_a_fact_that_fits_nothing_is_asked(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    done = await republish(stage, tmp_path, "--type", "ticket.created")
    assert (done.code, done.out) == (0, "No published fact fits.\n")


async def test_it_says_what_it_will_touch_and_asks(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    await published(stage, [[Fact()]])
    done = await republish(stage, tmp_path, "--tenant", "acme", "--rate", "5")
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines[0] == f"brokers: {stage.kafka}"
    assert lines[1].startswith("database: ")
    assert "@" not in lines[1]
    assert lines[2:] == [
        "tenant: acme",
        "facts: 1 (1 ticket.created)",
        f"to: {stage.prefix}ticket.created",
        "rate: 5 facts a second at most",
        "Nothing was done: without a terminal to ask, --yes is needed.",
    ]


async def test_a_topic_that_is_missing_is_named(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    await published(stage, [[Fact()]])
    await stage.fetch("UPDATE ticket_facts SET ce_type = 'ticket.rated'")
    done = await republish(stage, tmp_path, "--all", "--yes")
    topic = f"{stage.prefix}ticket.updated"
    assert (done.code, done.err) == (1, f"{topic} does not exist: run `ticketing topics`.\n")
    done = await republish(stage, tmp_path, "--all", "--yes", "--to-topic", "copies")
    prefix = stage.prefix
    rule = f"({prefix} is put before the name)"
    sentence = f"--to-topic: {prefix}copies does not exist {rule}; create it first.\n"
    assert (done.code, done.err) == (1, sentence)


SUBJECT = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name what to send again: --type, --ticket, --tenant, --since or --until; or --all"),
        (["--all", "--tenant", "acme"], "Name what to send again"),
        (["--type", "ticket.creatd"], "which is no type of a fact; did you mean ticket.created?"),
        (["--type", "?"], "which is no type of a fact; the types are ticket.created, "),
        (["--since", "yesterday"], "--since: 'yesterday' is not a time; write "),
        (["--until", "2026-01-01T00:00:00"], "--until: '2026-01-01T00:00:00' has no offset"),
        (["--since", "1h", "--until", "2h"], "--since is not before --until: nothing can fit."),
        (["--all", "--resume", "12"], "--resume is '12'; give the cursor that the stopped run"),
        (["--all", "--to-topic", "a b"], "--to-topic: a b is not a legal name of a Kafka topic."),
        (["--all", "--to-topic", "x.dlq"], "--to-topic: x.dlq is a dead letter topic."),
        (["--all", "--to-topic", "ticket.requested"], "is a topic that the service reads, which"),
        (["--all", "--to-topic", "sla.breached"], "is a topic of ours, which has a type of its"),
        (["--all", "--rate", "0"], "'--rate'"),
        (["--all", "--timeout", "5"], "--timeout goes with --held alone."),
        (["--held", "--since", "1h"], "--held takes no other filter than --type, --ticket, --ten"),
        (["--held", "--all"], "--held takes no other filter than"),
        (["--held", "--to-topic", "x"], "--held takes no other filter than"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    command: Command, arguments: list[str], sentence: str
) -> None:
    done = command("republish", *arguments)
    assert done.code == 2
    assert sentence in done.err
    assert done.out == ""


@pytest.mark.parametrize("name", ["TCK-0123456789AB", SUBJECT])
def test_a_ticket_that_does_not_exist_is_named(command: Command, name: str) -> None:
    done = command("republish", "--ticket", name, "--tenant", "acme")
    assert (done.code, done.err) == (1, f"There is no ticket {name} in tenant acme.\n")


def test_a_number_that_several_tenants_have_needs_one(command: Command) -> None:
    command.execute(
        "INSERT INTO tickets (id, ticket_number, tenant_id, subject, status, priority, origin_type,"
        " target_type, created_at, updated_at) SELECT gen_random_uuid(), 'TCK-0123456789AB', t,"
        " 'x', 'open', 'normal', 'platform', 'tenant', now(), now()"
        " FROM (VALUES ('north'), ('south')) AS v (t)"
    )
    done = command("republish", "--ticket", "tck-0123456789ab")
    assert done.code == 2
    assert done.err.startswith("2 tenants have a ticket tck-0123456789ab: name one with --tenant (")


def test_brokers_that_are_away_are_named(command: Command) -> None:
    command.execute(
        "INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,"
        " occurred_at, data) SELECT 'acme', id, 1, 1, 'ticket.created', id, now(), '{}'"
        " FROM gen_random_uuid() AS id"
    )
    done = command("republish", "--tenant", "acme", "--yes")
    assert done.code == 1
    assert done.err.startswith("Kafka at 127.0.0.1:1 can't be used: ")
