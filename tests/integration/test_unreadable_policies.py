"""A stored policy that this program can't understand holds nobody: another version holds."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from consumer.firing import Firing
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.policy_watch import PolicyWatch
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db import policies
from handlers.write import COPY_FROM
from tests.integration.batch_stage import BatchStage, staged
from tests.integration.passed_time import AGED
from tests.records import asked, wanted
from tests.scenarios.messages import NORTH, party_id

pytestmark = pytest.mark.integration

SOUTH = "south"
UNKNOWN_ZONE = {
    "calendars": {"office": {"timezone": "Mars/Phobos", "weekly": {"mon": [["09:00", "17:00"]]}}},
    "sla": [{"name": "standard", "calendar": "office", "targets": {"resolution": "1h"}}],
}
PLACES = count(1_000)
"""Offsets, so that each record has a place of its own."""


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    async with staged(module_database) as ready:
        await ready.know("Anna")
        await ready.know("Berta", tenant_id=SOUTH)
        yield ready


def rules(team: str, target: str) -> dict[str, object]:
    """Every ticket goes to this team, and has so much time."""
    priorities = ["low", "normal", "high", "urgent"]
    return {
        "teams": {team: []},
        "routing": [{"name": "all", "when": {"priority": priorities}, "then": {"team": team}}],
        "sla": [{"name": "standard", "targets": {"resolution": target}}],
    }


async def apply(stage: BatchStage, version: int, document: object, tenant_id: str = NORTH) -> None:
    async with stage.transaction() as connection:
        await policies.add(connection, tenant_id, version, orjson.dumps(document).decode())


async def rewrite(stage: BatchStage, version: int, document: object) -> None:
    """As a restored backup has it: another document, and another time."""
    await stage.ask(
        "UPDATE policies SET document = $1::text::json, applied_at = clock_timestamp()"
        " WHERE version = $2 AND tenant_id = $3",
        orjson.dumps(document).decode(),
        version,
        NORTH,
    )


async def let_pass(stage: BatchStage, hours: int) -> None:
    async with stage.transaction() as connection:
        await connection.execute(AGED.replace("$1", f"interval '{hours} h'"))


async def opened(stage: BatchStage, **fields: Any) -> str:  # noqa: ANN401  as `asked` takes them
    place = next(PLACES)
    request = asked(place, place, **fields)
    assert await stage.settle([request]) == ["created"]
    return request.ticket_id


async def change(
    stage: BatchStage,
    kind: str,
    ticket: str,
    **fields: Any,  # noqa: ANN401  as `wanted` takes them
) -> list[str]:
    return await stage.settle([wanted(kind, ticket, next(PLACES), **fields)])


async def ticket(stage: BatchStage, ticket_id: str) -> dict[str, Any]:
    ((row,),) = await stage.ask(
        "SELECT row_to_json(t)::text FROM tickets t WHERE id = $1", ticket_id
    )
    found: dict[str, Any] = orjson.loads(row)
    return found


async def clock(stage: BatchStage, ticket_id: str, metric: str = "resolution") -> dict[str, Any]:
    """The last cycle."""
    (row, *_) = await stage.ask(
        "SELECT * FROM sla_clocks WHERE ticket_id = $1 AND metric = $2 ORDER BY cycle DESC",
        ticket_id,
        metric,
    )
    return {**row}


async def told(stage: BatchStage, ticket_id: str) -> list[tuple[str, str]]:
    rows = await stage.ask(
        "SELECT ce_type, data::jsonb ->> 'due_at' FROM ticket_facts"
        " WHERE subject_id = $1::text::uuid AND ce_type = 'sla.breached' ORDER BY sequence",
        ticket_id,
    )
    return [tuple(row) for row in rows]


async def sweep(stage: BatchStage, metrics: Metrics) -> float | None:
    writes = Writes(stage.watched, Wakeups(), Handover(), on_commit=PolicyWatch(metrics).note)
    return await Firing(
        pool=stage.watched, writes=writes, metrics=metrics, copy_from=COPY_FROM
    ).sweep()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_the_version_before_holds_and_is_named_on_the_ticket_and_its_clock(
    stage: BatchStage,
) -> None:
    await apply(stage, 1, rules("network", "5h"))
    await apply(stage, 2, UNKNOWN_ZONE)
    found = await opened(stage)
    row = await ticket(stage, found)
    assert row["assigned_team"] == "network"
    assert row["context"]["routing"]["policy_version"] == 1
    judged = await clock(stage, found)
    assert (judged["policy"], judged["policy_version"]) == ("standard", 1)
    assert judged["target_seconds"] == 5 * 3_600


async def test_where_no_version_is_understood_the_defaults_hold(stage: BatchStage) -> None:
    await apply(stage, 1, UNKNOWN_ZONE)
    found = await opened(stage)
    row = await ticket(stage, found)
    assert (row["assigned_team"], row["context"].get("routing")) == (None, None)
    judged = await clock(stage, found)
    assert (judged["policy"], judged["policy_version"]) == (None, None)
    assert judged["target_seconds"] == 72 * 3_600
    assert await change(stage, "set_status", found, status="resolved") == ["changed"]


async def test_other_tenants_in_the_same_batch_notice_nothing(stage: BatchStage) -> None:
    await apply(stage, 1, UNKNOWN_ZONE)
    await apply(stage, 1, rules("network", "5h"), SOUTH)
    south = asked(2, 1, tenant_id=SOUTH, customer_id=party_id("Berta"))
    assert await stage.settle([asked(1, 0), south]) == ["created", "created"]
    assert (await ticket(stage, south.ticket_id))["assigned_team"] == "network"
    assert (stage.retries, stage.recorder.splits) == (0, 0)


async def test_a_version_that_is_understood_ends_it_at_once(stage: BatchStage) -> None:
    await apply(stage, 1, rules("network", "5h"))
    await apply(stage, 2, UNKNOWN_ZONE)
    await opened(stage)
    await apply(stage, 3, rules("field", "6h"))
    assert (await ticket(stage, await opened(stage)))["assigned_team"] == "field"


async def test_ordinary_batches_cost_no_further_round_trip(stage: BatchStage) -> None:
    await opened(stage)
    stage.forget()
    await opened(stage)
    without = len(stage.watched.trips)
    await apply(stage, 1, rules("network", "5h"))
    await apply(stage, 2, UNKNOWN_ZONE)
    await apply(stage, 3, UNKNOWN_ZONE)
    for more in (3, 0, 0):  # version 3, then 2, then 1
        stage.forget()
        await opened(stage)
        assert len(stage.watched.trips) == without + more


async def test_of_a_restored_backup_the_version_of_the_same_number_is_read_anew(
    stage: BatchStage,
) -> None:
    await apply(stage, 1, rules("network", "5h"))
    await apply(stage, 2, UNKNOWN_ZONE)
    await opened(stage)
    await rewrite(stage, 2, rules("field", "6h"))
    assert (await ticket(stage, await opened(stage)))["assigned_team"] == "field"
    await rewrite(stage, 1, rules("network", "7h"))
    await rewrite(stage, 2, UNKNOWN_ZONE)
    assert (await clock(stage, await opened(stage)))["target_seconds"] == 7 * 3_600


async def test_a_change_goes_on_though_the_clocks_own_version_is_not_understood(
    stage: BatchStage,
) -> None:
    await apply(stage, 1, rules("network", "5h"))
    await apply(stage, 2, rules("network", "6h"))
    found = await opened(stage)
    before = await clock(stage, found)
    await rewrite(stage, 2, UNKNOWN_ZONE)
    south = asked(2, 1, tenant_id=SOUTH, customer_id=party_id("Berta"))
    note = wanted("add_message", found, next(PLACES), body="We are on it.")
    assert await stage.settle([note, south]) == ["changed", "created"]
    assert await clock(stage, found) == before  # nothing happened to it
    assert (await clock(stage, found, "first_response"))["state"] == "fulfilled"
    assert await change(stage, "set_status", found, status="waiting") == ["changed"]
    paused = await clock(stage, found)
    assert (paused["policy_version"], paused["target_seconds"]) == (1, 6 * 3_600)
    assert (paused["due_at"], paused["pause_reasons"]) == (None, ["waiting_for_customer"])
    assert await change(stage, "set_status", found, status="in_progress") == ["changed"]
    resumed = await clock(stage, found)
    assert resumed["due_at"] - before["due_at"] < timedelta(minutes=1)
    assert resumed["due_at"] > before["due_at"]
    assert at((await ticket(stage, found))["sla_due_date"]) == resumed["due_at"]


async def test_a_breach_of_such_a_clock_is_told_by_the_due_time_that_was_promised(
    stage: BatchStage,
) -> None:
    await apply(stage, 1, {})
    await apply(stage, 2, rules("network", "6h"))
    found = await opened(stage)
    await let_pass(stage, 7)
    before = await clock(stage, found)
    await rewrite(stage, 2, UNKNOWN_ZONE)
    assert await change(stage, "set_status", found, status="resolved") == ["changed"]
    ((_, due_at),) = await told(stage, found)
    after = await clock(stage, found)
    assert after["due_at"] == before["due_at"] == at(due_at)
    assert (after["policy"], after["state"]) == (None, "fulfilled")


async def test_timers_judge_by_the_clocks_own_version_though_the_newest_is_not_understood(
    stage: BatchStage,
) -> None:
    await apply(stage, 1, rules("network", "5h"))
    found = await opened(stage)
    await apply(stage, 2, UNKNOWN_ZONE)
    await let_pass(stage, 6)
    metrics = Metrics()
    with capture_logs() as lines:
        await sweep(stage, metrics)
    assert len(await told(stage, found)) == 1
    assert metrics.registry.get_sample_value("ticketing_clocks_unfit_total") == 0
    assert metrics.registry.get_sample_value("ticketing_policies_unreadable") == 1
    (line,) = [line for line in lines if line["event"] == "policy.unreadable"]
    assert (line["tenant_id"], line["version"], line["in_force"]) == (NORTH, 2, 1)
    assert "Mars/Phobos" in line["reason"]


async def test_timers_leave_a_clock_whose_own_version_is_not_understood_for_later(
    stage: BatchStage,
) -> None:
    await apply(stage, 1, rules("network", "5h"))
    found = await opened(stage)
    other = await opened(stage, tenant_id=SOUTH, customer_id=party_id("Berta"))
    await let_pass(stage, 100)
    await rewrite(stage, 1, UNKNOWN_ZONE)
    metrics = Metrics()
    seconds = await sweep(stage, metrics)
    assert seconds == pytest.approx(60, abs=5)
    assert (len(await told(stage, found)), len(await told(stage, other))) == (0, 2)
    assert metrics.registry.get_sample_value("ticketing_clocks_unfit_total") == 1
    await rewrite(stage, 1, rules("network", "5h"))
    await stage.ask("UPDATE sla_clocks SET next_fire_at = started_at WHERE next_fire_at > now()")
    await sweep(stage, metrics)
    assert len(await told(stage, found)) == 2


async def test_a_change_tells_what_timers_put_off(stage: BatchStage) -> None:
    await apply(stage, 1, rules("network", "5h"))
    found = await opened(stage)
    await let_pass(stage, 6)
    await rewrite(stage, 1, UNKNOWN_ZONE)
    await sweep(stage, Metrics())
    await rewrite(stage, 1, rules("network", "5h"))
    assert await told(stage, found) == []
    assert await change(stage, "set_status", found, status="resolved") == ["changed"]
    assert len(await told(stage, found)) == 1
