"""`ticketing run --workers N`: one parent that answers for several processes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
import pytest

from tests.integration.service_process import (
    SECONDS_FOR_ANYTHING,
    ServiceProcess,
    running_service,
)

pytestmark = pytest.mark.integration

NOWHERE = {
    "DATABASE_URL": "postgresql://tickets@127.0.0.1:1/tickets",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
}


@pytest.fixture
async def parent() -> AsyncIterator[ServiceProcess]:
    """A parent of two workers that both serve."""
    async with running_service("--workers", "2", settings=NOWHERE) as service:
        for number in (1, 2):
            await service.line("http.listening", worker=number)
        yield service


def pids(parent: ServiceProcess) -> dict[int, int]:
    return {
        line["worker"]: line["pid"] for line in parent.lines if line["event"] == "worker.started"
    }


async def until_gone(pid: int) -> None:
    """Wait for the end of a process that isn't our child."""
    with suppress(psutil.NoSuchProcess):
        await asyncio.to_thread(psutil.Process(pid).wait, SECONDS_FOR_ANYTHING)


async def test_the_parent_answers_for_all(parent: ServiceProcess) -> None:
    status, live = await parent.document("/livez")
    assert (status, live["live"], sorted(live["workers"])) == (200, True, ["1", "2"])

    for number in (1, 2):
        await parent.line("dependency.lost", worker=number, dependency="kafka")
    status, ready = await parent.document("/readyz")
    assert status == 503
    assert any(each.startswith("worker 1: kafka does not answer") for each in ready["problems"])
    assert any(each.startswith("worker 2: kafka does not answer") for each in ready["problems"])

    _, metrics = await parent.page("/metrics")
    for worker in ("1", "2"):
        assert f'ticketing_worker_up{{worker="{worker}"}} 1.0' in metrics
        assert f'ticketing_dependency_up{{dependency="kafka",worker="{worker}"}} 0.0' in metrics


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_passed_on_and_all_end_well(
    which: signal.Signals, parent: ServiceProcess
) -> None:
    parent.signal(which)

    assert await parent.end() == 0
    for number in (1, 2):
        await parent.line("shutdown.requested", worker=number, reason=which.name)
    assert "Traceback" not in repr(parent.lines)


async def test_the_first_that_ends_ends_all_and_gives_its_exit_code(
    parent: ServiceProcess,
) -> None:
    os.kill(pids(parent)[2], signal.SIGKILL)

    assert await parent.end() == 128 + signal.SIGKILL
    await parent.line("worker.ended", worker=2, exit_code=-signal.SIGKILL)
    await until_gone(pids(parent)[1])
    await parent.line("shutdown.requested", worker=1)


async def test_workers_end_with_a_parent_that_was_killed(parent: ServiceProcess) -> None:
    parent.signal(signal.SIGKILL)

    assert await parent.end() == -signal.SIGKILL
    for pid in pids(parent).values():
        await until_gone(pid)
    for number in (1, 2):
        await parent.line("shutdown.requested", worker=number, reason="SIGHUP")


async def test_a_worker_that_stands_still_makes_the_parent_red(parent: ServiceProcess) -> None:
    os.kill(pids(parent)[1], signal.SIGSTOP)
    try:
        status, live = await parent.document("/livez")
    finally:
        os.kill(pids(parent)[1], signal.SIGCONT)

    assert status == 503
    assert live["problems"] == ["worker 1: it gives no answer"]
