"""When timers work and sleep."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest

from consumer import timers as sweeping
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.telling import Telling
from consumer.timers import LONGEST_SLEEP_SECONDS, SHORTEST_SLEEP_SECONDS, Timers, nap, repeat
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from handlers.batch import Setting
from handlers.entries import read
from handlers.outcomes import Rules
from tests.records import MOST_BYTES, REQUESTS


class Sweeper:
    """A sweep over a list of answers in place of a database; when they are used up, it waits."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers = list(answers)
        self.swept = asyncio.Event()
        self.is_idle = asyncio.Event()

    async def __call__(self) -> float | None:
        self.swept.set()
        if not self.answers:
            self.is_idle.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def dependencies() -> Dependencies:
    return Dependencies(Metrics(), sleep=lambda _: asyncio.sleep(0))


def nothing_to_sweep(monkeypatch: pytest.MonkeyPatch, **sweeps: Sweeper) -> Timers:
    """Timers whose sweeps are these."""
    metrics = Metrics()
    nowhere: Any = None
    made = Timers(
        pool=nowhere,
        dependencies=dependencies(),
        metrics=metrics,
        telling=Telling(metrics),
        writes=Writes(nowhere, Wakeups(), Handover()),
        setting=Setting(Rules(), "group"),
        read=lambda record: read(record, REQUESTS, MOST_BYTES),
    )
    for name, sweep in ({"firing": Sweeper()} | sweeps).items():
        monkeypatch.setattr(getattr(made, name), "sweep", sweep)
    return made


async def stopped(running: Sequence[Awaitable[None]], until: Callable[[], Awaitable[Any]]) -> None:
    """Run these until something has happened."""
    tasks = [asyncio.ensure_future(each) for each in running]
    async with asyncio.timeout(20):
        await until()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize(
    ("seconds", "sleep"),
    [
        (None, LONGEST_SLEEP_SECONDS),
        (600.0, LONGEST_SLEEP_SECONDS),
        (0.5, 0.5),
        (-3.0, SHORTEST_SLEEP_SECONDS),
    ],
)
def test_a_timer_sleeps_until_the_next_is_due(seconds: float | None, sleep: float) -> None:
    assert nap(seconds) == sleep


def test_a_timer_may_sleep_longer_or_not_so_long() -> None:
    assert [nap(seconds, 600.0) for seconds in (None, 60.0, 9_000.0)] == [600.0, 60.0, 600.0]
    assert [nap(seconds, 0.2) for seconds in (None, 60.0, 0.1)] == [0.2, 0.2, 0.1]


async def test_it_sweeps_again_when_the_next_is_due() -> None:
    sweeper = Sweeper(0.0, -1.0, 0.0)
    await stopped([repeat(sweeper, asyncio.Event(), dependencies())], sweeper.is_idle.wait)


async def test_a_database_that_is_away_is_waited_for() -> None:
    away = asyncpg.ConnectionDoesNotExistError("gone")
    sweeper = Sweeper(away, OSError("refused"), 0.0)
    await stopped([repeat(sweeper, asyncio.Event(), dependencies())], sweeper.is_idle.wait)


async def test_a_customer_ends_the_sleep_of_what_waits_for_customers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeping, "LONGEST_SLEEP_SECONDS", 600.0)
    parking, closing = Sweeper(*[None] * 3), Sweeper(None)
    timers = nothing_to_sweep(monkeypatch, parking=parking, closing=closing)

    async def three_customers() -> None:
        for _ in range(3):
            await parking.swept.wait()
            parking.swept.clear()
            timers.wake()
        await parking.is_idle.wait()

    await stopped([timers.run()], three_customers)
    assert closing.answers == []
    assert not closing.is_idle.is_set()


async def test_a_backlog_of_one_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, free = Sweeper(), Sweeper(0.0, 0.0)
    timers = nothing_to_sweep(monkeypatch, parking=busy, closing=free)
    await stopped([timers.run()], free.is_idle.wait)


async def test_the_end_of_one_is_the_end_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, other = Sweeper(ValueError("a bug")), Sweeper()
    timers = nothing_to_sweep(monkeypatch, parking=other, closing=broken)
    with pytest.raises(ExceptionGroup, match="unhandled") as ended:
        await timers.run()
    assert [str(each) for each in ended.value.exceptions] == ["a bug"]
