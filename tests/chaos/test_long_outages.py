"""Minutes without the database, and without the broker: longer than the watchdog's patience."""

import pytest

from consumer.watchdog import PATIENCE_SECONDS
from devstack.stack import Stack
from tests.scenarios.test_outages import away_for
from tests.scenarios.world import World


@pytest.mark.parametrize("server", ["database", "broker"])
async def test_away_for_three_minutes(server: str, own_stack: Stack, own_world: World) -> None:
    await away_for(own_world, own_stack, server, seconds=2 * PATIENCE_SECONDS)
