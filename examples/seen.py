"""How far a subscriber is with each ticket, kept in one file together with what it does."""

import sqlite3
from types import TracebackType
from typing import Self


class Seen:
    """The highest sequence by stream and ticket. A stream is what keeps its own order: a topic.

    A real subscriber keeps this table in its own database, and writes what a fact means to it in
    the same transaction: then a fact has its effect exactly once, however often it arrives.
    """

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS seen (stream TEXT, ticket TEXT, sequence INTEGER NOT NULL,"
            " PRIMARY KEY (stream, ticket))"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def highest(self, stream: str, ticket: str) -> int:
        """The highest sequence seen, 0 where there is none."""
        found = self._database.execute(
            "SELECT sequence FROM seen WHERE stream = ? AND ticket = ?", (stream, ticket)
        ).fetchone()
        return 0 if found is None else int(found[0])

    def note(self, stream: str, ticket: str, sequence: int) -> None:
        """From now on this is the highest, unless a higher one is known."""
        with self._database:
            self._database.execute(
                "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT (stream, ticket) DO UPDATE"
                " SET sequence = max(excluded.sequence, seen.sequence)",
                (stream, ticket, sequence),
            )
