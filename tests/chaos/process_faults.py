"""Services are killed, stand still past their time, and come and go."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.fault import Fault
from tests.chaos.scene import Scene
from tests.integration.service_process import ServiceProcess

LOST_SECONDS: Final = 12.0
"""By then the group has missed a member (8 s), and the lease is another's (5 s)."""

STORM_SECONDS: Final = 20
LOOP_SECONDS: Final = 3.0
"""Less than the group's patience: nobody takes over, and everything goes on."""


@dataclass(frozen=True, slots=True)
class Killed:
    """SIGKILL, several times, to whoever it is."""

    name: str = "services are killed"

    async def strike(self, scene: Scene) -> None:
        for _ in range(3):
            await scene.services.until_complete()
            await asyncio.sleep(scene.rng.uniform(0, 1))
            await scene.services.kill(scene.services.pick(scene.rng))


@dataclass(frozen=True, slots=True)
class RelayKilled:
    """SIGKILL to the one that publishes."""

    name: str = "the relay is killed"

    async def strike(self, scene: Scene) -> None:
        await scene.services.kill(await scene.services.relay())


def times(member: ServiceProcess, event: str) -> int:
    """How often it has said this."""
    return [line.get("event") for line in member.lines].count(event)


async def freeze(member: ServiceProcess, seconds: float) -> None:
    """Stop it and continue it: for itself no time has passed."""
    member.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        member.signal(signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class ZombieRelay:
    """The one that publishes is stopped past its lease, and with it a member of the group."""

    name: str = "a zombie relay"

    async def strike(self, scene: Scene) -> None:
        zombie = await scene.services.relay()
        lost = times(zombie, "lease.lost")
        await freeze(zombie, LOST_SECONDS)

        async def has_noticed() -> bool:
            return times(zombie, "lease.lost") > lost

        await scene.world.until(has_noticed, "the zombie notices that its lease is another's")


@dataclass(frozen=True, slots=True)
class ZombieConsumer:
    """Any member is stopped past the session's end: others have its partitions by then."""

    name: str = "a zombie consumer"

    async def strike(self, scene: Scene) -> None:
        zombie = scene.services.pick(scene.rng)
        assigned = times(zombie, "partitions.assigned")
        await freeze(zombie, LOST_SECONDS)

        async def is_back() -> bool:
            return times(zombie, "partitions.assigned") > assigned

        await scene.world.until(is_back, "the zombie joins the group again")


@dataclass(frozen=True, slots=True)
class Storm:
    """Every second a member leaves, in order or not, and a new one joins."""

    name: str = "a rebalance storm"

    async def strike(self, scene: Scene) -> None:
        for _ in range(STORM_SECONDS):
            if scene.services.members:
                member = scene.services.pick(scene.rng)
                member.signal(scene.rng.choice((signal.SIGTERM, signal.SIGKILL)))
            await asyncio.sleep(1)


@dataclass(frozen=True, slots=True)
class AllStopped:
    """All stand still at once, as on a machine that was suspended."""

    name: str = "all services stand still"

    async def strike(self, scene: Scene) -> None:
        async with asyncio.TaskGroup() as group:
            for member in scene.services.members:
                group.create_task(freeze(member, scene.rng.uniform(LOOP_SECONDS, LOST_SECONDS)))


PROCESS_FAULTS: Final[Sequence[Fault]] = (
    Killed(),
    RelayKilled(),
    ZombieRelay(),
    ZombieConsumer(),
    Storm(),
    AllStopped(),
)
