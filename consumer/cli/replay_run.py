"""One run of `ticketing replay`: the pool, the bookmarks, the replay, and how to go on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import uuid4

import asyncpg
import typer
from aiokafka import TopicPartition

from consumer import clients
from consumer.bookmarks import Bookmarks, RememberedBookmarks, StoredBookmarks
from consumer.cli.failures import (
    database_explained,
    kafka_explained,
)
from consumer.cli.outages import outages_told
from consumer.cli.progress_line import ProgressLine
from consumer.cli.replay_page import Ending
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.pace import Pace
from consumer.probes import KafkaProbe, probed
from consumer.replay import IN_FLIGHT, Limits, Replay
from consumer.replay_batch import ReplayBatches
from consumer.replay_filter import ReplayFilter, Sieve
from consumer.replay_plan import Plan, phases
from consumer.replay_scan import TopicShrank
from consumer.replay_tally import Tally
from consumer.rules import batch_setting
from consumer.scan import started
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.subscription import Subscription
from consumer.transaction import transaction
from db import replays
from db.connect import open_pool
from db.grants import may_copy
from db.replays import Position

LONGEST_STOP_SECONDS: Final = 40.0
"""After so long a stop ends the process, whatever it does; a batch takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is done. actor: who does it."""

    actor: str
    rate: float | None
    yes: bool
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Errand:
    """What to do. replay_id: of one that goes on; None before it is kept."""

    wanted: ReplayFilter
    plan: Plan
    retry_rejected: bool
    replay_id: str | None = None


class ReplayRun:
    """One run of a replay."""

    def __init__(self, settings: Settings, errand: Errand, manner: Manner) -> None:
        self._settings = settings
        self._errand = errand
        self._manner = manner
        self._lost = 0
        self._id = errand.replay_id
        self._dependencies = Dependencies(Metrics())
        self._line = ProgressLine(errand.plan.offsets, "offsets")

    async def whole(self) -> Ending:
        """Replay, and say how it ended; where it fails, say how to go on."""
        settings, plan = self._settings, self._errand.plan
        parts = phases(plan.stretches, Subscription(settings))
        with database_explained(settings), self._line, outages_told(self._line.clear):
            async with self._pool() as pool:
                bookmarks = await self._keep(pool)
                try:
                    with kafka_explained(settings):
                        tally, stopped_by = await self._replay(pool, bookmarks, parts)
                except TopicShrank:  # there is no way on
                    raise
                except BaseException:
                    self._tell_way_on()
                    raise
                if stopped_by is None and self._id is not None:
                    await self._dependencies.retrying("database", self._finish, pool)
                counts = await self._counts(pool, tally, stopped_by)
        if stopped_by is not None:
            self._tell_way_on()
        return Ending(
            replay_id=self._id,
            dry_run=self._manner.dry_run,
            stopped_by=stopped_by,
            counts=counts,
            news=tally.news,
            lost=self._lost,
            plan=plan,
        )

    @asynccontextmanager
    async def _pool(self) -> AsyncIterator[asyncpg.Pool]:
        pool = await open_pool(
            self._settings.database_url.get_secret_value(),
            size=IN_FLIGHT,
            pooler=self._settings.database_pooler,
            application_name="ticketing replay",
        )
        try:
            yield pool
        finally:
            pool.terminate()

    async def _keep(self, pool: asyncpg.Pool) -> Bookmarks:
        """Put the bookmarks where the stretches begin."""
        errand = self._errand
        stretches = errand.plan.stretches
        if self._id is not None:
            return StoredBookmarks(self._id)
        if self._manner.dry_run or not errand.plan.offsets:
            return RememberedBookmarks({each.partition: each.start for each in stretches})
        self._id = str(uuid4())
        asked = errand.wanted.as_json() | {
            "retry_rejected": errand.retry_rejected,
            "include_unread": errand.plan.includes_unread,
        }
        positions = [
            Position(each.partition.topic, each.partition.partition, each.start, each.end)
            for each in stretches
        ]
        async with transaction(pool) as connection:
            await replays.add(connection, self._id, asked, self._manner.actor, positions)
        return StoredBookmarks(self._id)

    async def _replay(
        self, pool: asyncpg.Pool, bookmarks: Bookmarks, parts: Sequence[Any]
    ) -> tuple[Tally, str | None]:
        settings, manner = self._settings, self._manner
        async with transaction(pool) as connection:
            copies = await may_copy(connection)
        batches = ReplayBatches(
            pool,
            self._dependencies,
            batch_setting(settings, may_copy=copies),
            bookmarks,
            actor=manner.actor,
            retry_rejected=self._errand.retry_rejected,
            on_moved=self._line.advance,
        )
        if not parts:
            return batches.tally, None
        probe = KafkaProbe(partial(clients.admin, settings))
        async with (
            started(clients.consumer(settings)) as kafka,
            probed("kafka", probe, self._dependencies),
            Shutdown(LONGEST_STOP_SECONDS) as shutdown,
        ):
            replay = Replay(
                kafka,
                self._dependencies,
                batches,
                Sieve(self._errand.wanted),
                limits=Limits(settings.batch_records, settings.max_record_bytes),
                pace=Pace(manner.rate),
                on_lost=self._tell_lost,
            )
            stopping = asyncio.create_task(_stop_when_told(replay, shutdown))
            try:
                is_whole = await replay.run(parts)
            finally:
                stopping.cancel()
            return batches.tally, None if is_whole else shutdown.reason

    async def _finish(self, pool: asyncpg.Pool) -> None:
        async with transaction(pool) as connection:
            await replays.finish(connection, str(self._id))

    async def _counts(
        self, pool: asyncpg.Pool, tally: Tally, stopped_by: str | None
    ) -> Counter[str]:
        """Of the whole replay, also of what was done before it went on."""
        if self._id is None or stopped_by is not None:
            return tally.counts
        async with transaction(pool) as connection:
            positions = await replays.positions(connection, self._id)
        return sum((Counter(each.counts) for each in positions), Counter())

    def _tell_lost(self, partition: TopicPartition, first: int, following: int) -> None:
        self._lost += following - first
        self._line.clear()
        typer.echo(
            f"The offsets {first} to {following - 1} of partition {partition.partition} of"
            f" {partition.topic} were deleted before they were read.",
            err=True,
        )

    def _tell_way_on(self) -> None:
        if self._id is not None:
            self._line.clear()
            typer.echo(f"Stopped; this goes on: ticketing replay --resume {self._id}", err=True)
        elif self._manner.dry_run:
            typer.echo("Stopped; nothing was changed.", err=True)


async def _stop_when_told(replay: Replay, shutdown: Shutdown) -> None:
    await shutdown.requested.wait()
    replay.stop()
