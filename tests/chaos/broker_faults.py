"""Nodes of the Kafka cluster go away and come back."""

import asyncio
from dataclasses import dataclass
from typing import Final

from tests.chaos.fault import Fault
from tests.chaos.scene import Scene
from tests.chaos.telling import until_everybody_says

LEADERLESS_SECONDS: Final = 4.0
"""How long a leader stays away: longer than its partitions need for another."""


@dataclass(frozen=True, slots=True)
class LeaderKilled:
    """A node that leads partitions of ours is killed, and started again some seconds later."""

    name: str = "a Kafka node is killed"

    async def strike(self, scene: Scene) -> None:
        number = scene.rng.randrange(len(scene.cluster.nodes))
        await asyncio.to_thread(scene.cluster.stop, number, kill=True)
        await asyncio.sleep(scene.rng.uniform(1, LEADERLESS_SECONDS))
        await asyncio.to_thread(scene.cluster.start, number)


@dataclass(frozen=True, slots=True)
class NoQuorum:
    """Two of three nodes are gone: nothing can be read or written until they are back."""

    name: str = "two Kafka nodes are killed"

    async def strike(self, scene: Scene) -> None:
        gone = scene.rng.sample(range(len(scene.cluster.nodes)), 2)
        await asyncio.to_thread(scene.cluster.stop, *gone, kill=True)
        await until_everybody_says(scene, "kafka does not answer")
        await asyncio.to_thread(scene.cluster.start, *gone)


BROKER_FAULTS: Final[tuple[Fault, ...]] = (LeaderKilled(), NoQuorum())
