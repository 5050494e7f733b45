"""The fake database's memory: transactions, row locks, unique keys, sequences and notifications.

READ COMMITTED, as far as the service relies on it: a statement sees what was committed before it
and what its own transaction did; who writes a row that another holds waits, and so does who inserts
a key that another has inserted and not committed. Each waiting is looked at for a deadlock at once.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import asyncpg

from tests.simulation.shapes import SHAPES, Key, Row

STATEMENT_SECONDS: Final = 30.0
"""`statement_timeout`, as `db.connect` sets it."""

Place = tuple[str, Key]
"""A row: its table and its primary key."""


class Database:
    """What is committed, and who holds what."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.tables: dict[str, dict[Key, Row]] = {name: {} for name in SHAPES}
        self.indexes: dict[str, dict[Key, Key]] = {
            index: {} for shape in SHAPES.values() for index in shape.uniques
        }
        self.holders: dict[Place, Transaction] = {}
        self.inserting: dict[tuple[str, Key], Transaction] = {}
        self.last_number = 0
        self.on_notify: Callable[[str], None] = lambda _: None

    def next_number(self) -> int:
        """Of `outbox_id_seq`; no rollback gives it back."""
        self.last_number += 1
        return self.last_number

    def begin(self) -> "Transaction":
        return Transaction(self)

    def apply(self, changes: dict[str, dict[Key, Row | None]]) -> None:
        for table, rows in changes.items():
            stored, uniques = self.tables[table], SHAPES[table].uniques
            for key in rows:
                if (old := stored.get(key)) is not None:
                    for index, columns in uniques.items():
                        self.indexes[index].pop(value_in(old, columns), None)
            for key, row in rows.items():
                if row is None:
                    stored.pop(key, None)
                    continue
                stored[key] = row
                for index, columns in uniques.items():
                    value = value_in(row, columns)
                    if None not in value:
                        self.indexes[index][value] = key


class Transaction:
    """One at work. kill: makes whatever it waits for end with this error."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = database.now()
        self.is_over = False
        self.has_failed = False
        self.changes: dict[str, dict[Key, Row | None]] = {}
        self.notifies: dict[str, None] = {}
        self._held: list[Place] = []
        self._inserted: list[tuple[str, Key]] = []
        self.ended: list[asyncio.Future[None]] = []
        self.waits_for: Transaction | None = None
        self._waiting: asyncio.Future[None] | None = None

    # What it sees

    def rows(self, table: str) -> Iterable[Row]:
        """All rows of a table, the way it sees them."""
        stored = self.database.tables[table]
        changed = self.changes.get(table)
        if not changed:
            return list(stored.values())
        merged = {**stored, **changed}
        return [row for row in merged.values() if row is not None]

    def find(self, table: str, key: Key) -> Row | None:
        changed = self.changes.get(table)
        if changed is not None and key in changed:
            return changed[key]
        return self.database.tables[table].get(key)

    def find_by(self, table: str, index: str, value: Key) -> Row | None:
        """The row with these unique values."""
        columns = SHAPES[table].uniques[index]
        for row in (self.changes.get(table) or {}).values():
            if row is not None and value_in(row, columns) == value:
                return row
        key = self.database.indexes[index].get(value)
        row = None if key is None else self.find(table, key)
        return row if row is not None and value_in(row, columns) == value else None

    # What it holds

    async def lock(self, table: str, key: Key) -> Row | None:
        """Hold a row, waiting for whoever does; as it is then, None where it is gone."""
        while not self.lock_free(table, key):
            await self._wait_for(self.database.holders[table, key])
        return self.find(table, key)

    def lock_free(self, table: str, key: Key) -> bool:
        """Hold a row unless somebody else does, which SKIP LOCKED passes over."""
        assert not self.is_over
        place = (table, key)
        holder = self.database.holders.get(place)
        if holder is None:
            self.database.holders[place] = self
            self._held.append(place)
            return True
        return holder is self

    # What it does

    async def insert(self, table: str, row: Row) -> None:
        """Raises UniqueViolationError, perhaps after waiting for who inserts the same."""
        if not await self.insert_new(table, row):
            raise violated(table)

    async def insert_new(self, table: str, row: Row) -> bool:
        """Insert unless it is there already, which ON CONFLICT DO NOTHING passes over."""
        shape = SHAPES[table]
        for index, columns in shape.uniques.items():
            value = value_in(row, columns)
            if None not in value and not await self._claim(table, index, value):
                return False
        self.put(table, shape.key_of(row), row)
        return True

    async def update(self, table: str, key: Key, **values: Any) -> None:  # noqa: ANN401  of columns
        """Change a row that it holds."""
        found = self.find(table, key)
        assert found is not None
        for index, columns in SHAPES[table].uniques.items():
            if not values.keys() & set(columns):
                continue
            value = value_in(found | values, columns)  # type: ignore[operator] # rows are dicts
            is_new = value != value_in(found, columns) and None not in value
            if is_new and not await self._claim(table, index, value):
                raise violated(table)
        self.put(table, key, {**found, **values})

    def put(self, table: str, key: Key, row: Row | None) -> None:
        self.lock_free(table, key)
        self.changes.setdefault(table, {})[key] = row

    async def delete(self, table: str, key: Key) -> bool:
        if await self.lock(table, key) is None:
            return False
        self.put(table, key, None)
        return True

    async def _claim(self, table: str, index: str, value: Key) -> bool:
        """Make a unique value ours; False where somebody's row has it."""
        database = self.database
        while True:
            if self.find_by(table, index, value) is not None:
                holder = database.holders.get((table, database.indexes[index].get(value, ())))
                if holder is None or holder is self or not holder.has_changed(table, index, value):
                    return False
                await self._wait_for(holder)
                continue
            inserter = database.inserting.get((index, value))
            if inserter is None or inserter is self:
                database.inserting[index, value] = self
                self._inserted.append((index, value))
                return True
            await self._wait_for(inserter)

    def has_changed(self, table: str, index: str, value: Key) -> bool:
        """Whether its end decides on who has a committed value."""
        key = self.database.indexes[index].get(value)
        return key is not None and key in self.changes.get(table, {})

    # How it waits, and ends

    async def _wait_for(self, other: "Transaction") -> None:
        blocker: Transaction | None = other
        while blocker is not None:
            if blocker is self:
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            blocker = blocker.waits_for
        self.waits_for = other
        self._waiting = asyncio.get_running_loop().create_future()
        other.ended.append(self._waiting)
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                await self._waiting
        except TimeoutError:
            raise asyncpg.QueryCanceledError(
                "canceling statement due to statement timeout"
            ) from None
        finally:
            self.waits_for = self._waiting = None
        if self.is_over:  # its session ended in the moment in which the other's did
            raise asyncpg.ConnectionDoesNotExistError("the session is over")

    def commit(self) -> None:
        self.database.apply(self.changes)
        self._end()
        for channel in self.notifies:
            self.database.on_notify(channel)

    def roll_back(self, reason: BaseException | None = None) -> None:
        """reason: what a statement that waits is told."""
        waiting = self._waiting
        if reason is not None and waiting is not None and not waiting.done():
            waiting.set_exception(reason)
        self._end()

    def _end(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        for place in self._held:
            del self.database.holders[place]
        for claimed in self._inserted:
            self.database.inserting.pop(claimed, None)
        for waiter in self.ended:
            if not waiter.done():
                waiter.set_result(None)


def value_in(row: Row, columns: tuple[str, ...]) -> Key:
    return tuple([row[name] for name in columns])


def violated(table: str) -> asyncpg.UniqueViolationError:
    error = asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    error.table_name = table
    return error
