"""The composition root: everything is made here, from what the tests may replace."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import asyncpg
import structlog

from consumer import clients
from consumer.batch import Batches
from consumer.ceiling import Ceiling
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.health import Health
from consumer.http_server import serving
from consumer.intake import Intake
from consumer.lost_positions import LostPositions
from consumer.memory import collect_rarely
from consumer.metrics import Metrics
from consumer.party_progress import PartyProgress
from consumer.pauses import Pauses
from consumer.policy_watch import PolicyWatch
from consumer.probes import KafkaProbe, probed
from consumer.progress import IntakeProgress, RelayProgress
from consumer.readiness import MissingTopics, Readiness
from consumer.relay import Relay
from consumer.roles import ALL_ROLES, Role
from consumer.rules import batch_setting, letters_kept
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.subscription import Subscription
from consumer.telling import Telling
from consumer.timers import Timers
from consumer.wakeups import Wakeups
from consumer.watchdog import Watchdog, loop_watched
from consumer.writes import Writes
from db.connect import connect, open_pool
from db.grants import may_copy as may_copy_as
from handlers.batch import Handled, Setting
from handlers.entries import read_parked

log = structlog.get_logger()

BATCHES_IN_FLIGHT = 2
"""While the database writes one, the next is decided."""

SWEEP_END_SECONDS = 5.0
"""How long the relay's last round waits for a sweep that was told to stop: some milliseconds, where
the database answers."""


async def _pool(settings: Settings) -> asyncpg.Pool:
    return await open_pool(
        settings.database_url.get_secret_value(),
        size=settings.database_pool_size,
        pooler=settings.database_pooler,
    )


async def _listening_connection(settings: Settings) -> asyncpg.Connection:
    return await connect(settings.database_url.get_secret_value())


@dataclass(frozen=True, slots=True)
class Outside:
    """What the machine is given of the world. A test wraps these to make faults."""

    pool: Callable[[Settings], Awaitable[Any]] = _pool
    connect: Callable[[Settings], Awaitable[Any]] = _listening_connection
    consumer: Callable[..., Any] = clients.consumer
    producer: Callable[..., Any] = clients.producer


async def run(
    settings: Settings,
    roles: frozenset[Role] = ALL_ROLES,
    listener: socket.socket | None = None,
    outside: Outside | None = None,
) -> int:
    """Be the service until told to stop; the exit code. listener: where the pages are served."""
    outside = outside or Outside()
    metrics = Metrics()
    dependencies = Dependencies(metrics)
    watchdog = Watchdog(dependencies)
    health = Health(dependencies, watchdog, metrics)
    async with AsyncExitStack() as stack:
        shutdown = await stack.enter_async_context(Shutdown(settings.shutdown_seconds))
        stack.enter_context(loop_watched(metrics))
        if listener is not None:
            await stack.enter_async_context(serving(listener, health.pages()))
        missing = MissingTopics(Subscription(settings), health)
        kafka = KafkaProbe(
            partial(clients.admin, settings),
            missing.note if Role.CONSUMER in roles else lambda _: None,
        )
        await stack.enter_async_context(probed("kafka", kafka, dependencies))
        opening: asyncio.Future[Any] = asyncio.ensure_future(
            dependencies.retrying("database", outside.pool, settings)
        )
        if not await _done_before_stop(opening, shutdown):
            return 0
        pool = opening.result()
        try:
            asking: asyncio.Future[bool] = asyncio.ensure_future(
                dependencies.retrying("database", _may_copy, pool)
            )
            if not await _done_before_stop(asking, shutdown):
                return 0
            machine = Machine(
                settings, roles, outside, pool, metrics, dependencies, may_copy=asking.result()
            )
            collect_rarely()
            async with probed("database", partial(pool.fetchval, "SELECT 1"), dependencies):
                await machine.run(shutdown, watchdog, health)
        finally:
            pool.terminate()
    log.info("run.ended")
    return 0


async def _may_copy(pool: Any) -> bool:  # noqa: ANN401  asyncpg's pool, or one that wraps it
    async with pool.acquire() as connection:
        return await may_copy_as(connection)


async def _done_before_stop(working: asyncio.Future[Any], shutdown: Shutdown) -> bool:
    """Wait for the work; False, and the work is given up, when told to stop before it is done."""
    stopping = asyncio.ensure_future(shutdown.requested.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return True
    working.cancel()
    return False


class Machine:
    """The parts of the service, put together; which of them work is a matter of the roles."""

    def __init__(  # noqa: PLR0917  made in one place
        self,
        settings: Settings,
        roles: frozenset[Role],
        outside: Outside,
        pool: Any,  # noqa: ANN401  asyncpg's pool, or one that wraps it
        metrics: Metrics,
        dependencies: Dependencies,
        *,
        may_copy: bool,
    ) -> None:
        self._dependencies = dependencies
        self._pool = pool
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        wakeups, handover = Wakeups(), Handover()
        watch = PolicyWatch(metrics)
        writes = Writes(pool, wakeups, handover, on_commit=watch.note)
        telling = Telling(metrics)
        subscription = Subscription(settings)
        setting = batch_setting(settings, may_copy=may_copy)
        self.consumer: Any = None
        self.intake: Intake | None = None
        self.party_progress: PartyProgress | None = None
        self.pauses: Pauses | None = None
        self.relay: Relay | None = None
        self.timers: Timers | None = None
        if Role.TIMERS in roles:
            self.timers = Timers(
                pool=pool,
                dependencies=dependencies,
                metrics=metrics,
                telling=telling,
                writes=writes,
                setting=setting,
                read=read_parked,
                letters_kept=letters_kept(settings),
            )
        if Role.CONSUMER in roles:
            self.intake = self._make_intake(
                settings, outside, pool, metrics, telling, writes, subscription, setting
            )
        if Role.RELAY in roles:
            pooler = settings.database_pooler
            self.relay = Relay(
                pool,
                partial(outside.producer, settings),
                wakeups,
                dependencies,
                metrics,
                handover=handover,
                topic_prefix=settings.topic_prefix,
                holder=self._holder,
                connect=None if pooler else partial(outside.connect, settings),
            )

    def _make_intake(  # noqa: PLR0917  called in one place
        self,
        settings: Settings,
        outside: Outside,
        pool: Any,  # noqa: ANN401  asyncpg's pool, or one that wraps it
        metrics: Metrics,
        telling: Telling,
        writes: Writes,
        subscription: Subscription,
        setting: Setting,
    ) -> Intake:
        self.consumer = consumer = outside.consumer(settings, settings.group_id)
        pauses, on_settled = self._make_pauses(settings, subscription, pool, metrics)
        progress = PartyProgress(
            consumer, subscription, pool, self._dependencies, is_paused=pauses.is_paused
        )
        self.pauses, self.party_progress = pauses, progress

        def on_parties() -> None:
            progress.nudge()
            if self.timers is not None:
                self.timers.wake()

        batches = Batches(
            dependencies=self._dependencies,
            telling=telling,
            writes=writes,
            setting=lambda: replace(setting, party_ends=progress.ends),
            on_parties=on_parties,
            on_settled=on_settled,
        )
        return Intake(
            consumer=consumer,
            subscription=subscription,
            batches=batches,
            party_progress=progress,
            lost_positions=LostPositions(pool, self._dependencies, metrics, settings.group_id),
            pauses=pauses,
            dependencies=self._dependencies,
            metrics=metrics,
            batch_records=settings.batch_records,
            batches_in_flight=BATCHES_IN_FLIGHT,
            max_record_bytes=settings.max_record_bytes,
        )

    def _make_pauses(
        self,
        settings: Settings,
        subscription: Subscription,
        pool: Any,  # noqa: ANN401  asyncpg's pool, or one that wraps it
        metrics: Metrics,
    ) -> tuple[Pauses, Callable[[Sequence[Handled]], None]]:
        """What is paused, and what is to be told of each batch: the ceiling pauses too."""
        make = partial(Pauses, pool, subscription, self._dependencies, metrics, holder=self._holder)
        if settings.dlq_max_ratio is None:
            return make(), lambda _: None
        ceiling = Ceiling(settings.dlq_max_ratio, settings.dlq_window_seconds)
        pauses = make(on_end=ceiling.forget)

        def on_settled(handled: Sequence[Handled]) -> None:
            for topic, reason in ceiling.note(handled):
                pauses.impose(topic, reason)

        return pauses, on_settled

    async def run(self, shutdown: Shutdown, watchdog: Watchdog, health: Health) -> None:
        """Work until told to stop, then finish in order: intake, timers, relay.

        Raises what ends any of the tasks: a service with a part missing is no service.
        """
        async with asyncio.TaskGroup() as group:
            intake = relay = timers = None
            looking = [group.create_task(watchdog.run(), name="watchdog")]
            if self.relay is not None:
                relay = group.create_task(self.relay.run(), name="relay")
                published = RelayProgress(self._pool, self.relay, watchdog.pulse("the relay"))
                looking.append(group.create_task(published.run(), name="relay.progress"))
            if self.timers is not None:
                timers = group.create_task(self.timers.run(), name="timers")
            if self.intake is not None and self.party_progress is not None:
                intake = group.create_task(self.intake.run(), name="intake")
                lag = Readiness(self.intake, self.party_progress, health)
                looking.append(group.create_task(lag.run(), name="lag"))
            if self.intake is not None and self.pauses is not None:
                health.show_pauses(self.pauses.known)
                progress = IntakeProgress(
                    self.consumer,
                    self.intake,
                    watchdog.pulse("the intake"),
                    is_paused=self.pauses.is_paused,
                    note=self.intake.lag.note,
                )
                looking.append(group.create_task(self.pauses.run(), name="pauses"))
                looking.append(group.create_task(progress.run(), name="intake.progress"))
            tasks = [task for task in (intake, relay, timers, *looking) if task is not None]
            for task in tasks:
                watchdog.watch(task)
            await shutdown.requested.wait()
            expiry = group.create_task(_give_up(shutdown, tasks), name="shutdown.expiry")
            for task in looking:
                task.cancel()
            if self.intake is not None and intake is not None:
                self.intake.stop()
                await asyncio.wait({intake})
            if timers is not None:
                timers.cancel()  # its commit may be under way: then it has facts for the relay
                await asyncio.wait({timers}, timeout=SWEEP_END_SECONDS)
            if self.relay is not None and relay is not None:
                self.relay.stop()
                await asyncio.wait({relay})
            expiry.cancel()


async def _give_up(shutdown: Shutdown, tasks: list[asyncio.Task[None]]) -> None:
    """When the time to finish is over, whoever still works stops at once: nothing is lost."""
    await shutdown.expired.wait()
    for task in tasks:
        task.cancel()
