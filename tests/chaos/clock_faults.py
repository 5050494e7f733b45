"""A machine's clock is set, again and again."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Final

from tests.chaos.fault import Fault
from tests.chaos.scene import Scene
from tests.integration.service_process import running_service

STEPPED: Final = ("-m", "tests.scenarios.stepped")
"""A service that is told another time several times a second, from a year back to a day ahead."""


@dataclass(frozen=True, slots=True)
class ClockSet:
    """One more member works by such a clock for a while; whoever published is killed before."""

    name: str = "a clock is set forwards and backwards"

    async def strike(self, scene: Scene) -> None:
        async with running_service(settings=scene.services.environment, program=STEPPED) as stepped:
            await stepped.line("partitions.assigned")
            await scene.services.kill(await scene.services.relay())
            await asyncio.sleep(scene.rng.uniform(6, 12))
            stepped.signal(signal.SIGTERM)
            code = await stepped.end()
        assert code == 0, f"a service with a stepped clock ended with {code}: {stepped.lines[-5:]}"


CLOCK_FAULTS: Final[tuple[Fault, ...]] = (ClockSet(),)
