"""The kill run once more: a death for each single await, before it begins and while it lasts."""

from collections.abc import Awaitable, Callable

import pytest

from tests.scenarios.kill_run import KillRun
from tests.scenarios.situations import SITUATIONS
from tests.scenarios.world import World


@pytest.mark.parametrize("is_early", [True, False])
async def test_a_death_for_each_await(
    worlds: Callable[[], Awaitable[World]], *, is_early: bool
) -> None:
    run = KillRun(is_early=is_early, is_alone=True)
    await run.go(SITUATIONS, worlds)
    assert sorted(map(str, run.left)) == [], run.kills
