"""When the sweeper of parked requests works and sleeps."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest

from consumer import timers as sweeping
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.telling import Telling
from consumer.timers import (
    LONGEST_SLEEP_SECONDS,
    PORTION_BYTES,
    SHORTEST_SLEEP_SECONDS,
    SWEEP_AT_ONCE,
    Timers,
    portions,
)
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db.parked import Due
from handlers.batch import Handled, Setting
from handlers.entries import read
from handlers.outcomes import Duplicate, Rules
from handlers.parking import Key
from tests.records import MOST_BYTES, NOON, REQUESTS, asked

Answer = tuple[list[Due], int, float | None]


class Sweeper(Timers):
    """Timers over a list of answers in place of a database. held: others hold all that is due."""

    def __init__(self, answers: Sequence[Answer | Exception], *, held: bool = False) -> None:
        self.metrics = Metrics()
        self.dependencies = Dependencies(self.metrics, sleep=lambda _: asyncio.sleep(0))
        self.answers = list(answers)
        self.held = held
        self.settled: list[list[Key]] = []
        self.asked = asyncio.Event()
        nowhere: Any = None
        super().__init__(
            pool=nowhere,
            dependencies=self.dependencies,
            metrics=self.metrics,
            telling=Telling(self.metrics),
            writes=Writes(nowhere, Wakeups(), Handover()),
            setting=Setting(Rules(), "group"),
            read=lambda record: read(record, REQUESTS, MOST_BYTES),
        )

    async def _due(self) -> Answer:
        self.asked.set()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _settle(self, keys: Sequence[Key], _: Setting, __: Any) -> Handled:  # noqa: ANN401
        self.settled.append(list(keys))
        request = asked()
        decisions = [] if self.held else [Duplicate(request, differs=False)] * len(keys)
        return Handled(NOON, list(decisions), [], [], [], None)


def due(count: int, size: int = 600) -> list[Due]:
    return [Due("north", str(number), size) for number in range(count)]


@pytest.mark.parametrize(
    ("expiry", "sleep"),
    [
        (None, LONGEST_SLEEP_SECONDS),
        (600.0, LONGEST_SLEEP_SECONDS),
        (0.5, 0.5),
        (-3.0, SHORTEST_SLEEP_SECONDS),
    ],
)
async def test_it_sleeps_until_the_next_expiry(expiry: float | None, sleep: float) -> None:
    sweeper = Sweeper([([], 4, expiry)])
    assert await sweeper._sweep() == sleep  # noqa: SLF001  one sweep, as `run` does it
    assert sweeper.settled == []
    assert sweeper.metrics.registry.get_sample_value("ticketing_parked_requests") == 4


async def test_it_goes_on_while_there_is_more_than_it_takes_at_once() -> None:
    full = (due(SWEEP_AT_ONCE), 2 * SWEEP_AT_ONCE, -1.0)
    sweeper = Sweeper([full, full, (due(1), 1, -1.0)])
    assert await sweeper._sweep() == SHORTEST_SLEEP_SECONDS  # noqa: SLF001
    assert [len(keys) for keys in sweeper.settled] == [SWEEP_AT_ONCE, SWEEP_AT_ONCE, 1]


async def test_what_others_hold_is_tried_again_a_little_later() -> None:
    sweeper = Sweeper([(due(SWEEP_AT_ONCE), SWEEP_AT_ONCE, -1.0)], held=True)
    assert await sweeper._sweep() == SHORTEST_SLEEP_SECONDS  # noqa: SLF001


async def started(sweeper: Sweeper) -> Callable[[], Any]:
    task = asyncio.create_task(sweeper.run())

    async def stop() -> None:
        task.cancel()
        await asyncio.wait({task})

    return stop


async def test_a_customer_ends_its_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "LONGEST_SLEEP_SECONDS", 600.0)
    nothing: Answer = ([], 0, None)
    sweeper = Sweeper([nothing] * 4)
    stop = await started(sweeper)
    async with asyncio.timeout(20):
        for _ in range(3):
            await sweeper.asked.wait()
            sweeper.asked.clear()
            sweeper.wake()
        await sweeper.asked.wait()
    await stop()


async def test_a_database_that_is_away_is_waited_for() -> None:
    away = asyncpg.ConnectionDoesNotExistError("gone")
    sweeper = Sweeper([away, OSError("refused"), ([], 0, 600.0)])
    stop = await started(sweeper)
    async with asyncio.timeout(20):
        while sweeper.answers:
            sweeper.asked.clear()
            await sweeper.asked.wait()
    await stop()


def test_portions_fit_into_memory_and_keep_the_order() -> None:
    third = PORTION_BYTES // 3 + 1
    parts = list(portions([*due(5, third), *due(1, 9 * PORTION_BYTES), *due(2, 1)]))
    assert [len(part) for part in parts] == [2, 2, 1, 1, 2]
    assert [key for part in parts for _, key in part] == ["0", "1", "2", "3", "4", "0", "0", "1"]
    assert list(portions([])) == []
