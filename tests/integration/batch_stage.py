"""The machine's batches and sweeps on a real database, with a connection that counts and fails."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from consumer.batch import Batches
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.telling import Telling
from consumer.timers import Timers, nap
from consumer.transaction import transaction
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db.connect import open_pool
from handlers.batch import Broken, Entry, Handled, Setting
from handlers.entries import read
from handlers.outcomes import Rules, outcome_of
from handlers.record import coordinates
from tests.records import MOST_BYTES, REQUESTS, customer_change, partner_change

OTHER_TABLES = (
    *("party_positions", "lost_positions", "leases", "held_facts", "policies"),
    "dead_letter_steps",
    *("sla_clocks", "sla_segments"),
)
QUESTIONS = ("execute", "fetch", "fetchrow", "fetchval", "executemany", "copy_to_table")
WRITES = ("execute", "copy_to_table")
"""What a poisoned value breaks. Not the keeping of dead letters: that holds any bytes."""

DATABASE = {"dependency": "database"}
TABLES = (
    *("tickets", "ticket_messages", "requests", "ticket_facts", "outbox", "parked_requests"),
    *("dead_letters", "customers", "partners"),
)


class WatchedConnection:
    """A connection that tells the stage of each round trip before it makes it."""

    def __init__(self, connection: asyncpg.Connection, watch: Callable[[str, str], Any]) -> None:
        self._connection = connection
        self._watch = watch

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a connection has
        found = getattr(self._connection, name)
        if name not in QUESTIONS:
            return found

        async def ask(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  as the original
            said = b"".join(bytes(options[each]) for each in ("source",) if each in options)
            await self._watch(name, f"{arguments}{said.decode()}")
            return await found(*arguments, **options)

        return ask


@dataclass
class WatchedPool:
    """A pool of watched connections. trips: (call, what it says), in their order."""

    pool: asyncpg.Pool
    trips: list[tuple[str, str]] = field(default_factory=list)
    poison: str | None = None
    fail_at: int | None = None
    error: Exception = field(default_factory=lambda: ConnectionResetError("cut off"))
    before: Callable[[str], Any] | None = None

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[WatchedConnection]:
        async with self.pool.acquire() as connection:
            yield WatchedConnection(connection, self._watch)

    async def _watch(self, call: str, said: str) -> None:
        self.trips.append((call, said))
        if self.poison is not None and self.poison in said and call in WRITES:
            raise asyncpg.CharacterNotInRepertoireError("a value that the database can't hold")
        if self.fail_at == len(self.trips):
            raise self.error
        if self.before is not None:
            await self.before(said)


class Recorder(Telling):
    """Remembers what became of every record."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self.handled: list[Handled] = []
        self.splits = 0

    def split(self) -> None:
        super().split()
        self.splits += 1

    def tell(self, records: int, handled: Sequence[Handled], seconds: float) -> None:
        super().tell(records, handled, seconds)
        self.handled += handled


@dataclass
class BatchStage:
    """Batches, a sweeper, and the database that they share."""

    pool: asyncpg.Pool
    watched: WatchedPool
    recorder: Recorder
    dependencies: Dependencies
    setting: Setting
    registry: CollectorRegistry
    parties_told: int = 0

    def batches(self, **changes: Any) -> Batches:  # noqa: ANN401  fields of Setting
        """A worker of its own. changes: what is different about its setting."""
        setting = replace(self.setting, **changes)

        def on_parties() -> None:
            self.parties_told += 1

        return Batches(
            dependencies=self.dependencies,
            telling=self.recorder,
            writes=Writes(self.watched, Wakeups(), Handover()),
            setting=lambda: setting,
            on_parties=on_parties,
        )

    def timers(self, **changes: Any) -> Timers:  # noqa: ANN401  fields of Setting
        return Timers(
            pool=self.watched,
            dependencies=self.dependencies,
            metrics=Metrics(),
            telling=self.recorder,
            writes=Writes(self.watched, Wakeups(), Handover()),
            setting=replace(self.setting, **changes),
            read=lambda record: read(record, REQUESTS, MOST_BYTES),
        )

    async def settle(self, entries: Sequence[Entry], **changes: Any) -> list[str]:  # noqa: ANN401
        """Settle one batch; what became of its records, in their order."""
        before = len(self.recorder.handled)
        await self.batches(**changes).settle(entries)
        return outcomes(entries, self.recorder.handled[before:])

    async def sweep(self, **changes: Any) -> float:  # noqa: ANN401  fields of Setting
        """Look for parked requests once; how long the sweeper would sleep then."""
        return nap(await self.timers(**changes).parking.sweep())

    async def ask(self, question: str, *arguments: object) -> list[Any]:
        async with self.pool.acquire() as connection:
            rows: list[Any] = await connection.fetch(question, *arguments)
            return rows

    async def count(self, what: str) -> int:
        """How many rows there are; what: a table, or a table and a condition."""
        ((number,),) = await self.ask(f"SELECT count(*) FROM {what}")  # noqa: S608  words of ours
        return int(number)

    async def counts(self) -> dict[str, int]:
        """How many rows each table has that batches write to, without the empty ones."""
        found = {table: await self.count(table) for table in TABLES}
        return {table: number for table, number in found.items() if number}

    async def know(self, *names: str, **fields: Any) -> None:  # noqa: ANN401  a change's own fields
        """Let these customers be known."""
        await self.settle([customer_change(name, **fields) for name in names])
        self.forget()

    async def know_partner(self, name: str, **fields: Any) -> None:  # noqa: ANN401  a change's own fields
        await self.settle([partner_change(name, **fields)])
        self.forget()

    @property
    def retries(self) -> float:
        """How often the database seemed to be away: also where two workers waited for another."""
        return self.registry.get_sample_value("ticketing_retries_total", DATABASE) or 0.0

    def forget(self) -> None:
        """Begin to watch anew."""
        self.watched.trips.clear()
        self.recorder.handled.clear()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        async with transaction(self.pool) as connection:
            yield connection


def outcomes(entries: Iterable[Entry], handled: Iterable[Handled]) -> list[str]:
    """What became of each entry's record."""
    found: dict[object, str] = {}
    for part in handled:
        for decision in part.decisions:
            found[_place(decision.request)] = outcome_of(decision).value
        for change, outcome in part.parties:
            found[_place(change)] = str(outcome)
        for broken in part.repeated:
            found[_place(broken)] = "duplicate"
        for broken in part.dead:
            found[_place(broken)] = "dead_lettered"
    return [found[_place(entry)] for entry in entries]


def _place(entry: Entry) -> object:
    assert entry.record is not None
    return coordinates(entry.record)


def tally(outcomes: Iterable[str]) -> dict[str, int]:
    return dict(Counter(outcomes))


def dead_of(handled: Iterable[Handled]) -> list[Broken]:
    return [broken for part in handled for broken in part.dead]


@asynccontextmanager
async def staged(database_url: str, *, is_new: bool = False) -> AsyncIterator[BatchStage]:
    """A stage on a migrated database, which is emptied where it is not new."""
    pool = await open_pool(database_url, size=12)
    if not is_new:
        async with pool.acquire() as connection:
            await connection.execute(f"TRUNCATE {', '.join((*TABLES, *OTHER_TABLES))}")
    metrics = Metrics()
    dependencies = Dependencies(metrics)
    dependencies.up("database")
    setting = Setting(Rules(grace_seconds=30.0), "group")
    try:
        watched, recorder = WatchedPool(pool), Recorder(metrics)
        yield BatchStage(pool, watched, recorder, dependencies, setting, metrics.registry)
    finally:
        await pool.close()
