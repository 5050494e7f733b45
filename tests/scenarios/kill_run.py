"""Kill the service at one await after another until none is left, then see what became of it all.

Each process dies at the first await that none died at before, and the next goes on where it was. A
situation is over when a process comes through it alive.
"""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.integration.service_process import ServiceProcess, running_service
from tests.scenarios.awaits import AwaitPlace, awaits_of, modules_behind
from tests.scenarios.world import World

MODULES = tuple(
    sorted(modules_behind(*(f"consumer.{name}" for name in ("intake", "batch", "relay", "timers"))))
)
"""Intake, batch, relay and timers, with the modules that they are made of."""

MORTAL = ("-m", "tests.scenarios.mortal")
QUICK = ("SESSION_TIMEOUT_MS=1000", "HEARTBEAT_INTERVAL_MS=200")

LANES = 3
"""How many situations are gone through at a time: a process that starts mostly waits."""

MOST_ROUNDS = 3

Step = Callable[[World, int], Awaitable[None]]
Finish = Callable[[World, ServiceProcess], Awaitable[None]]


async def leave(world: World, service: ServiceProcess) -> None:
    """Everything comes to rest, and the service is told to end."""
    await world.until_at_rest()
    await tell_to_end(service)


async def tell_to_end(service: ServiceProcess) -> None:
    await service.line("http.listening")  # before that, a signal would not be heard
    service.signal(signal.SIGTERM)
    await service.line("child.ended")


@dataclass(frozen=True, slots=True)
class Situation:
    """before: what is there when a process starts, each time; finish: what makes it end.

    options: settings of all its services; own_options: of those that are killed.
    modules: whose awaits kill here; all, where none is named.
    """

    name: str
    before: Step
    finish: Finish = leave
    faults: Sequence[str] = ()
    arguments: Sequence[str] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    own_options: Mapping[str, str] = field(default_factory=dict)
    modules: Collection[str] = MODULES


@dataclass(slots=True)
class KillRun:
    """left: the awaits at which no process died so far. kills: how many died in which situation.

    is_early, is_alone: as in `killer.Plan`.
    """

    is_early: bool = False
    is_alone: bool = False
    left: set[AwaitPlace] = field(
        default_factory=lambda: {place for module in MODULES for place in awaits_of(module)}
    )
    kills: Counter[str] = field(default_factory=Counter)

    async def go(
        self, situations: Sequence[Situation], worlds: Callable[[], Awaitable[World]]
    ) -> None:
        """Go through all situations, some at a time, and again where an await was not reached.

        Some are reached only if things happen in a certain order.
        """
        for _ in range(MOST_ROUNDS):
            waiting = [each for each in reversed(situations) if self._left_for(each)]

            async def go_through_some(waiting: list[Situation] = waiting) -> None:
                while waiting:
                    await self.exhaust(waiting.pop(), await worlds())

            async with asyncio.TaskGroup() as lanes:
                for _ in range(LANES):
                    lanes.create_task(go_through_some())

    def _left_for(self, situation: Situation) -> list[AwaitPlace]:
        return [place for place in self.left if place.module in situation.modules]

    async def exhaust(self, situation: Situation, world: World) -> None:
        """Kill until a process comes through alive; then have the promise checked."""
        world.options |= situation.options
        async with mortal(situation, world) as service:
            number = 0
            while await self._one(situation, world, service, number):
                self.kills[situation.name] += 1
                number += 1
        await world.let_leases_expire()
        async with world.service(client=QUICK) as last:
            await world.come_to_rest_and_leave(last)

    async def _one(
        self, situation: Situation, world: World, service: ServiceProcess, number: int
    ) -> bool:
        """Run one process; whether it was killed."""
        await situation.before(world, number)
        await world.let_leases_expire()
        plan = {
            "deadly": [place.key for place in self._left_for(situation)],
            "is_early": self.is_early,
            "is_alone": self.is_alone,
        }
        service.lines.clear()
        assert service.process.stdin is not None
        service.process.stdin.write(json.dumps(plan).encode() + b"\n")
        ended = await _ended(service, situation.finish(world, service))
        if ended["exit_code"] == -signal.SIGKILL:
            self.left -= {place for place in self.left if place.key in ended["noted"]}
            return True
        assert ended["exit_code"] == 0, (situation.name, service.lines[-10:])
        return False


@asynccontextmanager
async def mortal(situation: Situation, world: World) -> AsyncIterator[ServiceProcess]:
    """The service as `mortal` runs it."""
    words = [word for fault in situation.faults for word in ("--fault", fault)]
    words += [word for constant in QUICK for word in ("--client", constant)]
    async with running_service(
        *situation.arguments,
        *words,
        settings=world.environment | dict(situation.own_options),
        program=MORTAL,
        stdin=asyncio.subprocess.PIPE,
    ) as service:
        yield service


async def _ended(service: ServiceProcess, finishing: Awaitable[None]) -> dict[str, Any]:
    """How the child ended, whether it came to its finish or died before."""
    finish = asyncio.ensure_future(finishing)
    end = asyncio.ensure_future(service.line("child.ended"))
    await asyncio.wait({finish, end}, return_when=asyncio.FIRST_COMPLETED)
    if finish.done():
        finish.result()
    ended = await end
    finish.cancel()
    await asyncio.gather(finish, return_exceptions=True)
    return ended
