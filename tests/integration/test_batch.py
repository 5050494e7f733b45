"""A batch on real PostgreSQL: one transaction, whoever else decides the same, whatever breaks."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from consumer.transaction import NotCommitted, RollBack, transaction
from handlers.batch import Broken, Entry, handle
from handlers.identity import ticket_number
from handlers.outcomes import Request, Rules
from tests.integration.batch_stage import BatchStage, dead_of, staged, tally
from tests.records import NOON_MS, asked, broken, customer_change, entry_of, stored
from tests.scenarios.messages import ANNA, NORTH, encoded, party_id, request

pytestmark = pytest.mark.integration

NOBODY = party_id("Nobody")
FORBIDDEN: dict[str, Any] = {"target_type": "platform"}
FAR: dict[str, Any] = {"copy_from": 1_000_000}


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows Anna."""
    async with staged(module_database) as ready:
        await ready.know("Anna")
        yield ready


def mixed() -> list[Entry]:
    """A record of every outcome but duplicate."""
    return [
        asked(1, 0),
        asked(2, 1, **FORBIDDEN),
        asked(3, 2, customer_id=NOBODY),
        broken(3),
        customer_change("Ben", 4),
    ]


def value_of(entry: Entry) -> bytes | None:
    assert entry.record is not None
    return entry.record.value


async def test_every_record_has_one_outcome(stage: BatchStage) -> None:
    expected = ["created", "rejected", "parked", "dead_lettered", "changed"]
    assert await stage.settle(mixed()) == expected
    assert await stage.counts() == {
        "tickets": 1,
        "ticket_messages": 1,
        "requests": 3,
        "ticket_facts": 2,
        "outbox": 1,
        "parked_requests": 1,
        "dead_letters": 1,
        "customers": 2,
    }
    ((facts, letters, number),) = await stage.ask("SELECT facts, dead_letters, id FROM outbox")
    assert (facts, letters) == (2, 1)
    assert await stage.count(f"ticket_facts WHERE outbox_id = {number}") == 2
    assert await stage.count(f"dead_letters WHERE outbox_id = {number}") == 1
    assert stage.parties_told == 2


async def test_the_same_records_again_change_nothing(stage: BatchStage) -> None:
    await stage.settle(mixed())
    before = await stage.counts()
    assert await stage.settle(mixed()) == ["duplicate"] * 4 + ["unchanged"]
    assert await stage.counts() == before


async def test_all_of_a_batch_stands_or_nothing(stage: BatchStage) -> None:
    """The connection is cut off before each round trip in turn, and the batch is done again."""
    await stage.settle(mixed())
    trips = len(stage.watched.trips)
    assert trips > 8
    for number in range(1, trips + 1):
        stage.forget()
        batch: list[Entry] = [
            asked(f"{number}-1", 100 * number),
            asked(f"{number}-2", 100 * number + 1, **FORBIDDEN),
            asked(f"{number}-3", 100 * number + 2, customer_id=NOBODY),
            broken(100 * number + 3),
            customer_change(f"Ben {number}", 100 * number + 4),
        ]
        before = await stage.counts()
        stage.watched.fail_at, stage.watched.error = number, ValueError("stop here")
        with pytest.raises(ValueError, match="stop here"):
            async with transaction(stage.watched) as connection:
                await handle_as_batches_do(connection, batch, stage)
        assert await stage.counts() == before
        stage.forget()
        stage.watched.fail_at, stage.watched.error = number, ConnectionResetError("cut off")
        expected = ["created", "rejected", "parked", "dead_lettered", "changed"]
        assert await stage.settle(batch) == expected
        stage.watched.fail_at = None
        assert await stage.counts() != before


async def handle_as_batches_do(
    connection: asyncpg.Connection, batch: Sequence[Entry], stage: BatchStage
) -> None:
    handled = await handle(connection, batch, stage.setting)
    if handled.outbox_id is not None:
        await connection.execute("NOTIFY ticketing_outbox")


@pytest.mark.parametrize("copy_from", [0, 1_000_000])
async def test_round_trips_are_counted(stage: BatchStage, copy_from: int) -> None:
    """Ordinary batches: nine round trips by COPY however large, and four by INSERT.

    Nobody's relay is here, which costs one more: its NOTIFY.
    """
    await stage.settle([asked(number, number) for number in range(1_000)], copy_from=copy_from)
    calls = [call for call, said in stage.watched.trips if "NOTIFY" not in said]
    if copy_from == 0:
        assert calls == ["execute", "fetchrow", *["copy_to_table"] * 6, "execute"]
    else:
        assert calls == ["execute", "fetchrow", "execute", "execute"]


async def test_a_repeated_batch_asks_once_and_writes_nothing(stage: BatchStage) -> None:
    batch = [asked(number, number) for number in range(100)]
    await stage.settle(batch)
    stage.forget()
    await stage.settle(batch)
    assert [call for call, _ in stage.watched.trips] == ["execute", "fetchrow", "execute"]


async def test_whoever_comes_second_finds_what_the_first_has_written(stage: BatchStage) -> None:
    batch = [asked(number, number) for number in range(30)]
    async with stage.transaction() as first:
        await handle_as_batches_do(first, batch[:10], stage)
        second = asyncio.create_task(stage.settle(batch))
        await until_waiting(stage)
        assert not second.done()
    assert tally(await second) == {"duplicate": 10, "created": 20}
    assert await stage.count("tickets") == 30


async def test_who_gives_up_leaves_it_to_the_second(stage: BatchStage) -> None:
    batch = [asked(number, number) for number in range(30)]
    with suppress(RollBack):
        async with stage.transaction() as first:
            await handle_as_batches_do(first, batch[:10], stage)
            second = asyncio.create_task(stage.settle(batch))
            await until_waiting(stage)
            raise RollBack
    assert tally(await second) == {"created": 30}


async def until_waiting(stage: BatchStage, count: int = 1) -> None:
    """Until so many sessions of this database wait for a lock."""
    question = """
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'
        """
    async with asyncio.timeout(20):
        while (await stage.ask(question))[0][0] < count:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("seed", range(6))
async def test_of_concurrent_batches_exactly_one_accepts_each_identity(
    stage: BatchStage, seed: int
) -> None:
    """Four workers, the same sixty identities in other orders, by COPY and by INSERT."""
    chance = random.Random(seed)  # noqa: S311  no secret
    offsets = iter(range(10_000))
    everything = []
    workers = []
    for _ in range(4):
        numbers = chance.sample(range(60), 60)
        batch = [asked(number, next(offsets)) for number in numbers]
        everything += batch
        size = chance.choice([7, 20, 60])
        parts = [batch[start : start + size] for start in range(0, 60, size)]
        workers.append(work(stage, parts, chance.choice([0, 1_000_000])))
    found = [outcome for part in await asyncio.gather(*workers) for outcome in part]
    assert tally(found) == {"created": 60, "duplicate": 180}
    assert await stage.count("tickets") == 60
    assert await stage.count("requests") == 60
    assert await stage.count("ticket_facts") == 60
    ((facts,),) = await stage.ask("SELECT sum(facts) FROM outbox")
    assert facts == 60
    assert stage.retries == 0  # nobody waited in a circle


async def work(stage: BatchStage, parts: list[list[Request]], copy_from: int) -> list[str]:
    found = []
    for part in parts:
        found += await stage.settle(part, copy_from=copy_from)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_rejected_identities_are_accepted_once_whoever_decides_them_anew(
    stage: BatchStage, seed: int
) -> None:
    await stage.settle([asked(number, number, **FORBIDDEN) for number in range(20)])
    chance = random.Random(seed)  # noqa: S311  no secret
    workers = []
    for worker in range(3):
        numbers = chance.sample(range(20), 20)
        batch = [
            asked(number, 1_000 * (worker + 1) + number, **chance.choice([{}, {}, FORBIDDEN]))
            for number in numbers
        ]
        workers.append(work(stage, [batch[:9], batch[9:]], 0))
    found = tally([outcome for part in await asyncio.gather(*workers) for outcome in part])
    tickets = await stage.count("tickets")
    assert found["created"] == tickets == await stage.count("requests WHERE outcome = 'created'")
    rejections = await stage.count("ticket_facts WHERE sequence = 0")
    assert found.get("rejected", 0) == rejections - 20
    assert sum(found.values()) == 60
    assert stage.retries == 0
    assert await stage.count("requests") == 20


async def test_a_record_that_was_rejected_is_a_duplicate_for_ever(stage: BatchStage) -> None:
    first, second, good = (
        asked(1, 0, **FORBIDDEN),
        asked(1, 1, **FORBIDDEN),
        asked(1, 2),
    )
    assert await stage.settle([first]) == ["rejected"]
    assert await stage.settle([second]) == ["rejected"]
    assert await stage.settle([first, second]) == ["duplicate"] * 2
    assert await stage.settle([good]) == ["created"]
    assert await stage.settle([first, second, good]) == ["duplicate"] * 3
    assert await stage.count("ticket_facts") == 3


async def test_a_number_that_is_taken_in_the_tenant_derives_the_next(stage: BatchStage) -> None:
    new = asked(1)
    taken = [ticket_number(new.ticket_id, attempt) for attempt in range(3)]
    for place, number in enumerate(taken):
        await stage.settle([asked(f"old-{place}", 10 + place)])
        await stage.ask(
            "UPDATE tickets SET ticket_number = $1 WHERE request_id = $2",
            number,
            f"request-old-{place}",
        )
    stage.forget()
    assert (
        await stage.settle([new, *(asked(number, number) for number in range(20, 50))])
        == ["created"] * 31
    )
    ((number,),) = await stage.ask("SELECT ticket_number FROM tickets WHERE id = $1", new.ticket_id)
    assert number == ticket_number(new.ticket_id, 3)
    ((fact,),) = await stage.ask(
        "SELECT ticket_number FROM ticket_facts WHERE subject_id = $1", new.ticket_id
    )
    assert fact == number
    assert stage.recorder.splits == 0


async def test_the_same_number_in_another_tenant_is_free(stage: BatchStage) -> None:
    await stage.know("Cora", tenant_id="south")
    await stage.settle([asked("old")])
    new = asked(1, 1, tenant_id="south", customer_id=party_id("Cora"))
    number = ticket_number(new.ticket_id)
    await stage.ask("UPDATE tickets SET ticket_number = $1", number)
    assert await stage.settle([new]) == ["created"]
    assert await stage.count(f"tickets WHERE ticket_number = '{number}'") == 2


@pytest.mark.parametrize("copy_from", [0, 1_000_000])
async def test_records_that_break_a_batch_are_dead_lettered_alone(
    stage: BatchStage, copy_from: int
) -> None:
    poisoned = set(range(13, 400, 60))
    stage.watched.poison = "smuggled"
    batch = [
        asked(number, number, description="smuggled" if number in poisoned else "It is dark.")
        for number in range(400)
    ]
    found = await stage.settle(batch, copy_from=copy_from)
    assert {place for place, outcome in enumerate(found) if outcome == "dead_lettered"} == poisoned
    assert tally(found) == {"created": 393, "dead_lettered": 7}
    begun = sum("BEGIN" in said for _, said in stage.watched.trips)
    assert begun <= 1 + 7 * (2 * 9 + 1)
    rows = await stage.ask('SELECT "offset", value, error_class FROM dead_letters ORDER BY 1')
    assert [row[0] for row in rows] == sorted(poisoned)
    assert [row[1] for row in rows] == [value_of(batch[place]) for place in sorted(poisoned)]
    assert {row[2] for row in rows} == {"CharacterNotInRepertoireError"}
    stage.watched.poison = None
    assert tally(await stage.settle(batch)) == {"duplicate": 400}


async def test_a_dead_letter_keeps_bytes_and_headers_untouched(stage: BatchStage) -> None:
    headers = [("é\udcff", b"\x00\xff"), ("", None), ("x", b""), ("x", b"2")]
    record = stored(b"\x00\xfe not json", 3, key=b"\xff", headers=headers, partition=2)
    entry = entry_of(record)
    assert isinstance(entry, Broken)
    await stage.settle([entry])
    ((row),) = await stage.ask("SELECT * FROM dead_letters")
    assert (row["key"], row["value"]) == (b"\xff", b"\x00\xfe not json")
    names = [name.decode("utf-8", "surrogateescape") for name in row["header_names"]]
    assert list(zip(names, row["header_values"], strict=True)) == headers
    place = (row["topic"], row["partition"], row["offset"], row["record_timestamp"])
    assert place == ("ticket.requested", 2, 3, NOON_MS)
    assert (row["state"], row["attempts"], row["group_id"]) == ("dead", 1, "group")


async def test_what_can_be_read_of_a_dead_letter_may_be_too_long_to_find_it_by(
    stage: BatchStage,
) -> None:
    """A request id beyond the size of an index row is left out; the record is kept all the same."""
    chance = random.Random(1)  # noqa: S311  no secret
    name = "".join(chr(chance.randrange(0x10000, 0x10FFFF)) for _ in range(1_000))
    entry = entry_of(stored(encoded(request(request_id=name)), 5))
    assert isinstance(entry, Broken)
    assert await stage.settle([asked(1), entry, asked(2, 1)]) == [
        "created",
        "dead_lettered",
        "created",
    ]
    ((request_id, value),) = await stage.ask("SELECT request_id, value FROM dead_letters")
    assert (request_id, value) == (None, value_of(entry))


async def test_dead_letters_are_kept_once_however_often_and_by_whom(stage: BatchStage) -> None:
    batch = [broken(offset) for offset in range(10)]
    twice = [*batch, *batch]
    found = await asyncio.gather(*(stage.settle(twice) for _ in range(3)))
    assert len(dead_of(stage.recorder.handled)) == 10
    assert {outcome for part in found for outcome in part} <= {"duplicate", "dead_lettered"}
    assert await stage.count("dead_letters") == 10
    ((announced,),) = await stage.ask("SELECT sum(dead_letters) FROM outbox")
    assert announced == 10


async def test_a_record_that_is_a_dead_letter_stays_one(stage: BatchStage) -> None:
    """Also where it could be read after all, say by a newer version."""
    new = asked(1, 5)
    await stage.settle([broken(5)])
    assert await stage.settle([new, asked(2, 6)]) == ["duplicate", "created"]
    remade = asked(1, 5, timestamp=NOON_MS + 1)
    assert await stage.settle([remade]) == ["created"]


async def test_a_customer_that_two_tenants_claim_at_once_belongs_to_one(
    stage: BatchStage,
) -> None:
    rules = Rules(customers_required=False)
    batches = [
        [
            asked(
                f"{tenant}-{number}",
                number,
                partition=place,
                tenant_id=tenant,
                customer_id=party_id(f"new-{number}"),
            )
            for number in range(12)
        ]
        for place, tenant in enumerate((NORTH, "south"))
    ]
    found = await asyncio.gather(*(stage.settle(batch, rules=rules) for batch in batches))
    assert tally([outcome for part in found for outcome in part]) == {"created": 12, "parked": 12}
    assert await stage.count("customers WHERE status = 'unverified'") == 12
    assert await stage.count("dead_letters") == 0


async def test_a_server_that_ends_the_session_only_delays_a_batch(stage: BatchStage) -> None:
    """Cut off at the first COPY, and at the COMMIT, whose outcome nobody knows."""
    for place, moment in enumerate(("COPY", "COMMIT")):
        struck: list[str] = []

        async def strike(said: str, moment: str = moment, struck: list[str] = struck) -> None:
            if not struck and (moment in said or (moment == "COPY" and "'tickets'" in said)):
                struck.append(said)
                await stage.ask(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()
                       AND state LIKE 'idle in transaction%'
                    """
                )

        stage.watched.before = strike
        batch = [asked(f"{moment}-{number}", 100 * place + number) for number in range(30)]
        await stage.settle(batch)
        assert struck
        assert await stage.count("tickets") == 30 * (place + 1)


async def test_a_batch_that_is_given_up_leaves_nothing_and_its_connection_works(
    stage: BatchStage,
) -> None:
    batch = [asked(number, number) for number in range(30)]
    async with stage.transaction() as first:
        await handle_as_batches_do(first, batch[:1], stage)
        second = asyncio.create_task(stage.settle(batch))
        await until_waiting(stage)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
    assert await stage.count("tickets") == 1
    assert tally(await stage.settle(batch)) == {"duplicate": 1, "created": 29}


async def test_a_failure_that_nobody_noticed_is_no_commit(stage: BatchStage) -> None:
    async def write_heedlessly() -> None:
        async with transaction(stage.pool) as connection:
            await connection.execute("INSERT INTO outbox VALUES (1, 1, 0, 0, now())")
            with suppress(asyncpg.DivisionByZeroError):
                await connection.execute("SELECT 1 / 0")

    with pytest.raises(NotCommitted):
        await write_heedlessly()
    assert await stage.count("outbox") == 0


async def test_a_batch_needs_no_right_to_copy(stage: BatchStage) -> None:
    found = await stage.settle([asked(number, number) for number in range(200)], **FAR)
    assert tally(found) == {"created": 200}
    assert not [call for call, _ in stage.watched.trips if call == "copy_to_table"]


async def test_a_ticket_refers_to_its_customer(stage: BatchStage) -> None:
    await stage.settle([asked(1)])
    ((customer_id, created_by),) = await stage.ask(
        "SELECT customer_id::text, created_by FROM tickets"
    )
    assert (customer_id, created_by) == (ANNA, ANNA)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await stage.ask("DELETE FROM customers WHERE id = $1", ANNA)
