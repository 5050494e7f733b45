"""A minute without the database, and one without the broker."""

import pytest

from devstack.stack import Stack
from tests.scenarios.test_outages import away_for
from tests.scenarios.world import World


@pytest.mark.parametrize("server", ["database", "broker"])
async def test_away_for_a_minute(server: str, own_stack: Stack, own_world: World) -> None:
    await away_for(own_world, own_stack, server, seconds=60)
