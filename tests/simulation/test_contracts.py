"""The fakes do what the real servers do: the same calls have the same visible results."""

import asyncio
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

import asyncpg
import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition, errors

from consumer.transaction import NotCommitted, transaction
from db import lease, outbox, requests, tables, tickets
from db.bulk import Rows, copy, insert
from handlers.batch import Entry, Handled, Setting, handle
from handlers.outcomes import Rules, outcome_of
from handlers.written import REQUEST_COLUMNS
from tests.records import asked, broken, customer_change, wanted
from tests.scenarios.messages import NORTH
from tests.simulation.stands import Fakes, Real, started

pytestmark = pytest.mark.integration

OUTBOX: Final = ("id", "facts", "created_at")
AT: Final = "2026-03-01T12:00:00+00:00"
SETTING: Final = Setting(Rules(), "group")

Stand = Fakes | Real


@pytest.fixture(params=["fake", "real"])
def stand(
    request: pytest.FixtureRequest, database_url: str, kafka: str, topic_prefix: str
) -> Stand:
    return Fakes() if request.param == "fake" else Real(database_url, kafka, topic_prefix)


def announced(number: int) -> list[Rows]:
    return [Rows(tables.outbox, OUTBOX, [(str(number), "1", AT)])]


@pytest.mark.parametrize("is_kept", [True, False])
def test_who_inserts_the_same_key_waits_for_who_was_first(stand: Stand, *, is_kept: bool) -> None:
    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        async def second() -> str | None:
            async with transaction(pool) as connection:
                await insert(connection, announced(7))
            return None

        async def first() -> asyncio.Task[Any]:
            async with transaction(pool) as connection:
                await insert(connection, announced(7))
                waiting = asyncio.create_task(second())
                await asyncio.wait({waiting}, timeout=0.2)
                assert not waiting.done()
                if not is_kept:
                    raise LookupError(waiting)
            return waiting

        try:
            waiting = await first()
        except LookupError as error:
            waiting = error.args[0]
        try:
            return await waiting
        except asyncpg.UniqueViolationError as error:
            return error.sqlstate, error.table_name

    assert stand.on_pool(play) == (("23505", "outbox") if is_kept else None)


def test_a_failed_transaction_takes_nothing_more_and_is_not_committed(stand: Stand) -> None:
    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        found: list[object] = []
        with suppress(NotCommitted):
            async with transaction(pool) as connection:
                await insert(connection, announced(1))
                for _ in range(2):
                    try:
                        await insert(connection, announced(1))
                    except asyncpg.PostgresError as error:
                        found.append(error.sqlstate)
            found.append("committed")
        async with transaction(pool) as connection:
            return found, [row.id for row in await outbox.claim(connection, limit=5)]

    assert stand.on_pool(play) == (["23505", "25P02"], [])


def test_numbers_are_not_given_back_and_time_stands_still(stand: Stand) -> None:
    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        numbers, times = [], []
        for fails in (True, False):
            with suppress(LookupError):
                async with transaction(pool) as connection:
                    for _ in range(2):
                        now, number = await outbox.open_write(connection)
                        numbers.append(number)
                        times.append(now)
                    if fails:
                        raise LookupError
        steps = [later - earlier for earlier, later in pairwise(numbers)]
        return steps, times[0] == times[1], times[1] < times[2]

    assert stand.on_pool(play) == ([1, 1, 1], True, True)


def test_rows_come_in_the_same_by_copy_and_by_insert(stand: Stand) -> None:
    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        async with transaction(pool) as connection:
            await insert(connection, announced(3))
            await copy(connection, announced(2)[0])
            seen = [row[:4] for row in await outbox.claim(connection, limit=5)]
            await outbox.delete(connection, [3, 4])
        async with transaction(pool) as connection:
            return seen, [row.id for row in await outbox.claim(connection, limit=5)]

    assert stand.on_pool(play) == ([(2, 1, 0, 0), (3, 1, 0, 0)], [2])


def test_a_lease_has_one_holder_and_a_fence_that_rises(stand: Stand) -> None:
    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        async with pool.acquire() as connection:
            first = await lease.acquire(connection, "relay", "a", seconds=60)
            assert first is not None
            second = await lease.acquire(connection, "relay", "b", seconds=60)
            await lease.renew(connection, first, seconds=60)
            await lease.release(connection, first)
            third = await lease.acquire(connection, "relay", "b", seconds=60)
            assert third is not None
            lost = []
            for ask in (
                lease.renew(connection, first, seconds=60),
                lease.confirm(connection, first),
            ):
                try:
                    await ask
                except lease.LeaseLost:
                    lost.append(True)
            return first.fence, second, third.fence, lost

    assert stand.on_pool(play) == (1, None, 2, [True, True])


async def told(connection: Any, handled: Handled) -> list[str]:  # noqa: ANN401  a connection
    """What became of each record, and the facts that are in the outbox for it."""
    outcomes = [outcome_of(decision).value for decision in handled.decisions]
    outcomes += [f"dead {each.error_class}" for each in handled.dead]
    outcomes += [f"party {outcome}" for _, outcome in handled.parties]
    numbers = [] if handled.outbox_id is None else [handled.outbox_id]
    facts = await outbox.facts_of(connection, numbers) if numbers else []
    return [*outcomes, *(f"{row['ce_type']} {row['sequence']} {row['key']!r}" for row in facts)]


def test_batches_have_the_same_outcomes_rows_and_facts(stand: Stand) -> None:
    opened = asked(1)
    batches: list[list[Entry]] = [
        [customer_change("Anna"), asked(1, 0), asked(2, 1, target_type="platform"), broken(2)],
        [asked(1, 3), asked(2, 1), asked(3, 4, customer_id=asked(9).request_key), broken(2)],
        [
            wanted("set_status", opened.ticket_id, 0, status="in_progress"),
            wanted("add_message", opened.ticket_id, 1, body="Still nothing."),
            wanted("set_priority", asked(8).ticket_id, 2, priority="high"),
        ],
    ]

    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        found: list[Any] = []
        for batch in batches:
            async with transaction(pool) as connection:
                found.append(await told(connection, await handle(connection, batch, SETTING)))
        async with transaction(pool) as connection:
            rows = await tickets.lock(connection, [(NORTH, opened.ticket_id)], [])
            found.append([(row[3], row[4], row["sequence"], row["context"]) for row in rows])
        return found

    created = f"ticket.created 1 {opened.ticket_id.encode()!r}"
    found = stand.on_pool(play)
    assert isinstance(found, list)
    assert found[0][:4] == ["created", "rejected", "dead NotJson", "party changed"]
    assert created in found[0]
    assert sorted(found[1]) == ["duplicate", "duplicate", "parked"]
    assert found[2][:3] == ["changed", "changed", "rejected"]
    assert [fact.split()[:2] for fact in found[2][3:]][-2:] == [
        ["ticket.status_changed", "2"],
        ["ticket.message_added", "3"],
    ]
    assert found[3] == [("in_progress", "normal", 3, "{}")]


def test_a_lock_waits_and_sees_what_was_written_and_others_pass_over(stand: Stand) -> None:
    opened = asked(1)
    key = (NORTH, opened.ticket_id)

    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        async with transaction(pool) as connection:
            await handle(connection, [customer_change("Anna"), opened], SETTING)

        async def second() -> int:
            async with transaction(pool) as connection:
                (row,) = await tickets.lock(connection, [key], [])
                return int(row["sequence"])

        async with transaction(pool) as connection:
            await tickets.lock(connection, [key], [])
            async with transaction(pool) as other:
                passed_over = len(await tickets.lock_free(other, [key]))
            waiting = asyncio.create_task(second())
            await asyncio.wait({waiting}, timeout=0.2)
            columns = ("tenant_id", "id", "sequence")
            await tickets.update(connection, columns, [(*key, "5")])
        return passed_over, await waiting

    assert stand.on_pool(play) == (0, 5)


def test_an_identity_that_another_settled_is_left_alone(stand: Stand) -> None:
    refused = asked(1, target_type="platform")
    identity = (NORTH, refused.request_key, "request", "rejected", "stale", refused.ticket_id)
    row = (*identity, "ticket.requested", "0", "1", "1", AT)

    async def play(pool: Any) -> object:  # noqa: ANN401  a pool
        async with transaction(pool) as connection:
            await handle(connection, [refused], SETTING)

        async def second() -> str:
            async with transaction(pool) as connection:
                await requests.settle(connection, REQUEST_COLUMNS, [row])
            return "settled"

        async with transaction(pool) as connection:
            await requests.settle(connection, REQUEST_COLUMNS, [row])
            waiting = asyncio.create_task(second())
            await asyncio.wait({waiting}, timeout=0.2)
        try:
            return await waiting
        except requests.DecidedElsewhere:
            return "decided elsewhere"

    assert stand.on_pool(play) == "decided elsewhere"


class Assigned(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ANN401  partitions
        self.told.put_nowait(f"revoked {len(revoked)}")

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ANN401  partitions
        self.told.put_nowait(f"assigned {len(assigned)}")


async def read(consumer: Any, number: int) -> list[Any]:  # noqa: ANN401  a consumer
    """So many records."""
    found: list[Any] = []
    while len(found) < number:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            found += [(each.offset, each.key, each.value, tuple(each.headers)) for each in records]
    return found


async def send(producer: Any, topic: str, *values: bytes) -> str | int:  # noqa: ANN401  a producer
    """One batch; its first offset, or the name of the error."""
    await producer.client.set_topics([topic])
    builder = producer.create_batch()
    for value in values:
        headers = [("h", b"1"), ("h", None)]
        assert builder.append(timestamp=None, key=b"key", value=value, headers=headers) is not None
    builder.close()
    future = await producer.send_batch(builder, topic, partition=0)
    try:
        sent = await future
    except errors.KafkaError as error:
        return type(error).__name__
    return int(getattr(sent, "offset", sent))


def test_a_group_goes_on_where_it_committed(stand: Stand) -> None:
    async def play(topic: str, make_consumer: Any, make_producer: Any) -> object:  # noqa: ANN401  of clients
        place = TopicPartition(topic, 0)
        found: list[object] = []
        async with started(make_producer()) as producer:
            found += [await send(producer, topic, b"a", b"b"), await send(producer, topic, b"c")]
        for _ in range(2):
            consumer, listener = make_consumer(), Assigned()
            consumer.subscribe(topics=[topic], listener=listener)
            async with started(consumer):
                found += [await listener.told.get(), await listener.told.get()]
                if (committed := await consumer.committed(place)) is None:
                    with pytest.raises(errors.NoOffsetForPartitionError):
                        await read(consumer, 1)
                    await consumer.seek_to_beginning(place)
                found += [committed, await read(consumer, 1 if committed else 3)]
                found += [await consumer.position(place), await consumer.end_offsets([place])]
                await consumer.commit({place: 2})
                with pytest.raises(errors.IllegalStateError):
                    await consumer.commit({TopicPartition(topic, 1): 1})
                consumer.seek(place, 1)
                found.append([offset for offset, *_ in await read(consumer, 2)])
        return found

    first, second, *rest = _called_topic(stand.on_kafka(play))
    assert (first, second) == (0, 2)
    records = [
        (offset, b"key", value, (("h", b"1"), ("h", None)))
        for offset, value in enumerate((b"a", b"b", b"c"))
    ]
    joined = ["revoked 0", "assigned 1"]
    ends = {"topic:0": 3}
    assert rest == [
        *(*joined, None, records, 3, ends, [1, 2]),
        *(*joined, 2, records[2:], 3, ends, [1, 2]),
    ]


def _called_topic(found: Any) -> list[Any]:  # noqa: ANN401  as it was found
    """With offsets by partition, whatever the topic's prefix is."""
    return [
        {f"topic:{each.partition}": at for each, at in one.items()}
        if isinstance(one, dict)
        else one
        for one in found
    ]


def test_a_refused_batch_spoils_those_after_it(stand: Stand) -> None:
    async def play(topic: str, _: Any, make_producer: Any) -> object:  # noqa: ANN401  of clients
        async with started(make_producer()) as producer:
            return [
                await send(producer, topic, value) for value in (b"a", b"x" * 30_000, b"b", b"c")
            ]

    refused, spoiled = "MessageSizeTooLargeError", "OutOfOrderSequenceNumber"
    assert stand.on_kafka(play) == [0, refused, spoiled, spoiled]
