"""The clock of a service's machine is set again and again: deadlines are the database's."""

from tests.integration.service_process import running_service
from tests.scenarios.messages import Message, customer, party_id, requested
from tests.scenarios.world import World

STEPPED = ("-m", "tests.scenarios.stepped")
COUNT = 500


async def test_a_clock_that_is_set_forwards_and_backwards_decides_nothing(world: World) -> None:
    """A day ahead no grace is over and no ticket is late; days back nothing waits for ever."""
    world.options["UNKNOWN_CUSTOMER_GRACE_SECONDS"] = "3600"
    await world.publish(customer())
    stranger = requested("late", customer_id=party_id("late"), priority="urgent")
    async with (
        running_service(settings=world.environment, program=STEPPED) as stepped,
        world.service("--role", "consumer"),
    ):
        await stepped.line("partitions.assigned")
        await world.publish(stranger, Message(b"broken"))
        for batch in range(5):
            first = batch * COUNT // 5
            await world.publish(*map(requested, range(first, first + COUNT // 5)))
            await world.until_rows("tickets", first + COUNT // 5)
        assert await world.count("parked_requests") == 1
        await world.publish(customer("late"), requested(0))
        report = await world.come_to_rest()
        assert (await stepped.document("/livez"))[0] == 200
    created = COUNT + 1
    assert report.outcomes == {
        "applied": 2,
        "created": created,
        "dead_lettered": 1,
        "duplicate": 1,
    }
    assert (report.facts, report.published, report.kept) == (created, created, 0)
