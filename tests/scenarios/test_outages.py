"""The database or the broker goes away and comes back: everything waits, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from devstack.stack import Stack
from tests.integration.service_process import ServiceProcess
from tests.scenarios.messages import customer, requested
from tests.scenarios.world import World

LOAD = 3_000


@asynccontextmanager
async def sending(world: World, count: int = LOAD) -> AsyncIterator[None]:
    """Requests come in all the while, at a pace that outlasts the outage."""
    producer = world.producer(delivery_timeout_ms=120_000, retry_backoff_ms=50)
    is_over = asyncio.Event()

    async def send() -> None:
        for number in range(count):
            world.produce(producer, requested(number))
            if number % 20 == 0 and not is_over.is_set():
                try:
                    async with asyncio.timeout(0.05):
                        await is_over.wait()
                except TimeoutError:
                    continue

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        is_over.set()
        await task
        assert await asyncio.to_thread(producer.flush, 120) == 0


def stops(stack: Stack, server: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """How to take a server away, and how to bring it back."""
    match server:
        case "database":
            return stack.postgres.stop, stack.postgres.start
        case "database, killed":
            return lambda: stack.postgres.stop(immediate=True), stack.postgres.start
        case "broker":
            return stack.kafka.stop, stack.kafka.start
        case _:
            return lambda: stack.kafka.stop(kill=True), stack.kafka.start


async def until_it_says(world: World, service: ServiceProcess, problem: str) -> None:
    """Wait until /readyz names the problem. All the while /livez is green."""

    async def is_said() -> bool:
        assert (await service.document("/livez"))[0] == 200
        status, ready = await service.document("/readyz")
        assert (status == 200) == (ready["problems"] == [])
        return any(problem in each for each in ready["problems"])

    await world.until(is_said, f"/readyz says {problem!r}")


@pytest.mark.parametrize("server", ["database", "database, killed", "broker", "broker, killed"])
async def test_stopped_and_started_under_load(
    server: str, own_stack: Stack, own_world: World
) -> None:
    world = own_world
    stop, start = stops(own_stack, server)
    name = "kafka" if server.startswith("broker") else "database"
    await world.publish(customer())
    async with world.service() as service:
        async with sending(world):
            await world.until_rows("tickets", 200)
            await asyncio.to_thread(stop)
            await until_it_says(world, service, f"{name} does not answer")
            await asyncio.to_thread(start)
            await service.ready()
        report = await world.come_to_rest()
        assert (await service.document("/livez"))[0] == 200
    assert report.outcomes == {"applied": 1, "created": LOAD}
    assert await world.count("dead_letters") == 0
    assert "Traceback" not in repr(service.lines)


async def hold_out(world: World, service: ServiceProcess, problem: str, seconds: float) -> None:
    """For so long nothing changes: alive, not ready, and the reason is told."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        await until_it_says(world, service, problem)


async def away_for(world: World, stack: Stack, server: str, *, seconds: float) -> None:
    """A server is away for a while; whoever asked meanwhile gets a ticket, and nothing is dead."""
    stop, start = stops(stack, server)
    name = "kafka" if server == "broker" else "database"
    await world.publish(customer())
    async with world.service() as service:
        await world.publish(*[requested(number) for number in range(500)])
        await asyncio.to_thread(stop)
        await hold_out(world, service, f"{name} does not answer", seconds)
        await asyncio.to_thread(start)
        report = await world.come_to_rest()
        await service.ready()
    assert report.outcomes == {"applied": 1, "created": 500}
    assert await world.count("dead_letters") == 0


@pytest.mark.parametrize("server", ["database", "broker"])
async def test_away_for_some_seconds(server: str, own_stack: Stack, own_world: World) -> None:
    await away_for(own_world, own_stack, server, seconds=3)
