"""A pool whose connections count what they are asked."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

QUESTIONS = frozenset({"execute", "fetch", "fetchrow", "fetchval", "executemany"})


class CountingPool:
    """statements: how many of each kind, by their first word. asked: how often each, word by word.

    lose_answer_to: its next answer is lost, though the database has done it.
    """

    def __init__(self, pool: Any, *, lose_answer_to: str | None = None) -> None:  # noqa: ANN401  asyncpg's, or one that wraps it
        self._pool = pool
        self.statements: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.lose_answer_to = lose_answer_to

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            yield CountingConnection(connection, self)

    def note(self, statement: str) -> None:
        self.statements[statement.split(maxsplit=1)[0]] += 1
        self.asked[statement] += 1

    def answer(self, statement: str) -> None:
        if statement == self.lose_answer_to:
            self.lose_answer_to = None
            raise ConnectionResetError


class CountingConnection:
    """Asks what it is asked, and has it noted."""

    def __init__(self, connection: Any, pool: CountingPool) -> None:  # noqa: ANN401  asyncpg's
        self._connection = connection
        self._pool = pool

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a connection has
        found = getattr(self._connection, name)
        if name not in QUESTIONS:
            return found

        async def counted(statement: str, *arguments: object) -> object:
            self._pool.note(statement)
            answer = await found(statement, *arguments)
            self._pool.answer(statement)
            return answer

        return counted
