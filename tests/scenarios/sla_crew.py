"""Three timers at work, two of which are killed at random and started again."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.integration.service_process import ServiceProcess, running_service
from tests.scenarios.world import World

TIMERS: Final = ("--role", "timers")
MORTALS: Final = 2
DEATHS: Final = 3
"""Of each of them."""

MOST_SWEEPS: Final = 12
"""In which a timer finds something, until it dies."""


@dataclass(slots=True)
class Crew:
    """deaths: how many timers were killed so far; services: all that ever were."""

    world: World
    deaths: int = 0
    services: list[ServiceProcess] = field(default_factory=list)
    _is_over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def told(self) -> int:
        """How many facts of clocks the timers say that they told."""
        return sum(map(_told, self.services))

    async def until_told(self, at_least: int) -> None:
        async def is_told() -> bool:
            return self.told >= at_least

        await self.world.until(is_told, f"{at_least} facts told by timers")

    async def serve(self, *, lives: int, sweeps: Callable[[], int]) -> None:
        """One place in the crew. sweeps: how many a life lasts; the last one ends with the crew."""
        for _ in range(lives):
            async with running_service(*TIMERS, settings=self.world.environment) as mortal:
                self.services.append(mortal)
                await self._until_swept(mortal, sweeps())
                if self._is_over.is_set():
                    return
                mortal.signal(signal.SIGKILL)
                assert await mortal.end() == -signal.SIGKILL
                self.deaths += 1
        async with self.world.service(*TIMERS) as last:
            self.services.append(last)
            await self._is_over.wait()

    async def _until_swept(self, service: ServiceProcess, times: int) -> None:
        async def is_swept() -> bool:
            return _sweeps(service) >= times or self._is_over.is_set()

        await self.world.until(is_swept, f"{times} sweeps of one timer")

    def leave(self) -> None:
        self._is_over.set()


def _sweeps(service: ServiceProcess) -> int:
    return sum(line.get("event") == "clocks.fired" for line in service.lines)


def _told(service: ServiceProcess) -> int:
    return sum(
        line.get("facts", 0) for line in service.lines if line.get("event") == "clocks.fired"
    )


@asynccontextmanager
async def crew(world: World, random: Random) -> AsyncIterator[Crew]:
    """At work while the block lasts."""
    made = Crew(world)
    async with asyncio.TaskGroup() as places:
        for place in range(MORTALS + 1):
            lives = DEATHS if place < MORTALS else 0
            places.create_task(
                made.serve(lives=lives, sweeps=lambda: random.randint(1, MOST_SWEEPS))
            )
        yield made
        made.leave()
