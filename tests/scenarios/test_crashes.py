"""SIGKILL where it hurts most, and a process that comes back from the dead."""

import signal

import pytest

from tests.scenarios.messages import customer, requested
from tests.scenarios.world import World

QUICK = ("SESSION_TIMEOUT_MS=1000", "HEARTBEAT_INTERVAL_MS=200")
"""A member that was killed is missed sooner than in production. Our own broker allows it."""

MOMENTS = {
    "between the database's commit and the offsets'": "kill before consumer.commit",
    "while offsets are committed": "kill after consumer.commit",
    "before the database's commit": "kill before connection.execute ~COMMIT #3",
    "just after the database's commit": "kill after connection.execute ~COMMIT #3",
    "between publishing and forgetting the outbox row": (
        "kill before connection.execute ~DELETE FROM outbox"
    ),
    "after forgetting it, before the commit of that": (
        "kill after connection.execute ~DELETE FROM outbox"
    ),
    "just before the facts are sent": "kill before producer.send_batch",
    "while the facts are on their way": "kill after producer.send_batch",
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed(moment: str, own_world: World) -> None:
    world = own_world
    await world.publish(customer())
    await world.publish(*[requested(number) for number in range(300)], requested("x", title=5))
    async with world.service(faults=[MOMENTS[moment]], client=QUICK) as killed:
        assert await killed.end() == -signal.SIGKILL
    await world.let_leases_expire()
    async with world.service(client=QUICK):
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 300, "dead_lettered": 1}
    assert report.published == 300


ZOMBIES = {
    "stop before connection.execute ~zombie": "requests WHERE ticket_id IS NOT NULL",
    "stop after connection.execute ~zombie": "pg_locks WHERE NOT granted",
}
"""Its decision is not written yet, and another's is; or it is, and the other waits for it."""


@pytest.mark.parametrize("moment", ZOMBIES)
async def test_a_record_decided_while_a_zombie_decides_it_too(
    moment: str, own_world: World
) -> None:
    """Stopped until the group has given its partitions away, and then continued."""
    world = own_world
    zombies = [requested(f"zombie-{number}") for number in range(50)]
    await world.publish(customer())
    async with world.service(faults=[moment], client=QUICK) as zombie:
        await zombie.line("partitions.assigned")
        await world.publish(*zombies)
        await world.until_stopped(zombie)
        async with world.service(client=QUICK) as other:
            await other.line("partitions.assigned")
            await world.publish(requested("after"))
            await world.until_rows(ZOMBIES[moment])
            zombie.signal(signal.SIGCONT)
            await world.until_rows("tickets", 51)
            report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 51}
    assert report.published == 51
