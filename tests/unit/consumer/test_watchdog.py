import asyncio
import threading

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from consumer.dependencies import Dependencies, Name
from consumer.metrics import Metrics
from consumer.watchdog import Watchdog, loop_watched


async def test_a_loop_that_stands_still_is_told_with_where_it_is() -> None:
    metrics = Metrics()
    loop = asyncio.get_running_loop()
    told = threading.Event()
    moved = asyncio.Event()

    def on_line(_: object, __: str, event: EventDict) -> EventDict:
        if event["event"] == "loop.stood_still":
            told.set()
        else:
            loop.call_soon_threadsafe(moved.set)
        return event

    with capture_logs(processors=[on_line]) as lines, loop_watched(metrics, limit_seconds=0.02):
        stand_still(told)
        await moved.wait()

    first = next(line for line in lines if line["event"] == "loop.stood_still")
    assert any("stand_still" in where for where in first["stack"])
    stalls = metrics.registry.get_sample_value("ticketing_event_loop_stalls_total")
    assert stalls == sum(line["event"] == "loop.stood_still" for line in lines)


def stand_still(until: threading.Event) -> None:
    until.wait()


class Watched:
    """A watchdog over two dependencies that answer and a clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.dependencies = Dependencies(Metrics(), seconds=lambda: self.seconds)
        self.watchdog = Watchdog(
            self.dependencies, patience_seconds=90.0, seconds=lambda: self.seconds
        )
        self.dependencies.up("database")
        self.dependencies.up("kafka")

    def looks(self) -> list[str]:
        """What the log hears when the watchdog looks now."""
        with capture_logs() as lines:
            self.watchdog.look()
        return [f"{line['event']} {line['activity']}" for line in lines]


def test_standing_still_is_told_once_and_so_is_the_next_move() -> None:
    watched = Watched()
    relay, _ = (watched.watchdog.pulse(name) for name in ("the relay", "the intake"))
    relay.has_work(waiting=True)
    watched.seconds = 89
    assert watched.looks() == []
    watched.seconds = 90
    assert watched.looks() == ["activity.stuck the relay"]
    watched.seconds = 200
    assert watched.looks() == []

    relay.moved()
    assert watched.looks() == ["activity.moved_again the relay"]
    watched.seconds = 290
    assert watched.looks() == ["activity.stuck the relay"]


def test_the_line_says_why() -> None:
    watched = Watched()
    watched.watchdog.pulse("the relay").has_work(waiting=True)
    watched.seconds = 93
    with capture_logs() as lines:
        watched.watchdog.look()
    assert lines[0]["log_level"] == "error"
    assert lines[0]["reason"] == (
        "the relay has stood still for 93 s, although there is work and both dependencies answer"
    )


@pytest.mark.parametrize("name", ["database", "kafka"])
def test_ten_minutes_without_a_dependency_are_no_death(name: Name) -> None:
    """Every second something is tried and fails; then it is back, and has its time to catch up."""
    watched = Watched()
    pulse = watched.watchdog.pulse("the intake")
    pulse.has_work(waiting=True)
    for _ in range(600):
        watched.seconds += 1
        watched.dependencies.down(name, OSError("connection refused"))
        assert watched.watchdog.problems() == []
    watched.dependencies.up(name)
    watched.seconds += 89
    assert watched.watchdog.problems() == []
    assert watched.looks() == []
    watched.seconds += 1
    assert len(watched.watchdog.problems()) == 1
