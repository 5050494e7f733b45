"""`ticketing republish --held` on facts of every kind: what goes, what stays, and what is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.held_facts import BEHIND, FactKey, Hold, hold
from tests.integration.command import Command
from tests.integration.relay_stage import Fact, RelayStage, staged
from tests.integration.ticketing_process import Ended, begun, end_of

pytestmark = pytest.mark.integration

REFUSED = "MessageSizeTooLargeError"
TOO_LONG = f'"{"x" * 3_000}"'


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        yield ready


async def let_go(stage: RelayStage, cwd: Path, *arguments: str) -> Ended:
    settings = {
        "DATABASE_URL": stage.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stage.kafka,
        "TOPIC_PREFIX": stage.prefix,
    }
    words = ("republish", "--held", "--yes", *arguments)
    return await end_of(await begun(*words, settings=settings, cwd=cwd))


async def keep(stage: RelayStage, *held: tuple[Fact, str] | tuple[Fact, str, str]) -> None:
    """Write these facts, held: each with its reason, and the topic that it waits for if any."""
    await stage.write(*(fact for fact, *_ in held))
    await stage.fetch("DELETE FROM outbox")
    holds = [
        Hold(
            FactKey(fact.tenant_id, bytes.fromhex(fact.subject_id.replace("-", "")), fact.sequence),
            reason,
            stage.prefix + topic[0] if topic else None,
        )
        for fact, reason, *topic in held
    ]
    async with stage.pool.acquire() as connection:
        await hold(connection, holds)


async def test_a_rejection_goes_out_alone(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.rejected")
    rejection = Fact(sequence=0, ce_type="ticket.rejected", ticket_number=None)
    await keep(stage, (rejection, REFUSED))
    done = await let_go(stage, tmp_path)
    assert done.code == 0, done.err
    assert done.out == "Published 1 of 1 held fact.\n"
    (record,) = await stage.everything("ticket.rejected")
    assert record.header("ce_id") == rejection.subject_id


async def test_what_follows_to_other_topics_waits_no_longer(
    stage: RelayStage, tmp_path: Path
) -> None:
    for topic in ("ticket.created", "ticket.updated", "ticket.escalated"):
        await stage.create_topic(topic)
    front = Fact()
    types = ("ticket.rated", "ticket.escalated", "ticket.assigned", "ticket.escalated")
    rest = [
        replace(front, sequence=number, ce_type=each) for number, each in enumerate(types, start=2)
    ]
    await keep(stage, (front, REFUSED), *((fact, BEHIND) for fact in rest))
    done = await let_go(stage, tmp_path, "--json")
    assert (done.code, done.json["published"]) == (0, 5)
    found = {
        topic: [record.sequence for record in await stage.everything(topic)]
        for topic in ("ticket.created", "ticket.updated", "ticket.escalated")
    }
    assert found == {
        "ticket.created": [1],
        "ticket.updated": [2, 4],
        "ticket.escalated": [3, 5],
    }


async def test_what_has_no_topic_stays_and_is_told(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    first = Fact()
    second = replace(first, sequence=2, ce_type="ticket.escalated")
    third = replace(first, sequence=3, ce_type="ticket.rated")
    await keep(stage, (first, REFUSED), (second, "no topic", "ticket.escalated"), (third, BEHIND))
    done = await let_go(stage, tmp_path)
    assert done.code == 1
    assert done.out.splitlines() == [
        "Published 1 of 2 held facts.",
        f"1 fact for {stage.prefix}ticket.escalated, which does not exist: `ticketing topics`.",
        f"1 fact for {stage.prefix}ticket.updated, which does not exist: `ticketing topics`.",
    ]
    assert [record.sequence for record in await stage.everything("ticket.created")] == [1]
    assert await stage.held() == [
        (first.subject_id, 2, f"{stage.prefix}ticket.escalated"),
        (first.subject_id, 3, f"{stage.prefix}ticket.updated"),
    ]


async def test_only_what_is_named_is_let_go(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    await stage.create_topic("ticket.updated")
    first, beta, other = Fact(), Fact(tenant_id="beta"), Fact()
    rated = replace(first, sequence=2, ce_type="ticket.rated")
    await keep(stage, (first, REFUSED), (rated, BEHIND), (beta, REFUSED), (other, REFUSED))
    done = await let_go(stage, tmp_path, "--tenant", "acme", "--type", "ticket.rated")
    assert (done.code, done.out) == (0, "Published 2 of 2 held facts.\n")
    done = await let_go(stage, tmp_path, "--ticket", beta.subject_id)
    assert (done.code, done.out) == (0, "Published 1 of 1 held fact.\n")
    assert await stage.held() == [(other.subject_id, 1, None)]


async def test_what_was_held_behind_what_is_gone_is_let_go_too(
    stage: RelayStage, tmp_path: Path
) -> None:
    """A relay that had read a write before the release holds it after: behind nothing."""
    await stage.create_topic("ticket.created")
    fact = Fact(sequence=2)
    await keep(stage, (fact, BEHIND))
    done = await let_go(stage, tmp_path)
    assert (done.code, done.out) == (0, "Published 1 of 1 held fact.\n")


async def test_a_fact_that_is_gone_is_forgotten(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    fact = Fact()
    await keep(stage, (fact, REFUSED), (replace(fact, sequence=2), BEHIND))
    await stage.fetch("DELETE FROM ticket_facts WHERE sequence = 1")
    done = await let_go(stage, tmp_path)
    assert done.code == 0, done.err
    assert [record.sequence for record in await stage.everything("ticket.created")] == [2]
    assert await stage.held() == []


async def test_nobody_waits_longer_than_was_said(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    await keep(stage, (Fact(), REFUSED))
    await stage.fetch(
        "INSERT INTO leases (name, holder, fence, expires_at)"
        " VALUES ('relay', 'another', 7, now() + interval '1 hour')"
    )
    done = await let_go(stage, tmp_path, "--timeout", "1", "--json")
    assert done.code == 1
    assert done.json["waiting"] == 1
    assert done.err.splitlines()[-1] == (
        "1 fact still waits: whoever has the relay's lease sends what was let go."
    )


async def test_it_says_what_is_held_and_why(stage: RelayStage, tmp_path: Path) -> None:
    await stage.create_topic("ticket.created")
    fact = Fact()
    await keep(stage, (fact, REFUSED), (replace(fact, sequence=2), BEHIND), (Fact(), REFUSED))
    done = await let_go(stage, tmp_path, "--dry-run")
    assert (done.code, done.out) == (0, "Would let 3 facts go.\n")
    assert done.err.splitlines()[2:] == [
        "tickets and rejections: 2",
        "held facts: 3",
        f"refused: 2 times: {REFUSED}",
    ]
    shown = (await let_go(stage, tmp_path, "--dry-run", "--json")).json["held"]
    assert sorted(each["sequence"] for each in shown) == [1, 1, 2]
    assert len(await stage.held()) == 3


def test_where_nothing_is_held_nothing_is_asked(command: Command) -> None:
    done = command("republish", "--held")
    assert (done.code, done.out) == (0, "No held fact fits: nothing waits for people.\n")
