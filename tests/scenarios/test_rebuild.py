"""Customers are put right while the service goes on, and nobody's news is lost for it."""

import asyncio
from pathlib import Path

from consumer import clients
from consumer.group_lag import committed_offsets
from consumer.scan import started
from tests.integration.ticketing_process import begun, end_of
from tests.scenarios.messages import customer, party_id
from tests.scenarios.world import World

CUSTOMERS = 300
DAY = "2026-01-01T00:00:00Z"


async def test_customers_are_put_right_under_a_running_service(
    world: World, tmp_path: Path
) -> None:
    """All of one age: the last record of each counts, whoever applied which of them when."""

    async def announce(version: str) -> None:
        await world.publish(
            *(
                customer(version, customer_id=party_id(f"c{number}"), updated_at=DAY)
                for number in range(CUSTOMERS)
            )
        )

    async with world.service() as service:
        await announce("first")
        await world.until_rows("customers", CUSTOMERS)
        await world.ask("UPDATE customers SET name = 'wrong', tier = 'wrong'")
        words = ("customers", "rebuild", "--yes", "--json")
        process = await begun(*words, settings=world.environment, cwd=tmp_path)
        for version in range(20):
            await announce(f"v{version}")
        done = await end_of(process)
        assert done.code == 0, done.err
        assert done.json["unreadable"] == 0
        await announce("last")
        await world.until_handled()
        await world.come_to_rest_and_leave(service)
    rows = await world.ask("SELECT DISTINCT name, tier FROM customers")
    assert [tuple(row) for row in rows] == [("last", None)]
    again = await end_of(
        await begun(
            *("customers", "rebuild", "--dry-run", "--json"),
            settings=world.environment,
            cwd=tmp_path,
        )
    )
    assert again.code == 0, again.out
    async with started(clients.admin(world.settings)) as admin:
        offsets = await committed_offsets(admin, world.settings.group_id)
    announced = [at for each, at in offsets.items() if each.topic.endswith("customer.changed")]
    assert sum(announced) == CUSTOMERS * 22


async def test_two_who_rebuild_at_once_agree(world: World, tmp_path: Path) -> None:
    await world.publish(*(customer(f"c{number}", external_id=number) for number in range(200)))
    words = ("customers", "rebuild", "--yes", "--json")
    processes = [await begun(*words, settings=world.environment, cwd=tmp_path) for _ in range(2)]
    done = await asyncio.gather(*map(end_of, processes))
    assert [each.code for each in done] == [0, 0]
    assert sum(each.json["put_right"] for each in done) == 200
    assert await world.count("customers WHERE external_id IS NOT NULL") == 200
