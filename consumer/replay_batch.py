"""A portion of a replay: decided again and its position kept, in one transaction; halved if bad."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
from aiokafka import TopicPartition

from consumer.batch import broken_by, is_progress
from consumer.bisect import Bisector
from consumer.bookmarks import Bookmarks
from consumer.dependencies import Dependencies
from consumer.replay_lane import Item, Portion
from consumer.replay_tally import MATCHED, SCANNED, Tally, passed_over, tally_of
from consumer.transaction import RollBack, transaction
from db import letter_steps, outbox, replays, request_reading
from handlers.again import UNDECIDED, decide_again
from handlers.batch import Broken, Entry, Handled, Setting
from handlers.parties import PartyChange
from handlers.record import Coordinates, Record, coordinates
from schemas.vocabulary import Outcome

RESOLVED: Final = "resolved_by_replay"

CLOCKS_DIFFER_BY: Final = timedelta(minutes=1)
"""How far a producer's clock may be ahead of the database's."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a transaction did. handled: None where nothing was left to hand over."""

    tally: Tally = field(default_factory=Tally)
    handled: Handled | None = None


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters of a batch. again: to be decided once more; closed: they stay as they are."""

    again: Collection[Coordinates]
    closed: Collection[Coordinates]


class ReplayBatches:
    """Settles portions, however long the database takes to come back.

    on_moved: told how many offsets more are settled.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        dependencies: Dependencies,
        setting: Setting,
        bookmarks: Bookmarks,
        *,
        actor: str,
        retry_rejected: bool,
        on_moved: Callable[[int], None],
    ) -> None:
        self._pool = pool
        self._dependencies = dependencies
        # Nobody waits for a customer by a replay: who is unknown by now is unknown.
        self._setting = replace(setting, rules=replace(setting.rules, last_chance=True))
        self._bookmarks = bookmarks
        self._actor = actor
        self._retry_rejected = retry_rejected
        self._on_moved = on_moved
        self._bisector: Bisector[Item, Done] = Bisector(
            self._write, self._bury, _no_matter, _is_progress
        )
        self.tally = Tally()

    async def settle(self, portion: Portion) -> None:
        """Give every record of it its outcome. Cancel it to give up: what is committed stands."""
        if portion.items:
            await self._dependencies.retrying("database", self._bisector.settle, portion.items)
        else:
            await self._dependencies.retrying("database", self._pass_over, portion)

    async def _pass_over(self, portion: Portion) -> Done:
        """Nothing of it fits: only the position moves."""

        async def count(_: asyncpg.Connection, __: int) -> Done:
            done = Done()
            done.tally.counts[SCANNED] += portion.scanned
            return done

        return await self._commit(portion.partition, portion.next_offset, count)

    async def _write(self, items: Sequence[Item], someone_was_first: bool) -> Done:  # noqa: FBT001  as Bisector calls it
        setting = replace(self._setting, check_numbers=someone_was_first)

        async def decide(connection: asyncpg.Connection, at: int) -> Done:
            """Leave out what was settled before, perhaps in a commit whose end was not seen."""
            left = [item for item in items if item.next_offset > at]
            done = await self._decide(connection, [item.entry for item in left], setting)
            done.tally.counts[SCANNED] += sum(item.scanned for item in left)
            done.tally.counts[MATCHED] += len(left)
            return done

        last = items[-1]
        return await self._commit(_partition_of(last), last.next_offset, decide)

    async def _bury(self, item: Item, error: BaseException) -> Done:
        buried = item._replace(entry=broken_by(item.entry, error))
        return await self._write([buried], False)  # noqa: FBT003

    async def _commit(
        self,
        partition: TopicPartition,
        next_offset: int,
        decide: Callable[[asyncpg.Connection, int], Awaitable[Done]],
    ) -> Done:
        """Decide and move the bookmark together."""
        done, at = Done(), next_offset
        with suppress(RollBack):
            async with transaction(self._pool) as connection:
                at = await self._bookmarks.find(connection, partition)
                if at >= next_offset:
                    return done
                done = await decide(connection, at)
                await self._bookmarks.move(connection, partition, next_offset, done.tally.counts)
                if not self._bookmarks.leaves_traces:
                    raise RollBack
        self._bookmarks.moved(partition, next_offset)
        self.tally.add(done.tally)
        self._on_moved(next_offset - at)
        return done

    async def _decide(
        self, connection: asyncpg.Connection, entries: Sequence[Entry], setting: Setting
    ) -> Done:
        letters = await self._lock_letters(connection, entries)
        tally, left = await self._pass_settled_over(connection, entries, letters)
        if not left:
            return Done(tally)
        decided = await decide_again(
            connection,
            left,
            letters.again,
            setting,
            actor=self._actor,
            state=RESOLVED,
            retry_rejections=self._retry_rejected,
            keep_failures=False,
        )
        if decided.handled.outbox_id is not None:
            await outbox.notify(connection)
        tally.add(tally_of(decided, letters.again))
        return Done(tally, decided.handled)

    async def _lock_letters(
        self, connection: asyncpg.Connection, entries: Sequence[Entry]
    ) -> Letters:
        """Those of the records that are dead letters, locked in their order."""
        records = [_record_of(entry) for entry in entries]
        first, last = records[0], records[-1]
        kept = await replays.letters(
            connection, first.topic, first.partition, first.offset, last.offset
        )
        if not kept:
            return Letters((), ())
        mine = [coordinates(each) for each in records if (each.offset, each.timestamp) in kept]
        again: set[Coordinates] = set()
        closed: set[Coordinates] = set()
        for row in await letter_steps.lock(connection, mine):
            place: Coordinates = tuple(row)[:4]
            outcome = row["outcome"]
            if self._retry_rejected and outcome == Outcome.PARKED:  # and what became of it since
                outcome = await _own_outcome(connection, place)
            lives = is_open(row, outcome, retry_rejected=self._retry_rejected)
            (again if lives else closed).add(place)
        return Letters(again, closed)

    async def _pass_settled_over(
        self, connection: asyncpg.Connection, entries: Sequence[Entry], letters: Letters
    ) -> tuple[Tally, list[Entry]]:
        """Leave out whose outcome stands, where a batch would not see it; the rest is left.

        Those are parties' changes that were discarded, and records that can't be handled now and
        were decided when they could be: they never become dead letters.
        """
        tally = Tally()
        left: list[Entry] = []
        for entry in entries:
            place = coordinates(_record_of(entry))
            if isinstance(entry, PartyChange) and place in letters.closed:
                tally.add(passed_over(entry))
            elif isinstance(entry, Broken) and not (
                place in letters.again or place in letters.closed
            ):
                outcome = await _own_outcome(connection, place)
                if outcome is None:
                    left.append(entry)
                else:
                    is_failing = self._retry_rejected and outcome == Outcome.REJECTED
                    tally.add(passed_over(entry, is_failing=is_failing))
            else:
                left.append(entry)
        return tally, left


def is_open(
    letter: Any,  # noqa: ANN401  a row of letter_steps.lock
    outcome: str | None,
    *,
    retry_rejected: bool,
) -> bool:
    """Whether a dead letter is decided again. outcome: what its record is by now.

    What somebody discarded, or handled with another value than the record's, stays as it is.
    """
    is_retried = retry_rejected and outcome == Outcome.REJECTED
    match letter["state"]:
        case state if state in UNDECIDED:
            return True
        case "redriven":
            return is_retried and not letter["was_edited"]
        case state:
            return is_retried and state == RESOLVED


async def _own_outcome(connection: asyncpg.Connection, place: Coordinates) -> str | None:
    """What the record became when it could be read. An older topic's record is another."""
    topic, partition, offset, timestamp = place
    for decided in await request_reading.by_record(connection, topic, partition, offset):
        if _milliseconds(decided.decided_at + CLOCKS_DIFFER_BY) >= timestamp:
            return decided.outcome
    return None


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _is_progress(done: Done) -> bool:
    return done.handled is not None and is_progress(done.handled)


def _no_matter() -> None:
    """A batch was halved: nobody counts that here."""


def _partition_of(item: Item) -> TopicPartition:
    record = _record_of(item.entry)
    return TopicPartition(record.topic, record.partition)


def _record_of(entry: Entry) -> Record:
    if entry.record is None:
        message = "what was read from a topic has its record"
        raise AssertionError(message)
    return entry.record
