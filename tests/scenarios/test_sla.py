"""Service levels as subscribers see them: what is due is told once, in order, whoever dies."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

from tests.scenarios.messages import Message
from tests.scenarios.sla_changes import Opened, random_change, random_ticket
from tests.scenarios.sla_crew import Crew, crew
from tests.scenarios.sla_replay import assert_replays
from tests.scenarios.sla_story import assert_as_modelled
from tests.scenarios.sla_tenants import random_tenant, settle_in
from tests.scenarios.world import World

TICKETS: Final = 5_000
SEED: Final = 5
TENANTS: Final = ("north", "south", "east", "west")
OPENING_ROUNDS: Final = 4
ROUNDS: Final = 10
CHANGES_PER_TICKET: Final = 2
TOLD_PER_TICKET: Final = 2
"""By timers, until the last changes are sent: they come at all stages of tickets' lives."""


async def test_what_is_told_of_5000_tickets_is_what_a_straight_line_says(
    world: World, tmp_path: Path
) -> None:
    """Random policies, pauses and changes; three timers, two of which die again and again."""
    random = Random(SEED)  # noqa: S311  nothing secret comes of it
    tenants = {name: random_tenant(name, random) for name in TENANTS}
    async with world.service("--role", "consumer"), world.service("--role", "relay"):
        await settle_in(world, tmp_path, tenants)
        async with crew(world, random) as timers:
            await live_through(world, timers, random)
            await until_clocks_rest(world)
        report = await world.come_to_rest()
    assert timers.deaths > 0
    assert report.tickets == TICKETS
    await assert_as_modelled(world, tenants)
    await assert_replays(world, tenants)


async def live_through(world: World, timers: Crew, random: Random) -> None:
    """Send tickets and changes in rounds; each is handled, and time goes on, before the next."""
    sent = 0
    for number, messages in enumerate(rounds(random)):
        await world.publish(*messages)
        sent += len(messages)
        await world.until_rows("requests", sent)
        await timers.until_told(TICKETS * TOLD_PER_TICKET * number // ROUNDS)


def rounds(random: Random) -> Iterator[list[Message]]:
    """Tickets come in the first ones, changes of those that are there in all but the first."""
    tickets: list[Opened] = []
    changes = 0
    for number in range(ROUNDS):
        messages = []
        if tickets:
            for _ in range(TICKETS * CHANGES_PER_TICKET // (ROUNDS - 1)):
                changes += 1
                messages.append(random_change(random.choice(tickets), changes, random))
        if number < OPENING_ROUNDS:
            new = new_tickets(len(tickets), TICKETS // OPENING_ROUNDS, random)
            messages += [ticket.message for ticket in new]
            tickets += new
        yield messages


def new_tickets(first: int, count: int, random: Random) -> Sequence[Opened]:
    return [
        random_ticket(number, random.choice(TENANTS), random)
        for number in range(first, first + count)
    ]


async def until_clocks_rest(world: World) -> None:
    """Nothing is due now, nor soon: only what a tenant left to the default table goes on."""

    async def is_at_rest() -> bool:
        soon = "next_fire_at < now() + interval '10 minutes'"
        return await world.count(f"sla_clocks WHERE {soon}") == 0

    await world.until(is_at_rest, "clocks at rest")
