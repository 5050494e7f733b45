"""Every outcome of a request, seen from outside."""

from tests.scenarios.messages import customer, requested
from tests.scenarios.world import World


async def test_a_request_becomes_a_ticket_and_a_fact(world: World) -> None:
    await world.publish(customer())
    await world.publish(requested())
    async with world.service():
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 1}
