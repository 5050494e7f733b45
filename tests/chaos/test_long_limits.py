"""A million records waiting, and members that come and go for minutes."""

from tests.scenarios.test_limits import read_a_backlog
from tests.scenarios.test_storms import weather
from tests.scenarios.world import World


async def test_a_backlog_of_a_million(own_world: World) -> None:
    await read_a_backlog(own_world, waiting=1_000_000, settled=150_000)


async def test_a_storm_of_three_minutes(own_world: World) -> None:
    await weather(own_world, members=180, count=36_000)
