from collections.abc import Iterable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from consumer.progress import IntakeProgress
from consumer.watchdog import Pulse

PARTITION = TopicPartition("ticket.requested", 0)


class World:
    """A broker's ends, our positions and the time, as a test sets them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.end = self.position = 0
        self.assigned = {PARTITION}
        self.paused: set[str] = set()
        self.error: Exception | None = None

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        if self.error is not None:
            raise self.error
        return dict.fromkeys(partitions, self.end)

    async def next_position(self, _: TopicPartition) -> int:
        return self.position

    def look_again(self) -> None:
        """Nothing here waits for this."""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pulse(world: World) -> Pulse:
    return Pulse("the intake", lambda: world.seconds)


@pytest.fixture
def progress(world: World, pulse: Pulse) -> IntakeProgress:
    return IntakeProgress(world, world, pulse, is_paused=lambda topic: topic in world.paused)


async def test_lag_without_a_move_is_being_stuck(
    world: World, pulse: Pulse, progress: IntakeProgress
) -> None:
    world.end = 5
    await progress.look()
    for _ in range(4):
        world.seconds += 15
        await progress.look()
    assert pulse.seconds_stuck() == 60

    world.position = 1
    await progress.look()
    assert pulse.seconds_stuck() == 0


async def test_what_people_paused_is_no_work(
    world: World, pulse: Pulse, progress: IntakeProgress
) -> None:
    world.end = 5
    world.paused = {PARTITION.topic}
    await progress.look()
    world.seconds = 1_000
    await progress.look()
    assert pulse.seconds_stuck() == 0
    world.paused = set()
    await progress.look()
    world.seconds += 60
    assert pulse.seconds_stuck() == 60


async def test_a_partition_read_to_its_end_is_no_work(
    world: World, pulse: Pulse, progress: IntakeProgress
) -> None:
    world.end = world.position = 5
    await progress.look()
    world.seconds = 1_000
    await progress.look()
    assert pulse.seconds_stuck() == 0


@pytest.mark.parametrize("error", [KafkaConnectionError("away"), TimeoutError()])
async def test_no_answer_is_no_verdict(
    error: Exception, world: World, pulse: Pulse, progress: IntakeProgress
) -> None:
    world.error, world.end = error, 5
    await progress.look()
    world.seconds = 1_000
    assert pulse.seconds_stuck() == 0


async def test_without_partitions_there_is_no_work(
    world: World, pulse: Pulse, progress: IntakeProgress
) -> None:
    world.end = 5
    await progress.look()
    world.assigned = set()
    world.seconds = 1_000
    await progress.look()
    assert pulse.seconds_stuck() == 0
