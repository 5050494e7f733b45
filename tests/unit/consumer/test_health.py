import asyncio
from datetime import UTC, datetime

import orjson
import pytest

from consumer.dependencies import Dependencies
from consumer.health import Health
from consumer.http_server import Page
from consumer.metrics import Metrics
from consumer.readiness import MissingTopics
from consumer.settings import Settings
from consumer.subscription import Subscription
from consumer.watchdog import Watchdog
from db.pauses import Pause

PATIENCE = 90.0


class Process:
    """One process's health over a clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        metrics = Metrics()
        self.dependencies = Dependencies(metrics, seconds=lambda: self.seconds)
        self.watchdog = Watchdog(
            self.dependencies, patience_seconds=PATIENCE, seconds=lambda: self.seconds
        )
        self.health = Health(self.dependencies, self.watchdog, metrics)
        self.dependencies.up("database")
        self.dependencies.up("kafka")

    async def page(self, path: str) -> Page:
        return await self.health.pages()[path]()

    async def status(self, path: str) -> int:
        return int((await self.page(path)).status)


@pytest.fixture
def process() -> Process:
    return Process()


async def test_a_healthy_process_is_live_and_ready(process: Process) -> None:
    assert await process.status("/livez") == 200
    assert await process.status("/readyz") == 200
    assert b"ticketing_dependency_up" in (await process.page("/metrics")).body


async def test_an_absent_dependency_makes_us_unready_but_not_dead(process: Process) -> None:
    process.dependencies.down("database", OSError("connection refused"))
    process.seconds = 10 * PATIENCE

    page = await process.page("/readyz")

    document = orjson.loads(page.body)
    assert page.status == 503
    assert document["problems"] == ["database does not answer: OSError: connection refused"]
    assert document["dependencies"]["database"]["reason"] == "OSError: connection refused"
    assert document["dependencies"]["kafka"]["up"] is True
    assert await process.status("/livez") == 200


async def test_what_is_unready_says_how_far_it_is(process: Process) -> None:
    reason = "customer topics not read to their end: 120 records left"
    process.health.unready("customers", reason)
    page = await process.page("/readyz")
    assert (page.status, orjson.loads(page.body)["problems"]) == (503, [reason])

    process.health.ready("customers")
    assert await process.status("/readyz") == 200


async def test_work_that_stands_still_is_death_only_while_both_dependencies_answer(
    process: Process,
) -> None:
    pulse = process.watchdog.pulse("the intake")
    pulse.has_work(waiting=True)
    process.dependencies.down("kafka", "gone")
    process.seconds = PATIENCE * 2
    assert await process.status("/livez") == 200

    process.dependencies.up("kafka")
    process.seconds += PATIENCE - 1
    assert await process.status("/livez") == 200

    process.seconds += 1
    page = await process.page("/livez")
    assert page.status == 503
    assert b"the intake has stood still for 270 s" in page.body

    pulse.moved()
    assert await process.status("/livez") == 200


async def test_standing_still_without_work_is_rest(process: Process) -> None:
    pulse = process.watchdog.pulse("the intake")
    process.seconds = PATIENCE * 5
    pulse.has_work(waiting=False)
    assert await process.status("/livez") == 200

    pulse.has_work(waiting=True)
    process.seconds += PATIENCE - 1
    pulse.has_work(waiting=True)
    assert await process.status("/livez") == 200

    process.seconds += 1
    pulse.has_work(waiting=True)
    assert await process.status("/livez") == 503


async def test_a_task_that_ended_is_death(process: Process) -> None:
    async def nothing() -> None:
        pass

    task = asyncio.create_task(nothing(), name="relay")
    process.watchdog.watch(task)
    assert await process.status("/livez") == 200

    await task

    page = await process.page("/livez")
    assert (page.status, orjson.loads(page.body)["problems"]) == (503, ["the task relay ended"])
    assert await process.status("/readyz") == 503


async def test_a_pause_by_people_is_listed_and_leaves_us_ready(process: Process) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    pause = Pause("ticket.requested", "the portal is broken", "anna@office", at, is_ceiling=False)
    process.health.show_pauses(lambda: [pause])
    page = await process.page("/readyz")
    assert page.status == 200
    assert orjson.loads(page.body)["paused"] == [
        {
            "topic": "ticket.requested",
            "reason": "the portal is broken",
            "since": "2026-03-01T12:00:00+00:00",
            "by": "anna@office",
            "is_ceiling": False,
        }
    ]


async def test_a_pause_by_the_ceiling_makes_us_unready(process: Process) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    pause = Pause("ticket.requested", "too many dead letters", "host:7", at, is_ceiling=True)
    process.health.show_pauses(lambda: [pause])
    page = await process.page("/readyz")
    assert page.status == 503
    assert orjson.loads(page.body)["problems"] == [
        "ticket.requested is paused: too many dead letters"
    ]
    assert await process.status("/livez") == 200


async def test_a_topic_that_is_named_and_missing_makes_us_unready(process: Process) -> None:
    settings = Settings(_env_file=None, topic_prefix="p.", request_topics="one,^two.*")
    missing = MissingTopics(Subscription(settings), process.health)
    there = ["p.one", *(f"p.{each}" for each in ("ticket.change_requested", "customer.changed"))]
    missing.note(there)
    page = await process.page("/readyz")
    assert page.status == 503
    assert orjson.loads(page.body)["problems"] == [
        "subscribed topic p.partner.changed does not exist"
    ]
    missing.note([*there, "p.partner.changed"])
    assert await process.status("/readyz") == 200
