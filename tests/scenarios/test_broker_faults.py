"""A cluster of three nodes loses the leader of our partitions, then two nodes; both come back."""

import asyncio

from tests.scenarios.cluster_stage import ClusterStage
from tests.scenarios.messages import customer, requested
from tests.scenarios.test_outages import sending, until_it_says

LOAD = 1_000


async def test_the_leader_of_our_partitions_is_killed(cluster_stage: ClusterStage) -> None:
    """Another leads, and work goes on while the dead one is still dead."""
    world, cluster = cluster_stage.world, cluster_stage.cluster
    await world.publish(customer())
    async with cluster_stage.service() as service:
        await world.publish(*[requested(number) for number in range(500)])
        await world.until_rows("tickets", 100)
        gone = cluster_stage.leader_of("ticket.requested", 0)
        await asyncio.to_thread(cluster.stop, gone, kill=True)
        await world.publish(*[requested(number) for number in range(500, LOAD)])
        await world.until_rows("tickets", LOAD)
        assert cluster_stage.leader_of("ticket.requested", 0) != gone
        assert (await service.document("/livez"))[0] == 200
        await asyncio.to_thread(cluster.start, gone)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": LOAD}
    assert (report.published, await world.count("dead_letters")) == (LOAD, 0)


async def test_two_of_three_nodes_are_gone_and_come_back(cluster_stage: ClusterStage) -> None:
    """Nothing can be written any more: the service waits and says why, and lives."""
    world, cluster = cluster_stage.world, cluster_stage.cluster
    await world.publish(customer())
    async with cluster_stage.service() as service:
        async with sending(world, LOAD):
            await world.until_rows("tickets", 200)
            await asyncio.to_thread(cluster.stop, 0, 1, kill=True)
            await until_it_says(world, service, "kafka does not answer")
            await asyncio.to_thread(cluster.start, 0, 1)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": LOAD}
    assert (report.published, await world.count("dead_letters")) == (LOAD, 0)
