"""What becomes of clocks that are due while nobody looks, while one dies, and while many look."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from consumer.firing import Firing
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from handlers.write import COPY_FROM
from tests.scenarios.held_commit import held_commit
from tests.scenarios.sla_changes import Opened, opened
from tests.scenarios.sla_model import SOLVED
from tests.scenarios.sla_story import assert_as_modelled
from tests.scenarios.sla_tenants import level_of, settle_in, tenant_with
from tests.scenarios.world import World

QUICK = ("SESSION_TIMEOUT_MS=1000", "HEARTBEAT_INTERVAL_MS=200")
NORTH, SOUTH = "north", "south"
LADDER: Final[Sequence[dict[str, Any]]] = [
    {"metric": SOLVED, "at": "due", "level": 1, "team": "field"},
    {"metric": SOLVED, "at": "1s after due", "level": 2, "team": "noc", "raise_priority": True},
]
HASTY: Final = level_of(first="1s", solved="2s", ladder=LADDER)
TOLD_EACH: Final = 2 * (3 + 1) + 3
"""Warnings and a breach of each metric, two steps up, one of them with a higher priority."""

CLOCKS_WRITTEN: Final = b"INSERT INTO sla_clocks"
ALL_DUE: Final = "next_fire_at IS NOT NULL AND due_at > now() - interval '1.5 seconds'"


async def open_tickets(
    world: World, directory: Path, tickets: Sequence[Opened], *tenants: str
) -> None:
    """Open them without a timer, and wait until every level of their clocks is past."""
    await settle_in(world, directory, {name: tenant_with(name, HASTY) for name in tenants})
    async with (
        world.service("--role", "consumer", client=QUICK) as consumer,
        world.service("--role", "relay", client=QUICK),
    ):
        await world.until_rows("partners", len(tenants))
        await world.publish(*(each.message for each in tickets))
        await world.until_rows("tickets", len(tickets))
        await world.until_at_rest()
        await consumer.line("http.listening")

    async def is_past() -> bool:
        return await world.count(f"sla_clocks WHERE {ALL_DUE}") == 0

    await world.until(is_past, "all is due")
    assert await world.count("ticket_facts WHERE sequence > 0") == len(tickets)
    await world.let_leases_expire()


async def until_none_is_due(world: World) -> None:
    async def is_none() -> bool:
        return await world.count("sla_clocks WHERE next_fire_at < now()") == 0

    await world.until(is_none, "no clock is due")


async def assert_all_told(world: World, tickets: int, *tenants: str) -> None:
    """Every level of every clock, once, in order, with its true due time and lag."""
    await assert_as_modelled(world, {name: tenant_with(name, HASTY) for name in tenants})
    assert await world.count("ticket_facts WHERE sequence > 1") == TOLD_EACH * tickets


async def test_all_that_fell_due_while_no_timer_ran_is_told_once_and_in_order(
    world: World, tmp_path: Path
) -> None:
    tickets = [opened(number, NORTH) for number in range(200)]
    await open_tickets(world, tmp_path, tickets, NORTH)
    ((began,),) = await world.ask("SELECT now()")
    async with world.service(client=QUICK):
        await until_none_is_due(world)
        await world.come_to_rest()
    await assert_all_told(world, len(tickets), NORTH)
    late = "ticket_facts WHERE ce_type LIKE 'sla.%' AND (data::json ->> 'detected_at')::timestamptz"
    assert await world.count(f"{late} < '{began.isoformat()}'") == 0


async def test_a_timer_killed_between_its_commit_and_publishing_loses_no_breach(
    own_world: World, tmp_path: Path
) -> None:
    """Its commit stands, and it never heard so: the next publishes, and tells nothing again."""
    world = own_world
    tickets = [opened(number, NORTH) for number in range(20)]
    await open_tickets(world, tmp_path, tickets, NORTH)
    async with (
        held_commit(world.database_url, written=CLOCKS_WRITTEN) as held,
        world.service(client=QUICK, DATABASE_URL=held.url) as killed,
    ):
        await held.committed.wait()
        killed.signal(signal.SIGKILL)
        assert await killed.end() == -signal.SIGKILL
    breaches = "ticket_facts WHERE ce_type = 'sla.breached'"
    assert await world.count(breaches) == 2 * len(tickets)
    assert await world.read("sla.breached") == []
    await world.let_leases_expire()
    async with world.service(client=QUICK):
        await until_none_is_due(world)
        await world.come_to_rest()
    assert await world.count(breaches) == 2 * len(tickets)
    await assert_all_told(world, len(tickets), NORTH)


async def test_a_timer_killed_before_its_commit_leaves_all_to_the_next(
    own_world: World, tmp_path: Path
) -> None:
    world = own_world
    tickets = [opened(number, NORTH) for number in range(20)]
    await open_tickets(world, tmp_path, tickets, NORTH)
    moment = f"kill after connection.execute ~{CLOCKS_WRITTEN.decode()}"
    async with world.service("--role", "timers", client=QUICK, faults=[moment]) as killed:
        assert await killed.end() == -signal.SIGKILL
    assert await world.count("ticket_facts WHERE sequence > 1") == 0
    async with world.service(client=QUICK):
        await until_none_is_due(world)
        await world.come_to_rest()
    await assert_all_told(world, len(tickets), NORTH)


async def test_a_ticket_whose_clocks_nobody_understands_stops_no_other(
    world: World, tmp_path: Path
) -> None:
    """Its tenant's policy was spoilt in the database; mended, all is told as it was due."""
    lonely = opened("lonely", SOUTH)
    others = [opened(number, NORTH) for number in range(50)]
    await open_tickets(world, tmp_path, [lonely, *others], NORTH, SOUTH)
    ((document,),) = await world.ask(
        "SELECT document::text FROM policies WHERE tenant_id = $1", SOUTH
    )
    due = "SELECT metric, due_at FROM sla_clocks WHERE ticket_id = $1 ORDER BY metric"
    dates = await world.ask(due, lonely.ticket_id)
    spoil = "UPDATE policies SET document = $2::text::json WHERE tenant_id = $1"
    await world.ask(spoil, SOUTH, '{"sla": 5}')
    async with world.service(client=QUICK) as service:
        line = await service.line("clocks.unfit", ticket_id=lonely.ticket_id)
        assert "PolicyUnreadable" in line["reason"]
        await until_none_is_due(world)
        await world.until_rows("ticket_facts WHERE sequence > 1", TOLD_EACH * len(others))
        assert await world.ask(due, lonely.ticket_id) == dates
        _, page = await service.page("/metrics")
        assert "ticketing_clocks_unfit_total 1.0" in page
    await world.ask(spoil, SOUTH, document)
    await world.ask("UPDATE sla_clocks SET next_fire_at = now() WHERE tenant_id = $1", SOUTH)
    await world.let_leases_expire()
    async with world.service(client=QUICK):
        await world.until_rows("ticket_facts WHERE sequence > 1", TOLD_EACH * (len(others) + 1))
        await world.come_to_rest()
    await assert_all_told(world, len(others) + 1, NORTH, SOUTH)


async def test_many_timers_at_once_tell_nothing_twice(world: World, tmp_path: Path) -> None:
    """All clocks are due at the same instant, and four timers look at the same instant."""
    tickets = [opened(number, NORTH) for number in range(400)]
    await open_tickets(world, tmp_path, tickets, NORTH)
    pools = [await asyncpg.create_pool(world.database_url, min_size=1, max_size=2) for _ in "1234"]
    try:
        async with asyncio.TaskGroup() as timers:
            for pool in pools:
                timers.create_task(sweep(pool))
    finally:
        await asyncio.gather(*(pool.close() for pool in pools))
    assert await world.count("ticket_facts WHERE sequence > 1") == TOLD_EACH * len(tickets)
    async with world.service("--role", "relay", "--role", "consumer", client=QUICK):
        await world.come_to_rest()
    await assert_all_told(world, len(tickets), NORTH)


async def sweep(pool: Any) -> None:  # noqa: ANN401  asyncpg's pool
    """As often as somebody else holds what is due."""
    writes = Writes(pool, Wakeups(), Handover())
    firing = Firing(pool=pool, writes=writes, metrics=Metrics(), copy_from=COPY_FROM)
    while await firing.sweep() is not None:
        continue
