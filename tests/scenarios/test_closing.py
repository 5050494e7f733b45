"""Resolved tickets close by themselves, seen from outside."""

import asyncio
from collections import Counter
from pathlib import Path

from tests.scenarios.histories import assert_consistent, histories, refusals
from tests.scenarios.messages import ANNA, change_requested
from tests.scenarios.resolved import QUICK, apply_policy, resolve, until_none_is_resolved
from tests.scenarios.world import World

TICKETS = range(30)
CUSTOMER = {"type": "customer", "id": ANNA}


async def test_resolved_tickets_close_once_after_their_tenants_time(
    world: World, tmp_path: Path
) -> None:
    """By two processes that begin at the same moment, and after nobody had looked for a while."""
    tickets = await resolve(world, *TICKETS)
    await apply_policy(world, tmp_path / "policy.yaml", seconds=0.5)
    await world.let_leases_expire()
    async with world.service(client=QUICK), world.service(client=QUICK):
        await until_none_is_resolved(world)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": len(tickets), "changed": len(tickets)}
    found = await histories(world)
    assert found.keys() == set(tickets)
    for history in found.values():
        await assert_consistent(world, history)
        _, _, closing = history
        assert (closing.ce_type, closing.cause) == ("ticket.status_changed", None)
        assert closing.data["actor"] == {"type": "system", "id": None}
        assert closing.data["changes"]["status"] == {"from": "resolved", "to": "closed"}


async def test_a_customers_message_at_that_moment_comes_first_or_is_refused(
    world: World, tmp_path: Path
) -> None:
    """Whatever comes first, the customer is told, and the ticket is as it was told."""
    tickets = await resolve(world, *TICKETS)
    await world.let_leases_expire()
    async with world.service(client=QUICK) as service:
        await service.line("partitions.assigned")
        messages = [
            change_requested(
                "add_message", each, body="Again!", actor=CUSTOMER, request_id=f"m-{each}"
            )
            for each in tickets
        ]
        half = len(messages) // 2
        await asyncio.gather(
            world.publish(*messages[:half]),
            apply_policy(world, tmp_path / "policy.yaml", seconds=0.5),
        )
        await world.publish(*messages[half:])
        await until_none_is_resolved(world)
        await world.come_to_rest()
    found, refused = await histories(world), await refusals(world)
    ends: Counter[tuple[str | None, ...]] = Counter()
    for ticket in tickets:
        await assert_consistent(world, found[ticket])
        types = [fact.ce_type for fact in found[ticket][2:]]
        code, _ = refused.get(f"m-{ticket}", (None, ""))
        ends[code, *types] += 1
    assert ends.keys() <= {
        (None, "ticket.message_added", "ticket.reopened"),
        ("ticket_closed", "ticket.status_changed"),
    }
    assert ends.total() == len(tickets)
