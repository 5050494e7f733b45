"""`python -m tests.scenarios.stepped`: the service on a machine whose clock is set again and again.

What we are told of the time of day jumps several times a second, forwards and backwards, and so
do the times that records are stamped with, which aiokafka's compiled part reads by itself. Seconds
that are only counted (`time.monotonic`, the event loop's) go on as they do when a clock is set.
"""

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder

from consumer import clock

STEPS = (0.0, 3_600.0, -7_200.0, 86_400.0, -432_000.0, 0.5)
"""In seconds: an hour, two back, a day, five days back, and half a second.

Not beyond a week: retention goes by these stamps, and would delete at once what was published."""

SECONDS_BETWEEN = 0.3


class SteppedClock:
    """The real time, moved by one of the steps after the other."""

    def __init__(self) -> None:
        self._seconds = time.time
        self._now = clock.utc_now

    def seconds(self) -> float:
        """In place of `time.time`."""
        return self._seconds() + self._step()

    def utc_now(self) -> datetime:
        """In place of `consumer.clock.utc_now`."""
        return self._now() + timedelta(seconds=self._step())

    def stamped(self, append: Callable[..., Any]) -> Callable[..., Any]:
        """A BatchBuilder's `append` for records that nobody has stamped yet."""

        def stamping(builder: BatchBuilder, *, timestamp: None, **record: object) -> object:
            assert timestamp is None
            return append(builder, timestamp=int(self.seconds() * 1000), **record)

        return stamping

    @staticmethod
    def _step() -> float:
        return STEPS[int(time.monotonic() / SECONDS_BETWEEN) % len(STEPS)]


def main() -> int:
    stepped = SteppedClock()
    time.time = stepped.seconds
    clock.utc_now = stepped.utc_now
    BatchBuilder.append = stepped.stamped(BatchBuilder.append)
    from tests.scenarios import faulty  # noqa: PLC0415  after it: defaults are bound at import

    return faulty.serve(faulty.parsed())


if __name__ == "__main__":
    sys.exit(main())
