"""Portions of a replay on real PostgreSQL: bad records, lost commits, and other hands."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest
from aiokafka import TopicPartition

from consumer.bookmarks import Bookmarks, RememberedBookmarks, StoredBookmarks
from consumer.replay_batch import ReplayBatches
from consumer.replay_lane import Item, Portion
from db import letter_steps, replays
from db.replays import Position
from handlers.again import decide_again
from handlers.batch import Entry
from handlers.record import coordinates
from tests.integration.batch_stage import BatchStage, WatchedPool, staged
from tests.records import asked, broken, customer_change, some_id

pytestmark = pytest.mark.integration

REPLAY: Final = "5b0f4b54-0000-4000-8000-000000000000"
PLACE: Final = TopicPartition("ticket.requested", 0)


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows Anna, and of a replay of a hundred offsets."""
    async with staged(module_database) as ready:
        await ready.ask("TRUNCATE dead_letter_steps, replays, replay_positions")
        await ready.know("Anna")
        async with ready.transaction() as connection:
            await replays.add(connection, REPLAY, {}, "ops", [at(0)])
        yield ready


def batches(
    stage: BatchStage,
    pool: Any = None,  # noqa: ANN401  a pool of any kind
    bookmarks: Bookmarks | None = None,
    *,
    retry_rejected: bool = False,
) -> ReplayBatches:
    return ReplayBatches(
        pool or stage.watched,
        stage.dependencies,
        stage.setting,
        bookmarks or StoredBookmarks(REPLAY),
        actor="ops",
        retry_rejected=retry_rejected,
        on_moved=lambda _: None,
    )


def at(next_offset: int, counts: Mapping[str, int] | None = None) -> Position:
    return Position("ticket.requested", 0, next_offset, 100, counts or {})


def portion(*entries: Entry, next_offset: int = 0) -> Portion:
    """Of these alone, up to the offset behind the last."""
    items = []
    for entry in entries:
        assert entry.record is not None
        items.append(Item(entry, entry.record.offset + 1, 1))
    end = next_offset or items[-1].next_offset
    return Portion(PLACE, [*items[:-1], items[-1]._replace(next_offset=end)], end, len(items))


async def position(stage: BatchStage) -> Position:
    async with stage.transaction() as connection:
        (found,) = await replays.positions(connection, REPLAY)
        return found


async def test_the_position_moves_with_what_was_decided(stage: BatchStage) -> None:
    replay = batches(stage)
    await replay.settle(portion(asked(1, 3), asked(1, 4), broken(7), next_offset=20))
    counts = {"scanned": 3, "matched": 3, "created": 1, "duplicate": 1, "dead_lettered": 1}
    assert replay.tally.counts == counts
    assert await position(stage) == at(20, counts)
    await replay.settle(Portion(PLACE, [], 50, 30))
    counts["scanned"] = 33
    assert await position(stage) == at(50, counts)
    assert await stage.count("tickets") == 1
    assert await stage.count("outbox") == 1


@pytest.mark.parametrize("bad", [0, 3, 6])
async def test_a_bad_record_is_found_and_each_part_moves_the_position(
    stage: BatchStage, bad: int
) -> None:
    stage.watched.poison = "poison"
    entries = [asked(n, n, title="A poison" if n == bad else "No light") for n in range(7)]
    replay = batches(stage)
    await replay.settle(portion(*entries, next_offset=9))
    assert replay.tally.counts == {
        "scanned": 7,
        "matched": 7,
        "created": 6,
        "dead_lettered": 1,
    }
    assert await position(stage) == at(9, dict(replay.tally.counts))
    assert await stage.ask('SELECT "offset" FROM dead_letters') == [(bad,)]


async def test_a_letter_that_fails_by_itself_stays_as_it_is(stage: BatchStage) -> None:
    await stage.settle([broken(0)])
    stage.watched.poison = "poison"
    replay = batches(stage)
    await replay.settle(portion(asked(1, 0, title="A poison"), asked(2, 1)))
    assert replay.tally.counts["still_failing"] == 1
    assert replay.tally.counts["created"] == 1
    assert [each.outcome for each in replay.tally.news] == ["still_failing", "created"]
    assert await stage.ask("SELECT state, attempts FROM dead_letters") == [("dead", 1)]
    assert await stage.count("dead_letter_steps") == 0


class LosesCommits:
    """A pool whose connections break just after their first commits, before anybody hears of it."""

    def __init__(self, pool: asyncpg.Pool, times: int) -> None:
        self._pool = pool
        self.left = times

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            yield _Losing(connection, self)


class _Losing:
    def __init__(self, connection: asyncpg.Connection, pool: LosesCommits) -> None:
        self._connection = connection
        self._pool = pool

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a connection has
        return getattr(self._connection, name)

    async def execute(self, statement: str, *arguments: object) -> str:
        status: str = await self._connection.execute(statement, *arguments)
        if statement == "COMMIT" and self._pool.left:
            self._pool.left -= 1
            raise ConnectionResetError("cut off")
        return status


async def test_what_was_committed_unheard_is_counted_once(stage: BatchStage) -> None:
    replay = batches(stage, LosesCommits(stage.pool, 2))
    await replay.settle(portion(asked(1, 0), asked(2, 1)))
    await replay.settle(Portion(PLACE, [], 50, 48))
    assert await position(stage) == at(50, {"scanned": 50, "matched": 2, "created": 2})


async def test_what_was_halved_and_cut_off_is_counted_once(stage: BatchStage) -> None:
    """The first parts are committed, then the database goes away: they are not handed over anew."""
    stage.watched.poison = "poison"
    entries = [asked(n, n, title="A poison" if n == 5 else "No light") for n in range(8)]
    tries = 0

    async def cut_off(said: str) -> None:
        nonlocal tries
        tries += said.count("UPDATE replay_positions")
        if tries == 3:
            tries += 1
            raise ConnectionResetError("cut off")

    stage.watched.before = cut_off
    replay = batches(stage)
    await replay.settle(portion(*entries))
    assert tries > 4
    counts = {"scanned": 8, "matched": 8, "created": 7, "dead_lettered": 1}
    assert await position(stage) == at(8, counts)
    assert replay.tally.counts == counts


async def test_two_that_carry_on_one_replay_count_every_record_once(stage: BatchStage) -> None:
    parts = [portion(*(asked(n, n) for n in range(at, at + 10))) for at in range(0, 100, 10)]
    other = [portion(*(asked(n, n) for n in range(at, at + 20))) for at in range(0, 100, 20)]

    async def run(portions: Sequence[Portion]) -> None:
        replay = batches(stage, WatchedPool(stage.pool))
        for each in portions:
            await replay.settle(each)

    await asyncio.gather(run(parts), run(other))
    counts = {"scanned": 100, "matched": 100, "created": 100}
    assert await position(stage) == at(100, counts)


async def test_a_dry_run_counts_the_parts_of_a_bad_batch_once(stage: BatchStage) -> None:
    stage.watched.poison = "poison"
    entries = [asked(n, n, title="A poison" if n == 5 else "No light") for n in range(8)]
    replay = batches(stage, bookmarks=RememberedBookmarks({PLACE: 0}))
    await replay.settle(portion(*entries))
    assert replay.tally.counts == {"scanned": 8, "matched": 8, "created": 7, "dead_lettered": 1}
    assert await stage.counts() == {"customers": 1}
    assert (await position(stage)).next_offset == 0


async def test_who_waits_for_a_letter_finds_it_resolved(stage: BatchStage) -> None:
    """An operator redrives it in a transaction that is still open: the replay waits, then looks."""
    await stage.settle([broken(0)])
    locked, done = asyncio.Event(), asyncio.Event()

    async def redrive() -> None:
        async with stage.transaction() as connection:
            await connection.execute("UPDATE dead_letters SET state = 'discarded'")
            locked.set()
            await done.wait()

    replay = batches(stage)
    waits = asyncio.Event()

    async def note(said: str) -> None:
        if "FOR UPDATE" in said and "dead_letters" in said:
            waits.set()

    stage.watched.before = note
    async with asyncio.TaskGroup() as group:
        group.create_task(redrive())
        await locked.wait()
        group.create_task(replay.settle(portion(asked(1, 0))))
        await waits.wait()
        done.set()
    assert replay.tally.counts == {"scanned": 1, "matched": 1, "duplicate": 1}
    assert await stage.count("tickets") == 0


async def test_a_letter_that_was_parked_and_then_refused_is_retried(stage: BatchStage) -> None:
    """Its row says parked for good; what became of it since is in `requests`."""
    ben = asked(1, 0, customer_id=some_id("Ben"))
    assert ben.record is not None
    place = coordinates(ben.record)
    await stage.settle([broken(0)])
    async with stage.transaction() as connection:
        await letter_steps.lock(connection, [place])
        await decide_again(connection, [ben], [place], stage.setting, actor="ops", state="redriven")

    async def retried() -> dict[str, int]:
        replay = batches(stage, bookmarks=StoredBookmarks(REPLAY), retry_rejected=True)
        await stage.ask("UPDATE replay_positions SET next_offset = 0, counts = '{}'")
        await replay.settle(portion(ben))
        return dict(replay.tally.counts)

    assert await retried() == {"scanned": 1, "matched": 1, "duplicate": 1}, "it still waits"
    await stage.sweep()
    await stage.ask("UPDATE parked_requests SET grace_started_at = now() - interval '1 day'")
    await stage.sweep()
    assert await retried() == {"scanned": 1, "matched": 1, "still_rejected": 1}
    await stage.settle([customer_change("Ben", 9, customer_id=some_id("Ben"))])
    assert await retried() == {"scanned": 1, "matched": 1, "created": 1, "resolved_letters": 1}
    (row,) = await stage.ask("SELECT state, outcome FROM dead_letters")
    assert tuple(row) == ("resolved_by_replay", "created")
    assert await retried() == {"scanned": 1, "matched": 1, "duplicate": 1}
