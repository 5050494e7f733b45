"""Members come and go without end, while records come in: the work is done all the same."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.scenarios.messages import customer, party_id, requested
from tests.scenarios.test_crashes import QUICK
from tests.scenarios.world import World

PEOPLE = 40
SECONDS_BETWEEN = 1.0
KILLED = 3
"""Every third does not leave in order."""


@asynccontextmanager
async def storm(world: World, *, members: int) -> AsyncIterator[None]:
    """So many join, one each second, and leave again two seconds later, beside one that stays."""

    async def come_and_go(number: int) -> None:
        async with world.service(client=QUICK, BATCH_RECORDS="50") as member:
            await member.line("http.listening")
            await asyncio.sleep(2 * SECONDS_BETWEEN)
            if number % KILLED == 0:
                world.services.remove(member)  # nobody is to wonder about its end
                member.signal(signal.SIGKILL)
                await member.end()
                world.services.append(member)
            else:
                member.signal(signal.SIGTERM)
                assert await member.end() == 0, member.lines[-5:]

    async with world.service(client=QUICK, BATCH_RECORDS="50"), asyncio.TaskGroup() as group:
        for number in range(members):
            group.create_task(come_and_go(number))
            await asyncio.sleep(SECONDS_BETWEEN)
        yield


async def test_members_join_and_leave_every_second(own_world: World) -> None:
    await weather(own_world, members=10, count=5_000)


async def weather(world: World, *, members: int, count: int) -> None:
    """A storm over a steady load of so many requests."""
    await world.publish(*[customer(f"customer {number}") for number in range(PEOPLE)])
    load = [
        requested(number, customer_id=party_id(f"customer {number % PEOPLE}"))
        for number in range(count)
    ]
    portion = count // members

    async def send() -> None:
        for number in range(members):
            await world.publish(*load[number * portion : (number + 1) * portion])
            await asyncio.sleep(SECONDS_BETWEEN)

    async with AsyncExitStack() as stack:
        sending = asyncio.create_task(send())
        await stack.enter_async_context(storm(world, members=members))
        await sending
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": PEOPLE, "created": portion * members}
    assert report.published == portion * members
