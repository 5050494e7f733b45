import asyncio
import os
import signal
import threading

import pytest
from structlog.testing import capture_logs

from consumer.shutdown import Shutdown


class Exits:
    """Stands in for os._exit: remembers the code instead of ending the test."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.called = threading.Event()

    def __call__(self, code: int) -> None:
        self.code = code
        self.called.set()


@pytest.fixture
def exits() -> Exits:
    return Exits()


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_asks(which: signal.Signals, exits: Exits) -> None:
    with capture_logs() as lines:
        async with Shutdown(60, leave=exits) as shutdown:
            os.kill(os.getpid(), which)
            await shutdown.requested.wait()

    assert [(line["event"], line["reason"]) for line in lines] == [
        ("shutdown.requested", which.name)
    ]
    assert exits.code is None


async def test_a_second_signal_ends_it_at_once(exits: Exits) -> None:
    async with Shutdown(60, leave=exits) as shutdown:
        os.kill(os.getpid(), signal.SIGTERM)
        await shutdown.requested.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.to_thread(exits.called.wait)

    assert exits.code == 128 + signal.SIGINT


async def test_the_parents_end_is_no_second_signal(exits: Exits) -> None:
    async with Shutdown(60, leave=exits) as shutdown:
        os.kill(os.getpid(), signal.SIGTERM)
        await shutdown.requested.wait()
        later_signal = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, later_signal.set)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGUSR1)
        await later_signal.wait()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)

    assert exits.code is None


async def test_asking_again_changes_nothing(exits: Exits) -> None:
    with capture_logs() as lines:
        async with Shutdown(60, leave=exits) as shutdown:
            shutdown.request("a reason")
            shutdown.request("another")

    assert [line["reason"] for line in lines] == ["a reason"]


async def test_when_most_of_the_time_is_over_who_still_works_is_told_to_give_up(
    exits: Exits,
) -> None:
    async with Shutdown(0.5, leave=exits) as shutdown:
        shutdown.request("test")
        await shutdown.expired.wait()
        assert exits.code is None


async def test_when_all_of_the_time_is_over_the_process_ends_even_if_its_loop_stands_still(
    exits: Exits,
) -> None:
    async with Shutdown(0.05, leave=exits) as shutdown:
        shutdown.request("test")
        exits.called.wait()  # blocks the loop

    assert exits.code == 1
