"""A day's backlog: 200,000 facts, published in order although a relay dies half-way."""

from tests.scenarios.test_backlog import drained
from tests.scenarios.world import World


async def test_a_day_of_facts(own_world: World) -> None:
    await drained(own_world, facts=200_000)
