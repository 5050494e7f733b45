"""A write of the service: what the relay hears of it, whatever becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from consumer.handover import Handover
from consumer.transaction import NotCommitted
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db.outbox import CHANNEL
from handlers.batch import Handled
from tests.unit.consumer.test_handover import handled


class Database:
    """One connection that writes down what it is told. on_commit: what the commit does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.on_commit: Any = lambda: "COMMIT"

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Database"]:
        yield self

    def is_closed(self) -> bool:
        return False

    async def execute(self, statement: str) -> str:
        word = statement.partition(";")[0]
        self.said.append(word)
        return str(self.on_commit()) if word == "COMMIT" else word


class Stage:
    """A writer, and what its relay has of it."""

    def __init__(self) -> None:
        self.database = Database()
        self.handover = Handover(lambda: 10.0)
        self.wakeups = Wakeups()
        self.writes = Writes(self.database, self.wakeups, self.handover, lambda: 9.0)

    async def write(self, result: Handled) -> Handled:
        async def work(_: object) -> Handled:
            return result

        return await self.writes.write(work)

    @property
    def must_look(self) -> bool:
        """Whether the relay was told to look into the outbox since it was last asked."""
        return self.wakeups.forget()


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_our_own_relay_gets_what_is_committed_and_nobody_is_notified(stage: Stage) -> None:
    stage.handover.open()
    await stage.write(handled(7))
    assert stage.database.said == ["BEGIN", "COMMIT"]
    assert not stage.must_look
    [claim], [_] = stage.handover.take(10, 10_000)
    assert (claim.id, claim.age_seconds) == (7, 1.0)


async def test_another_processs_relay_is_notified_by_the_commit(stage: Stage) -> None:
    await stage.write(handled(7))
    assert stage.database.said == ["BEGIN", f"NOTIFY {CHANNEL}", "COMMIT"]
    assert stage.must_look  # ours may have got the lease meanwhile
    assert not stage.handover.is_ready


async def test_nobody_hears_of_a_write_with_nothing_to_publish(stage: Stage) -> None:
    await stage.write(handled(None))
    stage.handover.open()
    await stage.write(handled(None))
    assert stage.database.said == ["BEGIN", "COMMIT"] * 2
    assert not stage.must_look
    assert not stage.handover.is_ready


async def test_what_can_not_be_handed_over_is_looked_for(stage: Stage) -> None:
    stage.handover.open()
    await stage.write(handled(7, []))
    assert stage.database.said == ["BEGIN", "COMMIT"]
    assert stage.must_look


async def test_the_lease_may_come_and_go_while_a_write_is_committed(stage: Stage) -> None:
    stage.handover.open()

    def lose_and_take() -> str:
        stage.handover.close()
        stage.handover.open()
        return "COMMIT"

    stage.database.on_commit = lose_and_take
    await stage.write(handled(7))
    assert not stage.handover.is_ready
    assert stage.must_look


class CutOff(ConnectionError):
    """Nobody knows whether the commit stands."""


async def test_a_commit_that_was_cut_off_is_looked_for(stage: Stage) -> None:
    stage.handover.open()

    def cut_off() -> str:
        assert stage.handover.has(7)
        raise CutOff

    stage.database.on_commit = cut_off
    with pytest.raises(CutOff):
        await stage.write(handled(7))
    assert not stage.handover.has(7)
    assert stage.must_look


async def test_a_commit_that_the_database_turned_into_a_rollback_is_not_handed_over(
    stage: Stage,
) -> None:
    stage.handover.open()
    stage.database.on_commit = lambda: "ROLLBACK"
    with pytest.raises(NotCommitted):
        await stage.write(handled(7))
    assert not stage.handover.has(7)


async def test_a_write_that_is_cancelled_in_its_commit_is_looked_for(stage: Stage) -> None:
    stage.handover.open()

    def cancel() -> str:
        raise asyncio.CancelledError

    stage.database.on_commit = cancel
    with pytest.raises(asyncio.CancelledError):
        await stage.write(handled(7))
    assert not stage.handover.has(7)
    assert stage.must_look


async def test_work_that_fails_is_rolled_back_and_nobody_hears_of_it(stage: Stage) -> None:
    stage.handover.open()

    async def work(_: object) -> Handled:
        raise CutOff

    with pytest.raises(CutOff):
        await stage.writes.write(work)
    assert stage.database.said == ["BEGIN", "ROLLBACK"]
    assert not stage.must_look
