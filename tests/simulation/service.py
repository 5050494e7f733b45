"""The shipped service as a simulated process: `compose.Machine`, whole, on the fake servers."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, cast

from consumer.compose import Machine, Outside
from consumer.dependencies import Dependencies
from consumer.health import Health
from consumer.metrics import Metrics
from consumer.roles import Role
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.watchdog import Watchdog
from tests.simulation.broker import Broker
from tests.simulation.consumer_client import FakeConsumer
from tests.simulation.group import Group
from tests.simulation.loop import PROCESS, SimulatedProcess
from tests.simulation.producer_client import FakeProducer
from tests.simulation.server import FakePool, Server
from tests.simulation.wire import Wire


class Stop:
    """`Shutdown` without signals and threads."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.expired = asyncio.Event()


@dataclass(slots=True)
class Outskirts:
    """What all processes share."""

    settings: Settings
    metrics: Metrics
    server: Server
    broker: Broker
    group: Group
    wire: Wire
    batch_bytes: int


class Service:
    """One process from its start to its end, which comes by a kill, a stop or its own fault."""

    def __init__(
        self,
        process: SimulatedProcess,
        roles: frozenset[Role],
        outskirts: Outskirts,
        on_end: Callable[["Service"], None],
    ) -> None:
        self.process = process
        self.roles = roles
        self._outskirts = outskirts
        self._on_end = on_end
        self.stop = Stop()
        self.error: BaseException | None = None
        context = copy_context()
        context.run(PROCESS.set, process)
        self._task = outskirts.wire.loop.create_task(self._run(), context=context)

    @property
    def runs(self) -> bool:
        return not (self.process.is_dead or self._task.done())

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        self._outskirts.wire.trace.note(self.process.name, "is asked to stop")
        self._outskirts.wire.loop.call_in(self.process, self.stop.requested.set)

    async def _run(self) -> None:
        outskirts, process = self._outskirts, self.process
        metrics = outskirts.metrics
        dependencies = Dependencies(metrics)
        dependencies.up("database")
        watchdog = Watchdog(dependencies)
        pool = FakePool(outskirts.server, process, outskirts.settings.database_pool_size)

        async def connect(_: Settings) -> Any:  # noqa: ANN401  a fake connection
            return await outskirts.server.connect(process)

        outside = Outside(
            connect=connect,
            consumer=lambda *_: FakeConsumer(
                outskirts.broker, outskirts.group, outskirts.wire, process
            ),
            producer=lambda *_: FakeProducer(
                outskirts.broker, outskirts.wire, process, batch_bytes=outskirts.batch_bytes
            ),
        )
        machine = Machine(
            outskirts.settings, self.roles, outside, pool, metrics, dependencies, may_copy=True
        )
        health = Health(dependencies, watchdog, metrics)
        try:
            await machine.run(cast("Shutdown", self.stop), watchdog, health)
        except Exception as error:  # noqa: BLE001  a service that ends is judged by what it left
            self.error = error
            outskirts.wire.trace.note(process.name, f"ended: {error!r}")
        finally:
            if not (process.is_dead or process.is_gone):
                pool.terminate()
                process.is_dead = True
                outskirts.wire.on_kill(process)
                outskirts.wire.loop.call_soon(self._on_end, self)
