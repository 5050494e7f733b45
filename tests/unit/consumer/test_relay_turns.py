"""Rounds by turns, with an outbox and a broker that are told what to do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile
from typing import Any
from uuid import UUID

import pytest

from consumer.delivery import Delivered
from consumer.handover import Handover
from consumer.ledger import Round, Settlement
from consumer.metrics import Metrics
from consumer.outgoing import FactRow, Outgoing
from consumer.rounds import Rounds
from consumer.shipment import Shipment
from db.held_facts import BEHIND, NO_TOPIC, Block, FactKey, Hold, Subject
from db.lease import Lease, LeaseLost
from db.outbox import Claim
from handlers.batch import Handled
from tests.records import NOON
from tests.unit.consumer.test_handover import row

LOOK_SECONDS = 1.0


class Outbox:
    """A ledger in memory, which reads one row at a time. written: ticket and sequence by number.

    looks: which rows it was told to leave out, each time. settled: what was written off.
    """

    def __init__(self) -> None:
        self.written: dict[int, tuple[int, int]] = {}
        self.blocked: dict[Subject, Block] = {}
        self.looks: list[set[int]] = []
        self.settled: list[Settlement] = []
        self.may_settle = asyncio.Event()
        self.may_settle.set()
        self.is_settling = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, taken: Collection[int], is_handed_over: Callable[[int], bool]) -> Round:
        self.looks.append(set(taken))
        await asyncio.sleep(0)
        free = [number for number in sorted(self.written) if number not in taken]
        mine = list(takewhile(lambda number: not is_handed_over(number), free))[:1]
        claims = [Claim(number, 1, 0, 2, 0.0) for number in mine]
        facts = [read_fact(*self.written[number]) for number in mine]
        return Round(claims, facts, (), dict(self.blocked), is_cut=len(claims) < len(free))

    async def settle(self, settlement: Settlement) -> None:
        self.is_settling.set()
        await self.may_settle.wait()
        if self.error is not None:
            raise self.error
        self.settled.append(settlement)
        for number in settlement.outbox_ids:
            del self.written[number]
        for held in settlement.held:
            self.blocked[held.fact[:2]] = Block(behind_refusal=True, topics=frozenset())

    @property
    def written_off(self) -> list[list[int]]:
        return [list(settlement.outbox_ids) for settlement in self.settled]


class Broker:
    """Takes every fact, but those that it is told to refuse or has no topic for."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self.refuses: set[tuple[int, int]] = set()
        self.misses: set[tuple[int, int]] = set()
        self.may_acknowledge = asyncio.Event()
        self.may_acknowledge.set()
        self._packed: dict[int, Sequence[Outgoing]] = {}

    async def pack(self, records: Sequence[Outgoing]) -> Shipment:
        await asyncio.sleep(0)
        shipment = Shipment([], missing=[each for each in records if place(each) in self.misses])
        self._packed[id(shipment)] = [each for each in records if place(each) not in self.misses]
        return shipment

    async def deliver(self, shipment: Shipment) -> Delivered:
        going = self._packed[id(shipment)]
        self.sent += map(place, going)
        await self.may_acknowledge.wait()
        refused = [(each, "too large") for each in going if place(each) in self.refuses]
        return Delivered(refused, [], list(shipment.missing))


def read_fact(ticket: int, sequence: int) -> FactRow:
    subject = UUID(int=ticket).bytes
    return ("acme", subject, sequence, "ticket.created", b"key", None, None, None, NOON, b"{}")


def place(fact: Outgoing) -> tuple[int, int]:
    """Its ticket and its sequence."""
    return UUID(bytes=fact.source[1]).int, fact.source[2]


def key(ticket: int, sequence: int) -> FactKey:
    return FactKey("acme", UUID(int=ticket).bytes, sequence)


class Stage:
    """A relay's rounds with all that is around them."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.outbox, self.broker = Outbox(), Broker()
        self.seconds = 0.0
        self.handover = Handover(lambda: self.seconds)
        self.handover.open()
        self.landed = 0
        ledger: Any = self.outbox
        delivery: Any = self.broker
        letters: Any = None  # there is no dead letter here
        self.rounds = Rounds(
            ledger,
            delivery,
            letters,
            self.handover,
            metrics=Metrics(),
            topic_of=lambda ce_type: ce_type,
            tasks=tasks,
            on_landed=self._land,
            look_seconds=LOOK_SECONDS,
            seconds=lambda: self.seconds,
        )
        self._tasks = tasks

    def _land(self) -> None:
        self.landed += 1

    def commit(self, number: int) -> None:
        """A write of this process, of the ticket that has its number; its row is there too."""
        write = self.expect(number)
        self.outbox.written[number] = (number, 1)
        assert self.handover.arrive(write, began=0.0)

    def expect(self, number: int) -> Handled:
        rows = [row(subject=str(UUID(int=number)))]
        write = Handled(NOON, [], [], [], [], number, first_facts=rows)
        self.handover.expect(write)
        return write

    def found(self, number: int, sequence: int = 1, *, ticket: int | None = None) -> None:
        """A row of another process."""
        self.outbox.written[number] = (ticket or number, sequence)

    async def work(self) -> None:
        """What the relay does until there is nothing to do."""
        while await self.rounds.turn():
            pass
        await self.rounds.land()

    @asynccontextmanager
    async def writing_off(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = self._tasks.create_task(self.rounds.write_off())
        try:
            yield task
        finally:
            task.cancel()


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    async with asyncio.TaskGroup() as tasks:
        yield Stage(tasks)


@pytest.fixture(autouse=True)
def one_fact_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.rounds.MOST_FACTS", 1)
    monkeypatch.setattr("consumer.rounds.WRITE_OFF_SECONDS", 0)


def tickets(places: Sequence[tuple[int, int]]) -> list[int]:
    return [ticket for ticket, _ in places]


async def test_what_is_handed_over_and_what_is_found_go_out_by_turns() -> None:
    async with staged() as stage:
        for number in (1, 2, 3):
            stage.found(number)
        for number in (11, 12, 13):
            stage.commit(number)
        await stage.work()
    assert tickets(stage.broker.sent) == [1, 11, 2, 12, 3, 13]
    assert stage.outbox.written == {}


async def test_a_stream_of_writes_keeps_nothing_from_being_found() -> None:
    async with staged() as stage:
        stage.found(1)
        stage.found(2)
        for number in range(11, 20):
            stage.commit(number)
            await stage.rounds.turn()
        await stage.rounds.land()
        assert set(tickets(stage.broker.sent)) >= {1, 2}


async def test_a_long_outbox_keeps_nothing_that_was_handed_over() -> None:
    async with staged() as stage:
        for number in range(1, 20):
            stage.found(number)
        stage.commit(20)
        for _ in range(2):
            await stage.rounds.turn()
        await stage.rounds.land()
    assert tickets(stage.broker.sent) == [1, 20]


async def test_what_is_handed_over_is_not_read() -> None:
    async with staged() as stage:
        await stage.work()
        for number in (1, 2, 3):
            stage.commit(number)
        await stage.work()
    assert tickets(stage.broker.sent) == [1, 2, 3]
    assert len(stage.outbox.looks) == 1  # the first, which found nothing
    assert stage.outbox.written == {}


async def test_what_was_not_announced_is_found_after_a_while() -> None:
    async with staged() as stage:
        await stage.work()
        stage.found(1)
        await stage.work()
        assert stage.broker.sent == []
        stage.seconds += LOOK_SECONDS
        await stage.work()
    assert tickets(stage.broker.sent) == [1]


async def test_a_row_that_is_expected_is_left_alone_with_all_behind_it() -> None:
    """They may be later facts of its tickets."""
    async with staged() as stage:
        stage.found(1)
        write = stage.expect(2)
        stage.found(2)
        stage.found(3, sequence=2, ticket=2)
        await stage.work()
        assert stage.broker.sent == [(1, 1)]
        assert stage.handover.arrive(write, began=0.0)
        await stage.work()
    assert stage.broker.sent == [(1, 1), (2, 1), (2, 2)]
    assert stage.outbox.written == {}


async def test_a_row_that_is_expected_no_more_is_found() -> None:
    async with staged() as stage:
        stage.expect(1)
        stage.found(1)
        stage.found(2)
        await stage.work()
        assert stage.broker.sent == []
        stage.handover.drop(1)
        stage.rounds.look()
        await stage.work()
    assert tickets(stage.broker.sent) == [1, 2]


async def test_a_row_is_not_read_again_before_it_is_written_off() -> None:
    async with staged() as stage:
        stage.outbox.may_settle.clear()
        stage.broker.may_acknowledge.clear()
        stage.commit(1)
        async with stage.writing_off():
            await stage.rounds.turn()  # looks, finds what is handed over, and sends that
            stage.rounds.look()
            await stage.rounds.turn()
            assert stage.outbox.looks[-1] == {1}  # on its way
            stage.broker.may_acknowledge.set()
            stage.found(2)
            stage.rounds.look()
            await stage.rounds.turn()
            await stage.outbox.is_settling.wait()
            stage.rounds.look()
            await stage.rounds.turn()
            assert stage.outbox.looks[-1] >= {1}  # being written off
            stage.outbox.may_settle.set()
            await stage.rounds.land()
    assert tickets(stage.broker.sent) == [1, 2]
    assert stage.outbox.written == {}


async def test_what_lands_while_rows_are_written_off_is_written_off_at_once_after_them() -> None:
    async with staged() as stage:
        await stage.work()
        stage.outbox.may_settle.clear()
        async with stage.writing_off():
            stage.commit(1)
            await stage.rounds.turn()
            stage.commit(2)
            await stage.rounds.turn()
            await stage.outbox.is_settling.wait()
            for number in (3, 4, 5):
                stage.commit(number)
                await stage.rounds.turn()
            stage.outbox.may_settle.set()
            await stage.rounds.land()
    assert stage.outbox.written_off == [[1], [2, 3, 4, 5]]


async def test_who_is_told_to_stop_while_writing_off_writes_it_off_all_the_same() -> None:
    async with staged() as stage:
        await stage.work()
        stage.outbox.may_settle.clear()
        async with stage.writing_off() as task:
            stage.commit(1)
            await stage.rounds.turn()
            stage.commit(2)
            await stage.rounds.turn()
            await stage.outbox.is_settling.wait()
            task.cancel()
            stage.outbox.may_settle.set()
            stage.found(3)
            await stage.rounds.finish()
    assert stage.outbox.written_off == [[1, 2], [3]]
    assert stage.outbox.written == {}


async def test_a_stop_sends_all_that_was_handed_over_and_one_round_more() -> None:
    async with staged() as stage:
        for number in (1, 2, 3):
            stage.commit(number)
        stage.found(4)
        await stage.rounds.finish()
    assert tickets(stage.broker.sent) == [1, 2, 3, 4]
    assert stage.outbox.written == {}


async def test_a_lease_that_is_lost_while_writing_off_ends_all() -> None:
    with pytest.RaisesGroup(LeaseLost):
        async with staged() as stage:
            stage.outbox.error = LeaseLost(Lease("relay", "me", 1))
            async with stage.writing_off() as task:
                stage.commit(1)
                await stage.work()
                await task
    assert stage.outbox.written.keys() == {1}


async def test_what_was_read_before_a_refusal_is_read_again_with_it() -> None:
    async with staged() as stage:
        stage.broker.refuses = {(1, 1)}
        stage.found(10, ticket=1)
        stage.found(11, sequence=2, ticket=1)
        stage.found(12, sequence=1, ticket=2)
        await stage.work()
    assert stage.broker.sent == [(1, 1), (2, 1)]
    assert [held for each in stage.outbox.settled for held in each.held] == [
        Hold(key(1, 1), "too large"),
        Hold(key(1, 2), BEHIND),
    ]
    assert stage.outbox.written == {}


async def test_a_refusal_of_what_was_handed_over_holds_the_later_facts_of_its_ticket() -> None:
    async with staged() as stage:
        await stage.work()
        stage.broker.refuses = {(10, 1)}
        stage.commit(10)
        stage.commit(11)
        stage.found(12, sequence=2, ticket=10)
        stage.rounds.look()
        await stage.work()
    assert sorted(stage.broker.sent) == [(10, 1), (11, 1)]
    assert [held for each in stage.outbox.settled for held in each.held] == [
        Hold(key(10, 1), "too large"),
        Hold(key(10, 2), BEHIND),
    ]
    assert stage.outbox.written == {}


async def test_what_was_handed_over_is_sent_although_it_was_made_ready_before_a_refusal() -> None:
    async with staged() as stage:
        await stage.work()
        stage.broker.refuses = {(1, 1)}
        stage.commit(1)
        stage.commit(2)
        await stage.work()
    assert stage.broker.sent == [(1, 1), (2, 1)]
    assert stage.outbox.written == {}


async def test_a_fact_without_a_topic_is_written_off_before_anything_more_is_read() -> None:
    async with staged() as stage:
        await stage.work()
        stage.broker.misses = {(1, 1)}
        stage.commit(1)
        await stage.rounds.turn()
        [settlement] = stage.outbox.settled
    assert settlement.outbox_ids == [1]
    assert settlement.held == [Hold(key(1, 1), NO_TOPIC, "ticket.created")]


async def test_whoever_waits_is_woken_when_a_round_lands() -> None:
    async with staged() as stage:
        stage.broker.may_acknowledge.clear()
        stage.commit(1)
        await stage.rounds.turn()
        assert stage.rounds.is_under_way
        assert stage.landed == 0
        stage.broker.may_acknowledge.set()
        await stage.rounds.land()
    assert stage.landed == 1
    assert stage.outbox.written == {}
