"""Patterns of topics, tenants bound to them, and customers announced before we came."""

import json

from tests.scenarios.messages import NORTH, customer, party_id, requested
from tests.scenarios.world import World

PATTERN = r"^requests\.(?P<tenant>[a-z]+)$"


async def test_a_pattern_binds_topics_to_tenants(world: World) -> None:
    world.options["REQUEST_TOPICS"] = f"ticket.requested,{PATTERN}"
    await world.make_topics_named("requests.north", "requests.south", "requests.north.old")
    await world.make_topics()  # the dead letter topics of those
    await world.publish(customer("Anna"), customer("Sven", tenant_id="south"))
    there = "requests.south"
    async with world.service():
        await world.publish(
            requested(1).on("requests.north"),
            requested(2, tenant_id="south", customer_id=party_id("Sven")).on(there),
            requested(3).on(there),
            requested(3).on("requests.north"),
            requested(4),
            requested(5).on("requests.north.old"),
            requested(6, tenant_id=5).on(there),
        )
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 2, "created": 4, "rejected": 1, "dead_lettered": 1}
    (rejected,) = await world.read("ticket.rejected")
    told = json.loads(rejected.value)
    assert (told["code"], told["tenant_id"]) == ("tenant_mismatch", "south")
    assert dict(rejected.headers)["ce_tenantid"] == b"south"
    (letter,) = await world.ask("SELECT topic, tenant_id FROM dead_letters")
    assert tuple(letter) == (f"{world.prefix}requests.south", "south")
    tickets = await world.ask("SELECT tenant_id, count(*) FROM tickets GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in tickets] == [(NORTH, 3), ("south", 1)]


async def test_requests_wait_for_the_customers_announced_before(world: World) -> None:
    """None is parked, let alone rejected, although the grace is over at once."""
    people = [f"customer {number}" for number in range(4_000)]
    await world.publish(*[requested(name, customer_id=party_id(name)) for name in people[::40]])
    await world.publish(*map(customer, people))
    async with world.service(UNKNOWN_CUSTOMER_GRACE_SECONDS="0", BATCH_RECORDS="500"):
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 4_000, "created": 100}


async def test_a_new_topic_of_the_pattern_is_found_while_we_run(world: World) -> None:
    world.options["REQUEST_TOPICS"] = PATTERN
    await world.publish(customer())
    async with world.service(client=["METADATA_MAX_AGE_MS=500"]):
        await world.until_rows("customers")
        await world.make_topics_named("requests.north")
        await world.publish(requested(1).on("requests.north"))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 1}
