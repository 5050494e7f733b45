"""The life of a batch: looked up, decided and written in one transaction; then it is told."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import asyncpg

from consumer.bisect import Bisector
from consumer.dependencies import Dependencies
from consumer.telling import Telling
from consumer.writes import Writes
from db.errors import sqlstate
from handlers.batch import Broken, Entry, Handled, Setting, handle
from handlers.outcomes import Duplicate
from schemas.vocabulary import Outcome


class Batches:
    """Settles batches of entries, however long the database takes to come back."""

    def __init__(
        self,
        *,
        dependencies: Dependencies,
        telling: Telling,
        writes: Writes,
        setting: Callable[[], Setting],
        on_parties: Callable[[], None],
        on_settled: Callable[[Sequence[Handled]], None] = lambda _: None,
    ) -> None:
        self._dependencies = dependencies
        self._telling = telling
        self._writes = writes
        self._setting = setting
        self._on_parties = on_parties
        self._on_settled = on_settled
        self._bisector: Bisector[Entry, Handled] = Bisector(
            self._write, self._bury, telling.split, is_progress
        )

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Give every entry its outcome. Returns once they are committed; waits while it must.

        Cancel it to give up: what is committed stands, the rest is read again by the next owner.
        """
        started = perf_counter()
        handled: list[Handled] = await self._dependencies.retrying(
            "database", self._bisector.settle, entries
        )
        self._telling.tell(len(entries), handled, perf_counter() - started)
        self._on_settled(handled)

    async def _write(self, entries: Sequence[Entry], someone_was_first: bool) -> Handled:  # noqa: FBT001
        setting = self._setting()
        if someone_was_first:
            setting = replace(setting, check_numbers=True)

        async def work(connection: asyncpg.Connection) -> Handled:
            return await handle(connection, entries, setting)

        handled = await self._writes.write(work)
        if handled.parties:
            self._on_parties()
        return handled

    async def _bury(self, entry: Entry, error: BaseException) -> Handled:
        return await self._write([broken_by(entry, error)], False)  # noqa: FBT003


def is_progress(handled: Handled) -> bool:
    """Whether anything of it was not settled before."""
    return bool(
        handled.dead
        or any(outcome is Outcome.CHANGED for _, outcome in handled.parties)
        or not all(isinstance(decision, Duplicate) for decision in handled.decisions)
    )


def broken_by(entry: Entry, error: BaseException) -> Broken:
    """A record whose handling fails for a reason of its own.

    No message of the database's is kept: it may quote what the customer wrote.
    """
    if isinstance(entry, Broken):  # what could be read of it is what the database refuses
        return Broken(entry.record, entry.error_class, f"{entry.error_class}: can't be described")
    record = entry.record
    if record is None:
        raise error
    state = sqlstate(error)
    reason = f"SQLSTATE {state}" if state else type(error).__name__
    message = f"value: can't be handled ({reason}); expected a request that the database can hold"
    tenant_id = getattr(entry, "tenant_id", None)
    return Broken(record, type(error).__name__, message, tenant_id=tenant_id)
