"""How far a replay is: in the database, or for a dry run in memory alone."""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import asyncpg
from aiokafka import TopicPartition

from db import replays


class Bookmarks(Protocol):
    """One for each partition. leaves_traces: False where every transaction is to be rolled back."""

    leaves_traces: bool

    async def find(self, connection: asyncpg.Connection, partition: TopicPartition) -> int:
        """The offset before which everything is settled; nobody else moves it meanwhile."""
        ...

    async def move(
        self,
        connection: asyncpg.Connection,
        partition: TopicPartition,
        next_offset: int,
        counts: Mapping[str, int],
    ) -> None:
        """If this commits, it is settled up to here, with so many more outcomes of each kind."""
        ...

    def moved(self, partition: TopicPartition, next_offset: int) -> None:
        """The transaction has come to its end."""


class StoredBookmarks:
    """Rows that move in the very transaction that decides: a replay goes on exactly there."""

    leaves_traces = True

    def __init__(self, replay_id: str) -> None:
        self._replay_id = replay_id
        self._counts: dict[TopicPartition, dict[str, int]] = {}

    async def find(self, connection: asyncpg.Connection, partition: TopicPartition) -> int:
        at, self._counts[partition] = await replays.lock(connection, (self._replay_id, *partition))
        return at

    async def move(
        self,
        connection: asyncpg.Connection,
        partition: TopicPartition,
        next_offset: int,
        counts: Mapping[str, int],
    ) -> None:
        total = Counter(self._counts[partition]) + Counter(counts)
        await replays.move(connection, (self._replay_id, *partition), next_offset, total)

    def moved(self, partition: TopicPartition, next_offset: int) -> None:
        """It stands in the row."""


class RememberedBookmarks:
    """Those of a dry run: nothing is committed, and yet nothing is counted twice."""

    leaves_traces = False

    def __init__(self, starts: Mapping[TopicPartition, int]) -> None:
        self._at = dict(starts)

    async def find(self, _: asyncpg.Connection, partition: TopicPartition) -> int:
        at: int = self._at[partition]
        return at

    async def move(
        self,
        connection: asyncpg.Connection,
        partition: TopicPartition,
        next_offset: int,
        counts: Mapping[str, int],
    ) -> None:
        """It is about to be rolled back."""

    def moved(self, partition: TopicPartition, next_offset: int) -> None:
        self._at[partition] = next_offset
