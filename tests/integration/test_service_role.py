"""The role that the service is given may do all that batches and sweeps do."""

import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from aiokafka import TopicPartition

from consumer.lost_positions import LostPositions
from consumer.metrics import Metrics
from db import migrate, parked
from db.connect import connect
from handlers.batch import Entry
from handlers.outcomes import Rules
from tests.integration.batch_stage import BatchStage, staged, tally
from tests.records import asked, broken, customer_change, partner_change
from tests.scenarios.messages import party_id

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[BatchStage]:
    """Batches under the role that `ticketing migrate --grant-to` has made the service's."""
    role, password = f"ticketing_test_{secrets.token_hex(6)}", secrets.token_hex(8)
    owner = await connect(database_url)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    await migrate.upgrade(database_url, grant_to=role)
    parts = urlsplit(database_url)
    address = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=f"{role}:{password}@{address}").geturl()
    async with staged(url, is_new=True) as ready:
        yield ready
    await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await owner.close()


@pytest.mark.parametrize("copy_from", [0, 1_000_000])
async def test_batches_and_sweeps_need_no_other_right(
    stage: BatchStage, database_url: str, copy_from: int
) -> None:
    names = "abc"
    await stage.settle([customer_change(name, external_id=n) for n, name in enumerate(names)])
    swapped = [
        customer_change(name, external_id=2 - n, tier="gold") for n, name in enumerate(names)
    ]
    assert await stage.settle([*swapped, partner_change("Cable & Co")]) == ["changed"] * 4
    batch: list[Entry] = [
        asked(1, 1, customer_id=party_id("a")),
        asked(2, 2, target_type="platform"),
        asked(3, 3, customer_id=party_id("late")),
        asked(4, 4, customer_id=party_id("late")),
        broken(5),
    ]
    found = await stage.settle(batch, copy_from=copy_from)
    assert found == ["created", "rejected", "parked", "parked", "dead_lettered"]
    assert await stage.settle([asked(2, 9, customer_id=party_id("a"))]) == ["created"]
    off = Rules(customers_required=False)
    assert await stage.settle([asked(5, 10, customer_id=party_id("new"))], rules=off) == ["created"]

    owner = await connect(database_url)
    await owner.execute("UPDATE parked_requests SET value = 'x' WHERE \"offset\" = 4")
    await owner.close()
    await stage.settle([customer_change("late")])
    stage.forget()
    await stage.sweep()
    (handled,) = stage.recorder.handled
    assert (len(handled.decisions), len(handled.dead)) == (1, 1)
    assert tally(row[0] for row in await stage.ask("SELECT outcome FROM requests")) == {
        "created": 4
    }
    assert stage.retries == 0


async def test_it_may_note_where_reading_stands(stage: BatchStage) -> None:
    async with stage.transaction() as connection:
        for position in (5, 9):
            await parked.record_positions(connection, [("customer.changed", 0, position)])
    lost = LostPositions(stage.pool, stage.dependencies, Metrics(), "group")
    await lost.report(TopicPartition("ticket.requested", 0), 77, 0)
    assert await stage.count("lost_positions") == 1
    assert stage.retries == 0
