"""When the relay counts as stuck, over an outbox, a lease and a clock that the test sets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from consumer.progress import RelayProgress
from consumer.watchdog import Pulse

OURS = "this host:1"


class World:
    """It is its own pool, connection and relay: what of them is asked here, as a test sets it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.first: int | None = None
        self.lease: str | None = OURS
        self.holder = OURS
        self.answers = 0
        self.error: Exception | None = None

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["World"]:
        yield self

    async def fetchrow(self, *_: object) -> tuple[int | None, str | None]:
        if self.error is not None:
            raise self.error
        return self.first, self.lease


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pulse(world: World) -> Pulse:
    return Pulse("the relay", lambda: world.seconds)


@pytest.fixture
def progress(world: World, pulse: Pulse) -> RelayProgress:
    pool: Any = world
    return RelayProgress(pool, world, pulse)


async def looked(world: World, progress: RelayProgress, pulse: Pulse) -> float:
    """For how long it has been stuck, after a minute of looks."""
    await progress.look()
    for _ in range(4):
        world.seconds += 15
        await progress.look()
    return pulse.seconds_stuck()


async def test_a_row_that_stays_is_being_stuck(
    world: World, progress: RelayProgress, pulse: Pulse
) -> None:
    world.first = 7
    assert await looked(world, progress, pulse) == 60

    world.first = 8
    await progress.look()
    assert pulse.seconds_stuck() == 0


async def test_a_lease_that_is_let_go_of_is_no_excuse(
    world: World, progress: RelayProgress, pulse: Pulse
) -> None:
    world.first = 7
    await progress.look()
    world.lease = None
    assert await looked(world, progress, pulse) == 60


async def test_who_stands_by_is_not_stuck(
    world: World, progress: RelayProgress, pulse: Pulse
) -> None:
    world.first, world.lease = 7, "another host:1"
    assert await looked(world, progress, pulse) == 0


async def test_an_empty_outbox_is_rest(world: World, progress: RelayProgress, pulse: Pulse) -> None:
    assert await looked(world, progress, pulse) == 0


async def test_an_answer_of_the_broker_is_a_move(
    world: World, progress: RelayProgress, pulse: Pulse
) -> None:
    world.first = 7
    assert await looked(world, progress, pulse) == 60

    world.answers += 1
    await progress.look()
    assert pulse.seconds_stuck() == 0


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError()])
async def test_no_answer_is_no_verdict(
    error: Exception, world: World, progress: RelayProgress, pulse: Pulse
) -> None:
    world.first, world.error = 7, error
    assert await looked(world, progress, pulse) == 0


async def test_a_mistake_of_ours_is_not_hidden(world: World, progress: RelayProgress) -> None:
    world.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await progress.look()
