import asyncio
import threading

from structlog.testing import capture_logs
from structlog.typing import EventDict

from consumer.metrics import Metrics
from consumer.watchdog import loop_watched


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
