"""What the broker refused goes out at last, in order, once people let it go."""

import asyncio
from collections import defaultdict
from pathlib import Path

from tests.integration.ticketing_process import Ended, begun, end_of
from tests.scenarios.messages import change_requested, customer, requested
from tests.scenarios.world import World

LONG = "x" * 6_000
LIMIT, ROOM = 3_000, 100_000
FACTS = 5
"""Of each ticket: created, two messages, the agent's answer that is its first, an escalation."""


async def let_go(world: World, cwd: Path, *arguments: str) -> Ended:
    words = ("republish", "--held", "--yes", "--json", *arguments)
    return await end_of(await begun(*words, settings=world.environment, cwd=cwd))


async def change_all(world: World) -> None:
    """Each ticket gets some changes more, to two topics."""
    rows = await world.ask("SELECT id::text FROM tickets ORDER BY request_id")
    for (ticket,) in rows:
        await world.publish(
            change_requested("add_message", ticket, body="first"),
            change_requested("escalate", ticket, to={"level": 1}),
            change_requested("add_message", ticket, body="second"),
        )


async def hold(world: World, tickets: int = 3) -> None:
    """Tickets whose first fact is refused, with changes behind it; and one that is well."""
    await world.shrink("ticket.created", max_message_bytes=LIMIT)
    async with world.service() as service:
        await world.publish(customer())
        long = [requested(number, description=LONG) for number in range(tickets)]
        await world.publish(*long, requested("short"))
        await world.until_rows("tickets", tickets + 1)
        await change_all(world)
        await world.until_rows("held_facts", tickets * FACTS)
        report = await world.come_to_rest_and_leave(service)
    assert report.kept == tickets * FACTS


async def check_order(world: World) -> None:
    """Every ticket's facts came to each topic in their order, each once and unmarked."""
    facts = 0
    for topic in ("ticket.created", "ticket.updated", "ticket.escalated"):
        orders: dict[bytes, list[int]] = defaultdict(list)
        for record in await world.read(topic):
            headers = dict(record.headers)
            assert "ce_replayed" not in headers
            orders[record.key].append(int(headers["ce_sequence"]))
            facts += 1
        for order in orders.values():
            assert order == sorted(set(order))
    assert facts == await world.count("ticket_facts")
    assert await world.count("held_facts") == 0
    assert (await world.check()).kept == 0


async def test_held_facts_go_out_in_order_although_no_service_runs(
    world: World, tmp_path: Path
) -> None:
    await hold(world)
    await world.shrink("ticket.created", max_message_bytes=ROOM)
    done = await let_go(world, tmp_path)
    assert done.code == 0, done.err
    assert done.json == {
        "dry_run": False,
        "released": 15,
        "published": 15,
        "refused": [],
        "behind": 0,
        "without_topic": 0,
        "waiting": 0,
    }
    await check_order(world)
    assert await world.count("leases WHERE expires_at > now()") == 0


async def test_held_facts_go_out_in_order_while_the_service_goes_on(
    world: World, tmp_path: Path
) -> None:
    await hold(world)
    await world.shrink("ticket.created", max_message_bytes=ROOM)
    async with world.service() as service:
        await service.line("lease.taken")
        async with asyncio.TaskGroup() as group:
            letting_go = group.create_task(let_go(world, tmp_path))
            for _ in range(3):
                await change_all(world)
        await world.until_at_rest()
        assert letting_go.result().code == 0, letting_go.result().err
        last = await let_go(world, tmp_path)
        assert last.json["released"] == 0
        await check_order(world)


async def test_two_who_let_go_at_once_send_everything_once(world: World, tmp_path: Path) -> None:
    await hold(world)
    await world.shrink("ticket.created", max_message_bytes=ROOM)
    done = await asyncio.gather(*(let_go(world, tmp_path) for _ in range(2)))
    assert [each.code for each in done] == [0, 0]
    assert sum(each.json["released"] for each in done) == 15
    await check_order(world)


async def test_what_is_refused_again_is_told_and_held_again(world: World, tmp_path: Path) -> None:
    await hold(world)
    done = await let_go(world, tmp_path)
    assert done.code == 1
    told = done.json
    assert (told["released"], told["waiting"]) == (15, 0)
    assert [each["sequence"] for each in told["refused"]] == [1, 1, 1]
    assert all("MessageSizeTooLarge" in each["reason"] for each in told["refused"])
    await world.shrink("ticket.created", max_message_bytes=ROOM)
    again = await let_go(world, tmp_path)
    assert again.code == 0, again.err
    await check_order(world)
