"""A tenant's rules at work: on requests that name no team, by the version in force."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from db import policies
from tests.integration.batch_stage import BatchStage, staged
from tests.records import asked, wanted
from tests.scenarios.messages import ANNA, NORTH

pytestmark = pytest.mark.integration

OUTAGES = {
    "name": "outages",
    "when": {"ticket_type": ["outage_report"]},
    "then": {
        "team": "network",
        "assignee": "spread",
        "priority": "urgent",
        "escalation_path": [{"level": 1, "team": "core"}],
    },
}
GOLD = {"name": "gold", "when": {"customer_tier": ["gold"]}, "then": {"team": "vip"}}
TEAMS = {"network": ["eve", "mallory"], "vip": [], "core": []}


@pytest.fixture
async def stage(module_database: str) -> AsyncIterator[BatchStage]:
    """A database that knows Anna, of no tier, and Greta, who is gold."""
    async with staged(module_database) as ready:
        await ready.ask("DELETE FROM policies")
        await ready.know("Anna")
        await ready.know("Greta", tier="gold", external_id=77)
        yield ready


async def apply(stage: BatchStage, version: int, *rules: object, **settings: object) -> None:
    document = {"teams": TEAMS, "routing": list(rules), "settings": settings}
    async with stage.transaction() as connection:
        await policies.add(connection, NORTH, version, orjson.dumps(document).decode())


async def ticket(stage: BatchStage, ticket_id: str) -> dict[str, Any]:
    ((row,),) = await stage.ask(
        "SELECT row_to_json(t)::text FROM tickets t WHERE id = $1", ticket_id
    )
    found: dict[str, Any] = orjson.loads(row)
    return found


async def test_a_rule_gives_team_assignee_and_priority_and_is_remembered(stage: BatchStage) -> None:
    await apply(stage, 1, OUTAGES)
    request = asked(1, ticket_type="outage_report", context={"line": 7})
    assert await stage.settle([request]) == ["created"]
    row = await ticket(stage, request.ticket_id)
    assert (row["assigned_team"], row["priority"]) == ("network", "urgent")
    assert row["assigned_to_user_id"] in {"eve", "mallory"}
    assert row["context"] == {
        "line": 7,
        "assigned_team": "network",
        "routing": {
            "rule": "outages",
            "policy_version": 1,
            "escalation_path": [{"level": 1, "team": "core", "user": None}],
            "team": "network",
        },
    }
    ((data,),) = await stage.ask("SELECT data FROM ticket_facts")
    fact = orjson.loads(data)
    assert (fact["assigned_team"], fact["priority"]) == ("network", "urgent")
    assert fact["context"] == row["context"]


async def test_a_team_that_the_request_names_stands(stage: BatchStage) -> None:
    await apply(stage, 1, OUTAGES)
    request = asked(1, ticket_type="outage_report", assigned_team="my team")
    await stage.settle([request])
    row = await ticket(stage, request.ticket_id)
    assert (row["assigned_team"], row["priority"]) == ("my team", "normal")
    assert row["context"]["routing"] == {"team": "my team"}


async def test_a_rule_may_ask_for_the_customers_tier(stage: BatchStage) -> None:
    await apply(stage, 1, GOLD)
    anna, greta = asked(1, 0), asked(2, 1, customer_id=77)
    assert await stage.settle([anna, greta]) == ["created", "created"]
    assert (await ticket(stage, anna.ticket_id))["assigned_team"] is None
    assert (await ticket(stage, greta.ticket_id))["assigned_team"] == "vip"


async def test_the_next_version_holds_for_the_next_batch(stage: BatchStage) -> None:
    await apply(stage, 1, OUTAGES)
    first, second = (asked(n, n, ticket_type="outage_report") for n in (1, 2))
    await stage.settle([first])
    await apply(stage, 2)
    await stage.settle([second])
    assert (await ticket(stage, first.ticket_id))["assigned_team"] == "network"
    assert (await ticket(stage, second.ticket_id))["assigned_team"] is None


async def test_where_a_tenant_has_no_policy_there_is_no_rule(stage: BatchStage) -> None:
    await stage.ask("INSERT INTO policies (tenant_id, version, document) VALUES ('south', 1, '{}')")
    request = asked(1, ticket_type="outage_report")
    await stage.settle([request])
    assert (await ticket(stage, request.ticket_id))["assigned_team"] is None


async def test_a_version_is_read_once(stage: BatchStage) -> None:
    await stage.settle([asked(1, 1)])
    without = len(stage.watched.trips)
    await apply(stage, 1, OUTAGES)
    for number, more in ((2, 1), (3, 0)):
        stage.forget()
        await stage.settle([asked(number, number)])
        assert len(stage.watched.trips) == without + more


async def test_the_reopening_window_is_the_tenants(stage: BatchStage) -> None:
    await apply(stage, 1, reopen_days=1)
    request = asked(1)
    await stage.settle([request])
    await stage.settle([wanted("set_status", request.ticket_id, 0, status="resolved")])
    await stage.ask("UPDATE tickets SET resolved_at = now() - interval '2 days'")
    late = wanted(
        "add_message",
        request.ticket_id,
        1,
        body="It is back.",
        actor={"type": "customer", "id": ANNA},
    )
    assert await stage.settle([late]) == ["rejected"]
    ((code,),) = await stage.ask("SELECT code FROM requests WHERE outcome = 'rejected'")
    assert code == "reopen_window_passed"


async def test_a_rule_may_spread_over_a_team_without_members(stage: BatchStage) -> None:
    await apply(stage, 1, {"name": "x", "when": {}, "then": {"team": "core", "assignee": "spread"}})
    request = asked(1)
    assert await stage.settle([request]) == ["created"]
    row = await ticket(stage, request.ticket_id)
    assert (row["assigned_team"], row["assigned_to_user_id"]) == ("core", None)
