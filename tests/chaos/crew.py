"""Service processes of the chaos run, kept alive: one that a fault has ended is started anew."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from tests.integration.service_process import ServiceProcess, running_service
from tests.scenarios.world import FAULTY, POLL_SECONDS, World

BY_A_FAULT = frozenset({0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM})
"""How a process ends that somebody ended, told once or twice. Any other end is its own."""

LINES_SHOWN = 60
"""Of a service that ended by itself: a whole traceback."""


class Crew:
    """Processes with all roles, numbered from 0.

    settings: what is different from the world's. client: constants of `consumer.clients`, as
    `faulty` takes them.
    """

    def __init__(
        self, world: World, count: int, *, settings: dict[str, str], client: Sequence[str] = ()
    ) -> None:
        self._world = world
        self._count = count
        self._settings = settings
        self._words = [word for constant in client for word in ("--client", constant)]
        self._members: dict[int, ServiceProcess] = {}
        self.restarts = 0
        self.accidents: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """The settings of each, for a fault that brings a process of its own."""
        return self._world.environment | self._settings

    @property
    def members(self) -> list[ServiceProcess]:
        """The processes that run now."""
        return [each for each in self._members.values() if each.process.returncode is None]

    def pick(self, rng: Random) -> ServiceProcess:
        """Any of them."""
        return rng.choice(self.members)

    async def relay(self) -> ServiceProcess:
        """Wait for the one that holds the lease: it publishes."""

        async def holders() -> list[ServiceProcess]:
            rows = await self._world.ask("SELECT holder FROM leases WHERE expires_at > now()")
            pids = {int(str(row[0]).rpartition(":")[2]) for row in rows}
            return [each for each in self.members if each.process.pid in pids]

        (member,) = await self._world.until(holders, "a service of the crew publishes")
        return member

    async def kill(self, member: ServiceProcess) -> None:
        """SIGKILL; returns once it is gone."""
        member.signal(signal.SIGKILL)
        await member.end()

    async def until_complete(self) -> None:
        """Wait until as many run as there should be, and each serves its pages."""

        async def is_complete() -> bool:
            return len(self.members) == self._count

        await self._world.until(is_complete, "all services run")
        for member in self.members:
            await member.line("http.listening")

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The crew, while the block lasts."""
        keeping = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        try:
            await self.until_complete()
            yield
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        while True:
            async with running_service(
                *self._words, settings=self.environment, program=FAULTY
            ) as service:
                self._members[number] = service
                code = await service.process.wait()
            if code not in BY_A_FAULT:
                last = service.lines[-LINES_SHOWN:]
                self.accidents.append(f"A service ended by itself with {code}: {last}.")
                await asyncio.sleep(POLL_SECONDS)
            self.restarts += 1
