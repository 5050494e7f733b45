"""What a batch says to the database, statement by statement, with its arguments."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import asyncpg

STATEMENTS: Final = frozenset({"execute", "fetch", "fetchrow", "fetchval", "executemany"})


class Said(NamedTuple):
    """One round trip. statement: SQL, or COPY and its table."""

    statement: str
    arguments: tuple[Any, ...] = ()


class RecordedConnection:
    """A connection that tells what it is asked before it asks."""

    def __init__(self, connection: asyncpg.Connection, tell: Callable[[Said], None]) -> None:
        self._connection = connection
        self._tell = tell

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a connection has
        found = getattr(self._connection, name)
        if name in STATEMENTS:

            def told(statement: str, *arguments: Any) -> Any:  # noqa: ANN401  as the original
                self._tell(Said(statement, arguments))
                return found(statement, *arguments)

        elif name == "copy_to_table":

            def told(table: str, **options: Any) -> Any:  # type: ignore[misc]  # noqa: ANN401
                self._tell(Said(f"COPY {table}", (options["columns"],)))
                return found(table, **options)

        else:
            return found
        return told


class RecordedPool:
    """A pool of recorded connections, for those who take their own. said: everything, in order."""

    def __init__(self, pool: Any) -> None:  # noqa: ANN401  asyncpg's, or one that wraps it
        self._pool = pool
        self.said: list[Said] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[RecordedConnection]:
        async with self._pool.acquire() as connection:
            yield RecordedConnection(connection, self.said.append)
