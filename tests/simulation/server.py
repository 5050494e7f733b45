"""The fake PostgreSQL: connections of simulated processes, whose sessions end as real ones do."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, Final

import asyncpg

from db.connect import IDLE_IN_TRANSACTION_SECONDS
from tests.simulation.answers import Answer, Record, answered
from tests.simulation.chaos import Kind
from tests.simulation.loop import SimulatedProcess
from tests.simulation.statements import statement_of, title_of
from tests.simulation.store import Database, Transaction
from tests.simulation.wire import Gone, Wire
from tests.simulation.writing import copy

IDLE: Final = re.compile(r"idle_in_transaction_session_timeout = (\d+)")
CUT: Final = "connection was closed in the middle of operation"


class Server:
    """Takes connections while it is up."""

    def __init__(self, database: Database, wire: Wire) -> None:
        self.database = database
        self.wire = wire
        self.is_up = True
        self._connections: dict[int, FakeConnection] = {}
        self._opened = 0
        database.on_notify = self._notify

    async def connect(self, process: SimulatedProcess) -> "FakeConnection":
        return await self.wire.call(process, "db.connect", lambda: self._open(process), refused)

    def _open(self, process: SimulatedProcess) -> "FakeConnection":
        if not self.is_up:
            raise ConnectionRefusedError(111, "Connect call failed")
        self._opened += 1
        made = FakeConnection(self, process, self._opened)
        self._connections[made.number] = made
        return made

    def closed(self, connection: "FakeConnection") -> None:
        self._connections.pop(connection.number, None)

    def connections_of(self, process: SimulatedProcess) -> list["FakeConnection"]:
        return [each for each in self._connections.values() if each.process is process]

    def go_down(self) -> None:
        """End every session, and take no other, until `come_up`."""
        self.is_up = False
        for connection in list(self._connections.values()):
            connection.cut()

    def come_up(self) -> None:
        self.is_up = True

    def process_died(self, process: SimulatedProcess) -> None:
        for connection in self.connections_of(process):
            connection.cut()

    def process_froze(self, process: SimulatedProcess) -> None:
        """Its transactions are ended once they have been idle for too long."""
        for connection in self.connections_of(process):
            transaction = connection.transaction
            if transaction is not None:
                self.wire.later(connection.idle_seconds, self._end_idle, connection, transaction)

    def _end_idle(self, connection: "FakeConnection", transaction: Transaction) -> None:
        if connection.transaction is transaction and connection.process.is_frozen:
            connection.cut()

    def _notify(self, channel: str) -> None:
        for connection in list(self._connections.values()):
            connection.notify(channel)


def refused(kind: Kind) -> Any:  # noqa: ANN401  an error of an untyped library's
    """What an attempt to connect may end with."""
    if kind is Kind.REFUSE:
        return asyncpg.TooManyConnectionsError("sorry, too many clients already")
    return ConnectionResetError(104, "Connection reset by peer")


class FakeConnection:
    """As much of asyncpg's connection as the service uses."""

    def __init__(self, server: Server, process: SimulatedProcess, number: int) -> None:
        self._server = server
        self.process = process
        self.number = number
        self.transaction: Transaction | None = None
        self.idle_seconds = float(IDLE_IN_TRANSACTION_SECONDS)
        self._is_closed = False
        self._last = ""
        self._listeners: dict[str, Callable[..., object]] = {}
        self._ends: list[Callable[..., object]] = []
        self._context = copy_context()

    # What the service calls

    async def execute(self, sql: str, *arguments: Any) -> str:  # noqa: ANN401  the statement's own
        answer = await self._ask(sql, arguments)
        return answer if isinstance(answer, str) else f"SELECT {len(answer)}"

    async def fetch(self, sql: str, *arguments: Any) -> list[Record]:  # noqa: ANN401  likewise
        answer = await self._ask(sql, arguments)
        return [] if isinstance(answer, str) else answer

    async def fetchrow(self, sql: str, *arguments: Any) -> Record | None:  # noqa: ANN401  likewise
        rows = await self.fetch(sql, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *arguments: Any) -> Any:  # noqa: ANN401  likewise
        row = await self.fetchrow(sql, *arguments)
        return None if row is None else row[0]

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        statement = statement_of(sql)

        async def run(transaction: Transaction) -> Answer:
            for row in rows:
                await answered(statement, transaction, row)
            return ""

        await self._call(title_of(sql), lambda: self._run(run))

    async def copy_to_table(
        self, table: str, *, columns: Sequence[str], source: memoryview, **_: object
    ) -> str:
        async def run(transaction: Transaction) -> Answer:
            return await copy(transaction, table, columns, bytes(source))

        return str(await self._call(f"COPY {table}", lambda: self._run(run)))

    async def add_listener(self, channel: str, callback: Callable[..., object]) -> None:
        def listen() -> None:
            self._context = copy_context()
            self._listeners[channel] = callback

        await self._call("LISTEN", listen)

    def add_termination_listener(self, callback: Callable[..., object]) -> None:
        self._context = copy_context()
        self._ends.append(callback)

    def is_closed(self) -> bool:
        return self._is_closed

    def is_in_transaction(self) -> bool:
        return self.transaction is not None

    def terminate(self) -> None:
        self.cut()

    async def close(self) -> None:
        self.cut()

    # What the server does

    def cut(self) -> None:
        """End the session; what it had not committed is undone."""
        if self._is_closed:
            return
        self._is_closed = True
        self._server.closed(self)
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            transaction.roll_back(asyncpg.ConnectionDoesNotExistError(CUT))
        loop = self._server.wire.loop
        for callback in self._ends:
            loop.call_soon(callback, self, context=self._context)

    def roll_back(self) -> None:
        """As a pool does with what comes back to it."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            transaction.roll_back()

    def notify(self, channel: str) -> None:
        callback = self._listeners.get(channel)
        if callback is not None:
            wire = self._server.wire
            wire.loop.call_later(
                wire.delay(), callback, self, 0, channel, "", context=self._context
            )

    # How it goes there

    async def _ask(self, sql: str, arguments: Sequence[Any]) -> Answer:
        words = sql.strip()
        for word, act in (
            ("BEGIN", lambda: self._begin(words)),
            ("COMMIT", self._commit),
            ("ROLLBACK", self._undo),
        ):
            if words.startswith(word):
                title = f"{word} after {self._last}" if word == "COMMIT" else word
                return str(await self._call(title, act))
        statement = statement_of(sql)

        async def run(transaction: Transaction) -> Answer:
            return await answered(statement, transaction, arguments)

        answer: Answer = await self._call(title_of(sql), lambda: self._run(run))
        if title_of(sql) == "acquire" and answer:
            self._server.wire.lease_moved()
        return answer

    async def _call(self, title: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401  the act's
        if self._is_closed:
            raise asyncpg.InterfaceError("connection is closed")
        self._last = title

        def attempt() -> Any:  # noqa: ANN401  the act's
            if self._is_closed:
                raise asyncpg.ConnectionDoesNotExistError(CUT)
            return act()

        answer = await self._server.wire.call(self.process, f"db.{title}", attempt, self._errors)
        if self._is_closed:
            raise asyncpg.ConnectionDoesNotExistError(CUT)
        return answer

    def _errors(self, kind: Kind) -> Any:  # noqa: ANN401  an error of an untyped library's
        if kind is Kind.REFUSE:
            self._fail()
            return asyncpg.SerializationError("could not serialize access")
        self.cut()
        return asyncpg.ConnectionDoesNotExistError(CUT)

    def _fail(self) -> None:
        if self.transaction is not None:
            self.transaction.has_failed = True
            self.transaction.roll_back()

    def _begin(self, words: str) -> str:
        self.transaction = self._server.database.begin()
        told = IDLE.search(words)
        self.idle_seconds = int(told[1]) / 1000 if told else float(IDLE_IN_TRANSACTION_SECONDS)
        return "SET"

    def _commit(self) -> str:
        transaction, self.transaction = self.transaction, None
        if transaction is None or transaction.has_failed:
            return "ROLLBACK"
        transaction.commit()
        return "COMMIT"

    def _undo(self) -> str:
        self.roll_back()
        return "ROLLBACK"

    async def _run(self, work: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        transaction = self.transaction
        if transaction is None:
            alone = self._server.database.begin()
            try:
                answer = await work(alone)
            except BaseException:
                alone.roll_back()
                raise
            alone.commit()
            return answer
        if transaction.has_failed:
            raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
        try:
            return await work(transaction)
        except BaseException:
            transaction.has_failed = True
            transaction.roll_back()
            raise


class FakePool:
    """As much of asyncpg's pool as the service uses."""

    def __init__(self, server: Server, process: SimulatedProcess, size: int) -> None:
        self._server = server
        self._process = process
        self._free = asyncio.Semaphore(size)
        self._idle: list[FakeConnection] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[FakeConnection]:
        if self._process.is_gone:
            raise Gone
        async with self._free:
            connection = await self._connection()
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    connection.roll_back()
                    self._idle.append(connection)

    async def _connection(self) -> FakeConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._server.connect(self._process)

    def terminate(self) -> None:
        for connection in self._server.connections_of(self._process):
            connection.cut()
