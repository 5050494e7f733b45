"""A day's facts wait for a relay; two come, and the one that publishes is killed half-way."""

from contextlib import AsyncExitStack

import psutil

from tests.integration.service_process import ServiceProcess
from tests.scenarios.backlog import add_backlog
from tests.scenarios.messages import customer, requested
from tests.scenarios.world import World

TICKETS = 400
SHORT = 20_000
MOST_RESIDENT_BYTES = 400 * 1024 * 1024
"""Of a process that publishes. It takes 90 MiB before, and a round is 8 MiB of data."""

NO_RELAY = ("--role", "consumer", "--role", "timers")


async def test_a_backlog_is_published_in_order_although_a_relay_dies(world: World) -> None:
    await drained(world, facts=SHORT)


async def drained(world: World, *, facts: int) -> None:
    """Let a backlog of so many facts come about, and two relays publish it."""
    await world.publish(customer(), *map(requested, range(TICKETS)))
    async with world.service(*NO_RELAY), AsyncExitStack() as life:
        await world.until_rows("tickets", TICKETS)
        await world.until_handled()
        await add_backlog(world, facts=facts)
        assert (await world.report()).waiting["facts"] == facts
        writes = await world.count("outbox")
        first = await life.enter_async_context(world.service("--role", "relay"))
        await first.line("lease.taken")
        async with world.service("--role", "relay") as second:
            peak = await left(world, first, writes // 2)
            await life.aclose()  # SIGKILL
            await second.line("lease.taken")
            peak = max(peak, await left(world, second, 0))
            report = await world.come_to_rest()
    assert (report.facts, report.published, report.tickets) == (facts, facts, TICKETS)
    assert peak < MOST_RESIDENT_BYTES


async def left(world: World, relay: ServiceProcess, writes: int) -> int:
    """Wait until so few writes are left to be published; the relay's greatest size meanwhile."""
    process = psutil.Process(relay.process.pid)
    peak = 0

    async def is_so() -> bool:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        return await world.count("outbox") <= writes

    await world.until(is_so, f"{writes} writes left")
    return peak
