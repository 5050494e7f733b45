"""Customers and partners on real PostgreSQL: whoever applies them, the newest word stands."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from db import parties, tables
from handlers.batch import Entry, handle
from handlers.parties import PartyChange, apply_changes
from tests.integration.batch_stage import BatchStage, staged
from tests.integration.test_batch import until_waiting
from tests.records import NOON, asked, customer_change, customer_end, partner_change
from tests.scenarios.messages import ANNA, NORTH, party_id

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    async with staged(module_database) as ready:
        yield ready


def at(minute: int) -> str:
    return (NOON + timedelta(minutes=minute)).isoformat()


def word(name: str, minute: int, offset: int = 0, **fields: Any) -> PartyChange:  # noqa: ANN401
    return customer_change(name, offset, updated_at=at(minute), **fields)


async def customers(stage: BatchStage) -> dict[str, tuple[int | None, str, datetime]]:
    """External id, status and age by name."""
    rows = await stage.ask("SELECT name, external_id, status, updated_at FROM customers")
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


async def test_a_customers_life(stage: BatchStage) -> None:
    assert await stage.settle([word("Anna", 1, external_id=7, tier="gold")]) == ["changed"]
    assert await stage.settle([asked(1), asked(2, 1, customer_id=7)]) == ["created"] * 2
    later = customer_end(ANNA, 2, timestamp=int((NOON + timedelta(minutes=2)).timestamp() * 1000))
    assert await stage.settle([later]) == ["changed"]
    ((row),) = await stage.ask("SELECT * FROM customers")
    assert (row["status"], row["external_id"], row["tier"]) == ("deleted", 7, "gold")
    assert await stage.settle([asked(3, 3), asked(4, 4, customer_id=7)]) == ["parked"] * 2
    assert await stage.settle([word("Anna", 1)]) == ["unchanged"]
    assert await stage.settle([word("Anna", 3), asked(5, 5)]) == ["changed", "created"]


async def test_the_customers_of_a_batch_are_known_to_its_requests(stage: BatchStage) -> None:
    batch: list[Entry] = [asked(1), asked(2, 1, customer_id=7), word("Anna", 1, 2, external_id=7)]
    assert await stage.settle(batch) == ["created", "created", "changed"]


async def test_the_same_word_again_writes_nothing(stage: BatchStage) -> None:
    words = [word(f"c{number}", 1, number, external_id=number) for number in range(50)]
    await stage.settle(words)
    before = await stage.ask("SELECT ctid::text, xmin::text FROM customers ORDER BY id")
    stage.forget()
    assert await stage.settle(words) == ["unchanged"] * 50
    assert await stage.ask("SELECT ctid::text, xmin::text FROM customers ORDER BY id") == before
    assert len(stage.watched.trips) == 4


async def test_external_ids_swap_and_rotate_in_one_batch(stage: BatchStage) -> None:
    await stage.settle([word(name, 1, external_id=number) for number, name in enumerate("abc")])
    await stage.settle(
        [word(name, 2, external_id=(number + 1) % 3) for number, name in enumerate("abc")]
    )
    found = await customers(stage)
    assert {name: found[name][0] for name in "abc"} == {"a": 1, "b": 2, "c": 0}


async def test_a_move_to_another_tenant_is_a_dead_letter(stage: BatchStage) -> None:
    await stage.settle([word("Anna", 1)])
    move = word("Anna", 2, 5, tenant_id="south")
    assert await stage.settle([move, word("Ben", 1, 6)]) == ["dead_lettered", "changed"]
    assert await stage.settle([move]) == ["duplicate"]
    ((row),) = await stage.ask("SELECT * FROM dead_letters")
    assert (row["error_class"], row["error_path"], row["tenant_id"]) == (
        "PartyMoved",
        "tenant_id",
        "south",
    )
    assert row["value"] == move.record.value if move.record else None
    assert NORTH not in row["error_message"]  # who owns it is nobody else's business
    assert (await stage.ask("SELECT tenant_id FROM customers WHERE id = $1", ANNA))[0][0] == NORTH


async def test_partners_are_kept_apart_from_customers(stage: BatchStage) -> None:
    await stage.settle([partner_change("Anna", 0), word("Anna", 1, 1)])
    assert (await stage.count("partners"), await stage.count("customers")) == (1, 1)


async def test_a_new_customer_that_two_workers_announce_ends_as_the_newer_says(
    stage: BatchStage,
) -> None:
    """The older word is written second, by a worker that saw nobody there when it looked."""
    async with stage.transaction() as first:
        await apply_changes(first, [word("Anna", 5, status="suspended")])
        second = asyncio.create_task(stage.settle([word("Anna", 1, 1)]))
        await until_waiting(stage)
    assert await second == ["unchanged"]
    assert (await customers(stage))["Anna"][1] == "suspended"
    assert stage.retries == 0


async def test_an_external_id_that_two_workers_give_away_has_one_owner(stage: BatchStage) -> None:
    async with stage.transaction() as first:
        await apply_changes(first, [word("Anna", 5, external_id=7)])
        second = asyncio.create_task(stage.settle([word("Ben", 1, 1, external_id=7)]))
        await until_waiting(stage)
    assert await second == ["changed"]
    found = await customers(stage)
    assert (found["Anna"][0], found["Ben"][0]) == (7, None)
    assert await stage.count("dead_letters") == 0


async def test_customers_do_not_wait_for_their_tickets(stage: BatchStage) -> None:
    await stage.settle([word("Anna", 1, external_id=7)])
    async with stage.transaction() as writing:
        await handle(writing, [asked(1)], stage.setting)
        async with asyncio.timeout(20):
            assert await stage.settle([word("Anna", 2, 1, external_id=7, tier="gold")]) == [
                "changed"
            ]
    assert await stage.count("tickets") == 1


async def test_tickets_do_not_wait_for_their_customers(stage: BatchStage) -> None:
    await stage.settle([word("Anna", 1, external_id=7)])
    await stage.know_partner("Cable & Co")
    async with stage.transaction() as applying:
        changes = [
            word("Anna", 2, external_id=7, status="suspended"),
            partner_change("Cable & Co", tier="gold"),
        ]
        await apply_changes(applying, changes)
        request = asked(
            1, partner_id=party_id("Cable & Co"), origin_type="tenant", target_type="partner"
        )
        async with asyncio.timeout(20):
            assert await stage.settle([request]) == ["created"]


@pytest.mark.parametrize("seed", range(5))
async def test_concurrent_workers_end_as_one_would(stage: BatchStage, seed: int) -> None:
    """Three workers apply overlapping stretches of one history, as after a rebalance."""
    chance = random.Random(seed)  # noqa: S311  no secret
    history = [
        word(
            f"c{chance.randrange(12)}",
            offset,
            offset,
            external_id=chance.choice([None, 1, 2, 3, 4]),
            status=chance.choice(["active", "suspended"]),
        )
        for offset in range(60)
    ]
    sizes = [chance.randint(3, 20) for _ in range(3)]
    await asyncio.gather(*(apply_in_parts(stage, history, size) for size in sizes))
    newest = {change.id: change.state for change in history}
    found = {row["id"]: row for row in await stage.ask("SELECT *, id::text FROM customers")}
    assert found.keys() == newest.keys()
    for who, state in newest.items():
        assert state is not None
        row = found[who]
        assert (row["status"], row["updated_at"]) == (state.status, state.updated_at)
        assert row["external_id"] in {None, state.external_id}
    for change in history[-1:]:
        assert change.state is not None
        assert found[change.id]["external_id"] == change.state.external_id
    assert await stage.count("dead_letters") == 0
    assert stage.retries == 0


async def apply_in_parts(stage: BatchStage, history: Sequence[PartyChange], size: int) -> None:
    for start in range(0, len(history), size):
        await stage.settle(history[start : start + size])


async def test_locks_are_taken_in_the_order_of_ids(stage: BatchStage) -> None:
    names = [f"c{number}" for number in range(9)]
    await stage.settle([word(name, 1, external_id=place) for place, name in enumerate(names)])
    async with stage.transaction() as connection:
        ids = sorted((party_id(name) for name in names[:5]), reverse=True)
        numbers = [(NORTH, number) for number in range(8, 3, -1)]
        rows = await parties.stored(connection, tables.customers, ids, numbers)
        found = [row["id"] for row in rows]
        assert found == sorted(party_id(name) for name in names)


async def test_the_state_that_is_read_is_the_state_that_was_written(stage: BatchStage) -> None:
    fields: dict[str, Any] = {"external_id": 2**63 - 1, "tier": "a\tb", "status": "New\\"}
    change = word("Anna", 1, **fields)
    await stage.settle([change])
    async with stage.transaction() as connection:
        (row,) = await parties.stored(connection, tables.customers, [ANNA], [])
    state = change.state
    assert state is not None
    assert {name: row[name] for name in parties.PARTY_COLUMNS} == {
        name: getattr(state, name) for name in parties.PARTY_COLUMNS
    }


async def test_numbers_given_to_customers_never_lock_their_tickets_out(stage: BatchStage) -> None:
    """Both in random orders: where a number were a key that tickets lock, they would deadlock."""
    chance = random.Random(1)  # noqa: S311  no secret
    names = [f"c{number}" for number in range(40)]
    await stage.settle([word(name, 1) for name in names])
    number = iter(range(10_000))

    async def give_numbers() -> None:
        for minute in range(2, 12):
            words = [word(name, minute, external_id=next(number)) for name in names]
            await stage.settle(chance.sample(words, 40))

    async def open_tickets(partition: int) -> None:
        for start in range(0, 400, 40):
            batch = [
                asked(f"{partition}-{start}-{name}", start, customer_id=party_id(name))
                for name in chance.sample(names, 40)
            ]
            await stage.settle(batch, copy_from=chance.choice([0, 1_000_000]))

    await asyncio.gather(give_numbers(), open_tickets(1), open_tickets(2))
    assert await stage.count("tickets") == 800
    assert stage.retries == 0


async def test_a_change_of_number_does_not_wait_for_a_ticket(stage: BatchStage) -> None:
    await stage.settle([word("Anna", 1, external_id=7)])
    async with stage.transaction() as writing:
        await handle(writing, [asked(1)], stage.setting)
        async with asyncio.timeout(20):
            assert await stage.settle([word("Anna", 2, 1, external_id=8)]) == ["changed"]
