"""The machine is put together by its roles, ends with any of its parts, and stops in order."""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from typing import Any

import pytest

from consumer import compose
from consumer.compose import Machine, Outside, run
from consumer.dependencies import Dependencies
from consumer.health import Health
from consumer.metrics import Metrics
from consumer.roles import ALL_ROLES, Role
from consumer.rules import batch_setting
from consumer.settings import Settings
from consumer.shutdown import Shutdown
from consumer.watchdog import Watchdog
from handlers.write import COPY_FROM, NO_COPY
from tests.unit.consumer.fake_consumer import FakeConsumer, FakePool, Happenings

SETTINGS = Settings(_env_file=None, kafka_bootstrap_servers="127.0.0.1:1", shutdown_seconds=20)


def machine(roles: frozenset[Role] = ALL_ROLES, settings: Settings = SETTINGS) -> Machine:
    dependencies = Dependencies(Metrics())
    outside = Outside(consumer=lambda *_: FakeConsumer())
    return Machine(settings, roles, outside, FakePool(), Metrics(), dependencies, may_copy=True)


@pytest.mark.parametrize("role", Role)
def test_a_role_has_its_part_and_no_other(role: Role) -> None:
    made = machine(frozenset({role}))
    parts = {Role.CONSUMER: made.intake, Role.RELAY: made.relay, Role.TIMERS: made.timers}
    assert [each for each, part in parts.items() if part is not None] == [role]


class Diary(Happenings):
    """What became of the parts, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)
        self.note()

    @property
    def ends(self) -> list[str]:
        return [line for line in self.lines if line.endswith(("ends", "ended"))]


@dataclass
class Part:
    """Stands in for a part of the machine: works until it is told to stop, or fails."""

    diary: Diary
    name: str
    error: Exception | None = None
    is_stopping: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    is_caught_up: bool = True

    async def run(self, *_: object) -> None:
        self.diary.write(f"{self.name} began")
        if self.error is not None:
            raise self.error
        try:
            await self.is_stopping.wait()
        finally:
            self.diary.write(f"{self.name} ends")
            await self.may_end.wait()
            self.diary.write(f"{self.name} ended")

    def stop(self) -> None:
        self.is_stopping.set()

    @property
    def lag(self) -> "Part":
        return self

    def measure(self) -> None:
        """There is no lag."""

    def note(self, *_: object) -> None:
        """Nor anything to measure it by."""


def machine_of(diary: Diary, **errors: Exception) -> Machine:
    """A machine of parts that do nothing but note what is done to them."""
    made = machine()
    for name in ("intake", "relay", "timers", "party_progress"):
        part = Part(diary, name, errors.get(name))
        part.may_end.set()
        setattr(made, name, part)
    return made


async def work(made: Machine, shutdown: Shutdown) -> None:
    dependencies, metrics = Dependencies(Metrics()), Metrics()
    watchdog = Watchdog(dependencies)
    await made.run(shutdown, watchdog, Health(dependencies, watchdog, metrics))


async def test_it_stops_taking_in_before_it_stops_publishing() -> None:
    diary = Diary()
    async with Shutdown(20) as shutdown:
        running = asyncio.create_task(work(machine_of(diary), shutdown))
        await diary.until(lambda: len(diary.lines) == 3)
        shutdown.request("a test")
        await running
    assert diary.ends == [
        *("intake ends", "intake ended", "timers ends", "timers ended"),
        *("relay ends", "relay ended"),
    ]


async def test_a_sweep_in_flight_is_over_before_the_relays_last_round() -> None:
    timers = Part(diary := Diary(), "timers")
    made: Any = machine_of(diary)
    made.timers = timers
    async with Shutdown(20) as shutdown:
        running = asyncio.create_task(work(made, shutdown))
        await diary.until(lambda: len(diary.lines) == 3)
        shutdown.request("a test")
        await diary.until(lambda: "timers ends" in diary.lines)
        assert not made.relay.is_stopping.is_set()
        timers.may_end.set()
        await running
    assert diary.ends[-3:] == ["timers ended", "relay ends", "relay ended"]


async def test_a_sweep_that_does_not_end_does_not_keep_the_relay_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compose, "SWEEP_END_SECONDS", 0.01)
    timers = Part(diary := Diary(), "timers")
    made: Any = machine_of(diary)
    made.timers = timers
    async with Shutdown(20) as shutdown:
        running = asyncio.create_task(work(made, shutdown))
        await diary.until(lambda: len(diary.lines) == 3)
        shutdown.request("a test")
        await diary.until(lambda: "relay ended" in diary.lines)
        assert "timers ended" not in diary.lines
        timers.may_end.set()
        await running


@pytest.mark.parametrize("name", ["intake", "relay", "timers"])
async def test_the_death_of_a_part_ends_the_process(name: str) -> None:
    async with Shutdown(20) as shutdown:
        with pytest.raises(ExceptionGroup) as raised:
            await work(machine_of(Diary(), **{name: ValueError("a bug")}), shutdown)
    assert raised.group_contains(ValueError, match="a bug")


async def test_told_to_stop_while_the_database_is_away_it_leaves() -> None:
    waiting = asyncio.Event()

    async def pool(_: Settings) -> Any:  # noqa: ANN401  never one
        waiting.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(run(SETTINGS, outside=Outside(pool=pool)))
    await waiting.wait()
    os.kill(os.getpid(), signal.SIGTERM)  # its handler is installed by now
    async with asyncio.timeout(20):
        assert await running == 0


def test_who_may_not_copy_inserts() -> None:
    assert batch_setting(SETTINGS, may_copy=True).copy_from == COPY_FROM
    assert batch_setting(SETTINGS, may_copy=False).copy_from == NO_COPY
