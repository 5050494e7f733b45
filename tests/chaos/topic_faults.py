"""Topics change under the services: made anew, given partitions, emptied before they were read."""

import asyncio
import signal
from dataclasses import dataclass, replace
from typing import Final

from aiokafka import TopicPartition

from consumer import clients
from consumer.group_lag import committed_offsets
from consumer.scan import started
from tests.chaos.fault import Fault
from tests.chaos.load import person
from tests.chaos.scene import Scene
from tests.scenarios.messages import NORTH, Message, party_id, requested
from tests.scenarios.topic_keeper import TopicKeeper
from tests.scenarios.world import Place

OTHER_TOPIC: Final = "chaos.requested"
"""Read beside the load's, for faults that lose records on purpose."""

MOST_PARTITIONS: Final = 12
COUNT: Final = 100


def requests(scene: Scene, topic: str, count: int = COUNT) -> list[Message]:
    """New requests for the first partition of a topic."""
    run = scene.rng.randrange(1_000_000_000)
    somebody = party_id(person(NORTH, 0))
    return [
        replace(requested(f"{run}-{number}", customer_id=somebody), partition=0).on(topic)
        for number in range(count)
    ]


async def until_position(scene: Scene, place: Place) -> None:
    """Wait until the group has a position behind this record."""
    partition = TopicPartition(place.topic, place.partition)
    async with started(clients.admin(scene.world.settings)) as admin:

        async def is_behind() -> bool:
            committed = await committed_offsets(admin, scene.world.settings.group_id)
            return committed.get(partition, 0) > place.offset

        await scene.world.until(is_behind, f"a position behind {place}")


@dataclass(frozen=True, slots=True)
class MadeAnew:
    """A topic is deleted with all that was read of it, and made anew with other records."""

    name: str = "a topic is deleted and made anew"

    async def strike(self, scene: Scene) -> None:
        keeper = TopicKeeper(scene.world)
        await keeper.delete(OTHER_TOPIC)
        await asyncio.sleep(scene.rng.uniform(0, 2))
        await keeper.create(OTHER_TOPIC, partitions=2, replication=len(scene.cluster.nodes))
        await scene.world.publish(*requests(scene, OTHER_TOPIC, scene.rng.randrange(1, 2 * COUNT)))


@dataclass(frozen=True, slots=True)
class Grown:
    """The load's own topic gets one more partition, and records at once."""

    name: str = "a partition is added"

    async def strike(self, scene: Scene) -> None:
        topic = "ticket.requested"
        keeper = TopicKeeper(scene.world)
        there = await keeper.partitions(topic)
        if there < MOST_PARTITIONS:
            await keeper.grow(topic, partitions=there + 1)
        last = min(there, MOST_PARTITIONS - 1)
        await scene.world.publish(
            *[replace(each, partition=last) for each in requests(scene, topic)]
        )


@dataclass(frozen=True, slots=True)
class Emptied:
    """Retention deletes records that stopped members had not read; they tell, and read the rest."""

    name: str = "retention deletes unread records"

    async def strike(self, scene: Scene) -> None:
        ((before,),) = await scene.world.ask("SELECT count(*) FROM lost_positions")
        (first,) = await scene.world.publish(*requests(scene, OTHER_TOPIC, 1))
        await until_position(scene, first)
        members = scene.services.members
        for member in members:
            member.signal(signal.SIGSTOP)
        try:
            places = await scene.world.publish(*requests(scene, OTHER_TOPIC))
            cut = places[scene.rng.randrange(1, COUNT - 1)].offset
            await TopicKeeper(scene.world).delete_records(OTHER_TOPIC, 0, before=cut)
        finally:
            for member in members:
                member.signal(signal.SIGCONT)
        await scene.world.until_rows("lost_positions", int(before) + 1)


TOPIC_FAULTS: Final[tuple[Fault, ...]] = (MadeAnew(), Grown(), Emptied())
