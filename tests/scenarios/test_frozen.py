"""Processes that stand still, wholly or in one place, and go on when the world has moved on."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.integration.service_process import ServiceProcess, running_service
from tests.scenarios.messages import customer, requested
from tests.scenarios.test_crashes import QUICK
from tests.scenarios.world import FAULTY, World

NOT_RELAYING = ("--role", "consumer", "--role", "timers")


async def test_a_zombies_offsets_are_refused(own_world: World) -> None:
    """Its batch is committed and its offsets are not; another reads it again, and on."""
    world = own_world
    await world.publish(customer())
    async with obedient(world) as zombie:
        await world.until_handled()
        say(zombie, "stop before consumer.commit")
        await world.publish(requested("before"))
        await world.until_stopped(zombie)
        assert await world.count("tickets") == 1
        await world.let_leases_expire()
        async with world.service(client=QUICK) as other:
            await other.line("partitions.assigned")
            await world.publish(requested("after"))
            await world.until_at_rest()
            assert any(line.get("duplicate") for line in events(other, "batch.committed"))
            zombie.signal(signal.SIGCONT)
            await zombie.line("offsets.refused")
            await zombie.line("lease.lost")
            assigned = len(events(zombie, "partitions.assigned"))
            other.signal(signal.SIGTERM)
            assert await other.end() == 0
        await world.until(again(zombie, "partitions.assigned", assigned), "it joins again")
        await world.publish(*[requested(number) for number in range(20)])
        await world.until_rows("tickets", 22)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 22}
    assert report.published == 22


ZOMBIE_RELAYS = {
    "its round is sent, and not written off": "stop before connection.fetchval ~FOR NO KEY UPDATE",
    "it is about to delete": "stop before connection.execute ~DELETE FROM outbox",
    "its round is on its way": "stop after producer.send_batch",
}


@pytest.mark.parametrize("moment", ZOMBIE_RELAYS)
async def test_a_relay_is_overtaken_and_goes_on(moment: str, own_world: World) -> None:
    """What it had sent may be repeated, once. It deletes nothing any more, and then stands by."""
    world = own_world
    await world.publish(customer())
    faults = [ZOMBIE_RELAYS[moment]]
    async with (
        world.service(*NOT_RELAYING, client=QUICK),
        world.service("--role", "relay", faults=faults) as zombie,
    ):
        await zombie.line("lease.taken")
        await world.publish(*[requested(number) for number in range(100)])
        await world.until_stopped(zombie)
        await world.let_leases_expire()  # where the zombie has it locked: once the server ends that
        async with world.service("--role", "relay") as other:
            await other.line("lease.taken", fence=2)
            await world.publish(*[requested(f"after {number}") for number in range(100)])
            await world.until_at_rest()
            zombie.signal(signal.SIGCONT)
            await zombie.line("lease.lost", fence=1)
            other.signal(signal.SIGTERM)
            assert await other.end() == 0
        await zombie.line("lease.taken", fence=3)
        await world.publish(requested("last"))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 201}
    assert report.published == 201
    assert report.repeated <= 100


async def test_a_loop_that_stands_still_is_told_and_overtaken_and_recovers(
    own_world: World,
) -> None:
    """Nobody answers a probe meanwhile. The group puts it out, and takes it back."""
    world = own_world
    await world.publish(customer())
    async with obedient(world, "block before connection.execute ~zombie") as blocked:
        await blocked.line("partitions.assigned")
        await world.publish(*[requested(f"zombie-{number}") for number in range(50)])
        line = await blocked.line("loop.stood_still")
        assert any("next_line" in where for where in line["stack"])
        probe = asyncio.create_task(blocked.page("/livez"))
        async with world.service(client=QUICK) as other:
            await world.until_rows("requests WHERE ticket_id IS NOT NULL", 50)
            assigned = len(events(blocked, "partitions.assigned"))
            assert not probe.done()
            say(blocked, "")
            await blocked.line("loop.moved_again")
            assert (await probe)[0] == 200
            await world.until(again(blocked, "partitions.assigned", assigned), "it joins again")
            other.signal(signal.SIGTERM)
            assert await other.end() == 0
        await world.publish(requested("after"))
        await world.until_rows("tickets", 51)
        report = await world.come_to_rest()
        await blocked.ready()
    assert report.outcomes == {"applied": 1, "created": 51}
    assert report.published == 51


async def test_a_relay_that_hangs_is_not_live_until_it_moves(own_world: World) -> None:
    world = own_world
    await world.publish(customer())
    hang = "hang connection.fetch ~FROM outbox #*"
    async with obedient(world, hang, patience=3) as service:
        await world.publish(requested())
        line = await service.line("activity.stuck", activity="the relay")
        assert "the relay has stood still for" in line["reason"]
        status, page = await service.document("/livez")
        assert (status, page["problems"]) == (503, [page["problems"][0]])
        assert "the relay has stood still" in page["problems"][0]
        say(service, "")
        await service.line("activity.moved_again", activity="the relay")
        assert (await service.document("/livez"))[0] == 200
        report = await world.come_to_rest()
    assert report.published == 1
    assert len(events(service, "activity.stuck")) == 1


async def test_an_intake_that_hangs_is_not_live_and_its_successor_goes_on(
    own_world: World,
) -> None:
    world = own_world
    await world.publish(customer())
    async with obedient(world, patience=3) as service:
        await world.publish(requested("before"))
        await world.until_at_rest()
        say(service, "hang consumer.getmany")
        await service.line("fault.struck", fault="hang")
        await world.publish(requested("behind"))
        await service.line("activity.stuck", activity="the intake")
        status, page = await service.document("/livez")
        assert status == 503
        assert "the intake has stood still" in page["problems"][0]
        service.signal(signal.SIGKILL)
        await service.end()
        world.services.remove(service)
        await world.let_leases_expire()
        async with world.service(client=QUICK):
            report = await world.come_to_rest()
    assert report.outcomes["created"] == 2


async def test_who_stands_by_is_live(own_world: World) -> None:
    """There is work, and it isn't theirs: the lease's holder stands still, and keeps the lease."""
    world = own_world
    await world.publish(customer())
    async with obedient(world, patience=1, role="relay") as other:
        await other.line("lease.taken")
        await world.ask("UPDATE leases SET holder = 'somebody', expires_at = now() + '1 hour'")
        await other.line("lease.lost")
        async with world.service(*NOT_RELAYING, client=QUICK):
            await world.publish(requested())
            await world.until_rows("outbox")
            for _ in range(30):
                assert (await other.document("/livez"))[0] == 200
                await asyncio.sleep(0.1)
            await world.let_leases_expire()
            report = await world.come_to_rest()
    assert report.published == 1
    assert events(other, "activity.stuck") == []


def events(service: ServiceProcess, event: str) -> list[dict[str, object]]:
    return [line for line in service.lines if line.get("event") == event]


def again(service: ServiceProcess, event: str, before: int) -> Callable[[], Awaitable[bool]]:
    """Whether it has happened more often by now."""

    async def is_told() -> bool:
        return len(events(service, event)) > before

    return is_told


def say(service: ServiceProcess, sentence: str) -> None:
    """One more fault, or a healing one: see `faulty`."""
    assert service.process.stdin is not None
    service.process.stdin.write(sentence.encode() + b"\n")


@asynccontextmanager
async def obedient(
    world: World, *faults: str, patience: float | None = None, role: str | None = None
) -> AsyncIterator[ServiceProcess]:
    """A service that hears what `say` says."""
    words = ["--obey", *(word for constant in QUICK for word in ("--client", constant))]
    words += [word for fault in faults for word in ("--fault", fault)]
    words += [] if patience is None else ["--patience", str(patience)]
    words += [] if role is None else ["--role", role]
    async with running_service(
        *words, settings=world.environment, program=FAULTY, stdin=asyncio.subprocess.PIPE
    ) as service:
        world.services.append(service)
        try:
            yield service
        finally:
            if service in world.services:
                world.services.remove(service)
