"""What a service has written goes to Kafka without being read back, in order with all the rest."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.ledger import Ledger
from consumer.metrics import Metrics
from consumer.outgoing import Outgoing, facts_going_out
from consumer.relay import Relay
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db import outbox
from db.lease import Lease
from handlers.batch import Entry, Handled, Setting, handle
from handlers.outcomes import Created, Rules
from tests.integration.counting_pool import CountingPool
from tests.integration.relay_stage import (
    PATIENT,
    QUICK,
    Fact,
    RelayStage,
    Wrapped,
    first_occurrences,
    staged,
)
from tests.records import asked, broken

pytestmark = pytest.mark.integration

ODD = "a\tb\nc\\\\d \\N é\u2028\U0001f600"
TRACE = (("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),)
SETTING = Setting(Rules(customers_required=False), "group")


class Service:
    """Writes as the service does, with a relay of its own."""

    def __init__(self, stage: RelayStage, pool: Wrapped = None) -> None:
        self.stage = stage
        self.handover, self.wakeups = Handover(), Wakeups()
        self._writes = Writes(pool or stage.pool, self.wakeups, self.handover)

    def relay(self, **choices: Wrapped) -> Relay:
        return self.stage.relay(wakeups=self.wakeups, handover=self.handover, **choices)

    async def write(self, *entries: Entry) -> Handled:
        async def work(connection: asyncpg.Connection) -> Handled:
            return await handle(connection, entries, SETTING)

        return await self._writes.write(work)


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        await ready.create_topic("ticket.created")
        yield ready


@pytest.fixture
def ledger(stage: RelayStage) -> Ledger:
    dependencies = Dependencies(Metrics())
    return Ledger(stage.pool, dependencies, Lease("relay", "me", 1), idle_seconds=5.0)


async def test_own_writes_are_published_without_being_read_back(stage: RelayStage) -> None:
    service, pool = Service(stage), CountingPool(stage.pool)
    await stage.write(Fact())
    async with stage.at_work(service.relay(pool=pool, times=PATIENT)):
        await stage.arrived("ticket.created", 1)  # the relay is at work
        for number in range(20):
            await service.write(*(asked(f"{number}-{each}") for each in range(50)))
        records = await stage.arrived("ticket.created", 1_001)
    assert pool.asked[outbox.FACTS] == 1  # of the first write, which was there before
    assert pool.asked[outbox.CLAIM] == 2  # then, and before it stopped
    assert pool.asked[outbox.DELETE] <= 21
    assert await stage.waiting() == []
    written = await stage.fetch("SELECT data FROM ticket_facts")
    assert sorted(record.value or b"" for record in records) == sorted(
        data.encode() for (data,) in written
    )


async def test_a_fact_is_the_same_whether_handed_over_or_read(
    stage: RelayStage, ledger: Ledger
) -> None:
    service = Service(stage)
    service.handover.open()
    await service.write(
        asked("full", 0, headers=TRACE, title=f"a{ODD}b", description=ODD, context={"": ODD}),
        asked(offset=1, request_id=..., customer_id=..., origin_type="platform"),
        asked("rejected", 2, target_type="platform"),
    )
    found = await ledger.read([], lambda _: False)
    _, handed_over = service.handover.take(100, 1_000_000)
    assert len(handed_over) == 3
    assert by_value(facts_going_out(handed_over, str)) == by_value(
        facts_going_out(found.facts, str)
    )
    assert {row[:3]: row[:10] for row in handed_over} == {
        row[:3]: tuple(row)[:10] for row in found.facts
    }


def by_value(facts: Sequence[Outgoing]) -> list[tuple[object, ...]]:
    return sorted(fact[:4] for fact in facts)


async def test_a_look_leaves_what_is_handed_over_and_all_behind_it(
    stage: RelayStage, ledger: Ledger
) -> None:
    service = Service(stage)
    service.handover.open()
    before = await stage.write(Fact())
    own = (await service.write(asked())).outbox_id
    behind = await stage.write(Fact())
    has = service.handover.has

    found = await ledger.read([], has)
    assert (found.ids, found.is_cut) == ([before], True)
    found = await ledger.read([before], has)
    assert (found.ids, found.is_cut) == ([], True)
    service.handover.take(100, 1_000_000)
    assert own is not None
    found = await ledger.read([before, own], has)
    assert (found.ids, found.is_cut) == ([behind], False)


async def test_dead_letters_and_what_is_with_them_are_read(
    stage: RelayStage, ledger: Ledger
) -> None:
    service = Service(stage)
    service.handover.open()
    written = await service.write(asked(), broken(1))
    assert not service.handover.is_ready
    found = await ledger.read([], service.handover.has)
    assert found.ids == [written.outbox_id]
    assert (len(found.facts), len(found.letters)) == (1, 1)


async def test_writes_of_several_processes_keep_the_order_of_each_ticket(
    stage: RelayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One opens the tickets, another goes on with them at once."""
    monkeypatch.setattr("consumer.rounds.MOST_FACTS", 20)
    monkeypatch.setattr("consumer.ledger.MOST_FACTS", 20)
    service = Service(stage)
    async with stage.at_work(service.relay(times=QUICK)):
        for number in range(40):
            opened = await service.write(*(asked(f"{number}-{each}") for each in range(10)))
            for sequence in (2, 3):
                await stage.write(*later_facts(opened, sequence))
                service.wakeups.look()  # as a notification would have it
        records = await stage.arrived("ticket.created", 1_200)
    assert len(await stage.everything("ticket.created")) == 1_200
    sequences = first_occurrences(records)
    assert len(sequences) == 400
    assert all(each == [1, 2, 3] for each in sequences.values())
    assert await stage.waiting() == []


def later_facts(handled: Handled, sequence: int) -> list[Fact]:
    return [
        Fact(
            subject_id=str(UUID(decision.request.ticket_id)),
            tenant_id=decision.request.tenant_id,
            sequence=sequence,
        )
        for decision in handled.decisions
        if isinstance(decision, Created)
    ]


async def test_a_commit_whose_answer_was_lost_is_published_once(stage: RelayStage) -> None:
    pool = CountingPool(stage.pool)
    service = Service(stage, pool)
    await stage.write(Fact())
    async with stage.at_work(service.relay(times=PATIENT)):
        await stage.arrived("ticket.created", 1)
        pool.lose_answer_to = "COMMIT"
        with pytest.raises(ConnectionResetError):
            await service.write(asked())
        await stage.arrived("ticket.created", 2)
        again = await service.write(asked())
        assert again.outbox_id is None
        await service.write(asked("other", 1))
        await stage.arrived("ticket.created", 3)
    assert len(await stage.everything("ticket.created")) == 3
    assert await stage.waiting() == []
