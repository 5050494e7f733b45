"""What a process knows of pauses: the rows, what it imposed itself, and what others hear of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.pauses import Pauses
from consumer.settings import Settings
from consumer.subscription import Subscription
from tests.unit.consumer.fake_consumer import FakePool

TOPIC = "ticket.requested"


class Pool(FakePool):
    """A database that may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[FakePool]:
        if self.error is not None:
            raise self.error
        yield self


class World:
    """Pauses, and who listens to them."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.metrics = Metrics()
        self.dependencies = Dependencies(self.metrics)
        self.dependencies.up("database")
        self.changes = 0
        self.ended: list[str] = []
        self.pauses = Pauses(
            self.pool,
            Subscription(Settings(_env_file=None)),
            self.dependencies,
            self.metrics,
            holder="host:7",
            on_end=self.ended.append,
        )
        self.pauses.whenever_changed(self.note)

    def note(self) -> None:
        self.changes += 1

    def gauge(self, topic: str = TOPIC) -> float | None:
        read = self.metrics.registry.get_sample_value
        return read("ticketing_topics_paused", {"topic": topic})


@pytest.fixture
def world() -> World:
    return World()


async def test_nothing_is_known_before_the_first_look(world: World) -> None:
    assert not world.pauses.are_known
    await world.pauses.look()
    assert (world.pauses.are_known, world.changes) == (True, 1)
    await world.pauses.look()
    assert world.changes == 1


async def test_a_pause_is_told_when_it_begins_and_when_it_ends(world: World) -> None:
    world.pool.pause(TOPIC)
    with capture_logs() as lines:
        await world.pauses.look()
        await world.pauses.look()
        assert (world.pauses.is_paused(TOPIC), world.gauge(), world.changes) == (True, 1, 1)
        del world.pool.pauses[TOPIC]
        await world.pauses.look()
    assert (world.pauses.is_paused(TOPIC), world.gauge(), world.changes) == (False, None, 2)
    assert world.ended == [TOPIC]
    assert [(line["event"], line["topic"]) for line in lines] == [
        ("topic.paused", TOPIC),
        ("topic.resumed", TOPIC),
    ]
    assert (lines[0]["by"], lines[0]["reason"]) == ("Anna", "a reason")


async def test_while_the_database_is_away_what_was_known_holds(world: World) -> None:
    world.pool.pause(TOPIC)
    await world.pauses.look()
    world.pool.error = ConnectionRefusedError()
    await world.pauses.look()
    assert world.pauses.is_paused(TOPIC)
    assert not world.dependencies.is_up("database")


async def test_what_is_no_outage_is_raised(world: World) -> None:
    world.pool.error = AssertionError("a bug")
    with pytest.raises(AssertionError, match="a bug"):
        await world.pauses.look()


async def test_topics_of_other_services_are_none_of_ours(world: World) -> None:
    world.pool.pause("other.ticket.requested")
    await world.pauses.look()
    assert world.pauses.known() == []


async def test_what_we_impose_holds_at_once_and_is_written_with_the_next_look(world: World) -> None:
    await world.pauses.look()
    world.pauses.impose(TOPIC, "too many dead letters")
    world.pauses.impose(TOPIC, "and another")
    assert (world.pauses.is_paused(TOPIC), world.changes) == (True, 2)
    world.pool.error = ConnectionRefusedError()
    await world.pauses.look()
    assert world.pauses.is_paused(TOPIC)
    world.pool.error = None
    await world.pauses.look()
    (written,) = world.pool.pauses.values()
    assert (written.reason, written.paused_by) == ("too many dead letters", "host:7")
    assert written.is_ceiling
    assert world.pauses.known() == [written]
    assert world.changes == 2


async def test_what_we_imposed_ends_as_every_pause_does(world: World) -> None:
    await world.pauses.look()
    world.pauses.impose(TOPIC, "too many dead letters")
    await world.pauses.look()
    world.pool.pauses.clear()
    await world.pauses.look()
    assert not world.pauses.is_paused(TOPIC)
    assert world.ended == [TOPIC]
