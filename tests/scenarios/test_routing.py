"""A tenant's rules through Kafka: from `policy apply` to the fact, and what an operator reads."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.records import asked
from tests.scenarios.histories import Told, histories
from tests.scenarios.messages import NORTH, change_requested, customer, party_id, requested
from tests.scenarios.world import World

SOUTH = "south"
POLICY = """\
teams:
  network: [eve, mallory]
routing:
  - name: outages
    when: {{ticket_type: outage_report}}
    then: {{team: {team}, assignee: spread, priority: urgent}}
"""


async def apply(world: World, file: Path, team: str) -> None:
    text = POLICY.format(team=team).replace("network:", f"{team}:")
    await asyncio.to_thread(file.write_text, text)
    await world.ticketing("policy", "apply", str(file), "--tenant", NORTH, "--yes")


async def opened(world: World, number: int, **fields: Any) -> str:  # noqa: ANN401  as `asked` has it
    """The id of a ticket that a request asked for, once it is there."""
    request = asked(number, ticket_type="outage_report", **fields)
    await world.publish(requested(number, ticket_type="outage_report", **fields))
    await world.until_rows(f"tickets WHERE id = '{request.ticket_id}'")
    return request.ticket_id


def routed(history: list[Told]) -> tuple[Any, ...]:
    """What the fact of a ticket's opening says about where it went."""
    data = history[0].data
    rule = data["context"].get("routing", {})
    return data["assigned_team"], data["priority"], rule.get("rule"), rule.get("policy_version")


async def test_new_tickets_go_where_the_version_in_force_sends_them(
    world: World, tmp_path: Path
) -> None:
    """No restart between: the next batch knows the next version. Another tenant has no rules."""
    sue: dict[str, Any] = {"tenant_id": SOUTH, "customer_id": party_id("Sue")}
    async with world.service():
        await world.publish(customer(), customer("Sue", tenant_id=SOUTH))
        before = await opened(world, 1)
        await apply(world, tmp_path / "policy.yaml", "network")
        first = await opened(world, 2)
        own = await opened(world, 3, assigned_team="field")
        others = await opened(world, 4, **sue)
        await apply(world, tmp_path / "policy.yaml", "core")
        second = await opened(world, 5)
        await world.come_to_rest()
    found = await histories(world)
    assert {ticket: routed(history) for ticket, history in found.items()} == {
        before: (None, "normal", None, None),
        first: ("network", "urgent", "outages", 1),
        own: ("field", "normal", None, None),
        others: (None, "normal", None, None),
        second: ("core", "urgent", "outages", 2),
    }
    ((assignee,),) = await world.ask("SELECT assigned_to_user_id FROM tickets WHERE id = $1", first)
    assert assignee in {"eve", "mallory"}


async def test_the_timeline_tells_who_did_what_and_which_record_asked_for_it(world: World) -> None:
    async with world.service():
        await world.publish(customer())
        ticket = await opened(world, 1)
        named = change_requested("set_status", ticket, status="in_progress", request_id="c-1")
        (_, place) = await world.publish(
            named, change_requested("assign", ticket, assigned_team="noc")
        )
        report = await world.come_to_rest()
    assert report.outcomes["changed"] == 2
    number = (await histories(world))[ticket][0].data["ticket_number"]
    shown = json.loads(await world.ticketing("ticket", "show", number, "--json"))
    told = [
        (fact["sequence"], fact["ce_type"], fact["data"].get("actor"), fact["data"].get("changes"))
        for fact in shown["timeline"]
    ]
    agent = {"type": "tenant", "id": "agent-7"}
    assert told == [
        (1, "ticket.created", None, None),
        (2, "ticket.status_changed", agent, {"status": {"from": "open", "to": "in_progress"}}),
        (3, "ticket.assigned", agent, {"assigned_team": {"from": None, "to": "noc"}}),
    ]
    asked_by = f"{place.topic}:{place.partition}:{place.offset}"
    assert [(fact["causation_id"], fact["record"]) for fact in shown["timeline"]] == [
        ("request-1", None),
        ("c-1", None),
        (None, asked_by),
    ]
    assert not any(fact["is_waiting"] or fact["held_reason"] for fact in shown["timeline"])
