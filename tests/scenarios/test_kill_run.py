"""SIGKILL at every await of intake, batch, relay and timers."""

from collections.abc import Awaitable, Callable

import pytest

from tests.scenarios.awaits import awaits_of, instructions_of
from tests.scenarios.kill_run import MODULES, KillRun
from tests.scenarios.situations import SITUATIONS
from tests.scenarios.world import World


async def test_a_process_died_at_every_await_and_nothing_was_lost(
    worlds: Callable[[], Awaitable[World]],
) -> None:
    """The promise is checked at the end of each situation."""
    run = KillRun()
    await run.go(SITUATIONS, worlds)
    assert sorted(map(str, run.left)) == [], run.kills


@pytest.mark.parametrize("module", MODULES)
def test_each_await_is_known_by_its_instructions(module: str) -> None:
    """Else a process could never die there, and the run above would say so only at its end."""
    known = {
        place
        for instructions in instructions_of(module).values()
        for place in instructions.before.values()
    }
    assert known == awaits_of(module)
