"""The network is slow, is cut in mid-message, or swallows what it is given: the promise holds."""

from collections.abc import Sequence

import pytest

from devstack.proxy import Act, Proxy, Toward, Trouble, until_struck
from tests.scenarios.cluster_stage import ClusterStage
from tests.scenarios.messages import customer, requested
from tests.scenarios.test_outages import until_it_says

COUNT = 200
IN_A_FACT = b'"ticket_number"'
"""Passes toward Kafka in what we publish, and in nothing else."""

A_COPY = b"COPY "
A_COMMIT = b"COMMIT\0"
QUICK = "REQUEST_TIMEOUT_MS=2000"
"""Half of a request's time is over sooner than in production."""


def begin(proxies: Sequence[Proxy], trouble: Trouble) -> None:
    for proxy in proxies:
        proxy.begin(trouble)


def heal(proxies: Sequence[Proxy], *, late: bool = False) -> None:
    for proxy in proxies:
        proxy.heal(late=late)


async def all_created(stage: ClusterStage) -> None:
    report = await stage.world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": COUNT}
    assert report.published == COUNT
    assert await stage.world.count("dead_letters") == 0


async def publish_load(stage: ClusterStage) -> None:
    await stage.world.publish(*[requested(number) for number in range(COUNT)])


CUTS = {
    "mid-produce, on the way there": Trouble(Act.CUT, (IN_A_FACT,), Toward.SERVER, 300),
    "mid-produce, before the answer": Trouble(Act.CUT, (IN_A_FACT,), Toward.CLIENT, 1),
    "mid-fetch": Trouble(Act.CUT, (), Toward.CLIENT, 20_000),
}


@pytest.mark.parametrize("moment", CUTS)
async def test_the_way_to_kafka_is_cut(moment: str, cluster_stage: ClusterStage) -> None:
    stage = cluster_stage
    await stage.world.publish(customer())
    async with stage.service() as service:
        await service.line("partitions.assigned")
        begin(stage.kafka_proxies, CUTS[moment])
        await publish_load(stage)
        await until_struck(stage.kafka_proxies)
        heal(stage.kafka_proxies)
        await all_created(stage)


@pytest.mark.parametrize("late", [True, False])
async def test_kafka_is_a_black_hole_for_longer_than_a_request_may_take(
    cluster_stage: ClusterStage, *, late: bool
) -> None:
    """What was sent into it comes to light in the end, or is lost with its connections."""
    stage = cluster_stage
    await stage.world.publish(customer())
    async with stage.service(QUICK) as service:
        await service.line("partitions.assigned")
        begin(stage.kafka_proxies, Trouble(Act.HOLD, (IN_A_FACT,)))
        await publish_load(stage)
        await until_struck(stage.kafka_proxies)
        for proxy in stage.kafka_proxies:
            proxy.hold()
        await until_it_says(stage.world, service, "kafka does not answer")
        heal(stage.kafka_proxies, late=late)
        await all_created(stage)


BREAKS = {
    "in mid-COPY": Trouble(Act.CUT, (A_COPY,), Toward.SERVER, 2_000),
    "in mid-COMMIT, on the way there": Trouble(Act.CUT, (A_COPY, A_COMMIT[:-2])),
    "before a COMMIT is answered": Trouble(Act.CUT, (A_COPY, A_COMMIT), Toward.CLIENT, 1),
}


@pytest.mark.parametrize("moment", BREAKS)
async def test_the_way_to_the_database_is_cut(moment: str, cluster_stage: ClusterStage) -> None:
    stage = cluster_stage
    await stage.world.publish(customer())
    async with stage.service() as service:
        await service.line("partitions.assigned")
        begin([stage.database_proxy], BREAKS[moment])
        await publish_load(stage)
        await until_struck([stage.database_proxy])
        heal([stage.database_proxy])
        await all_created(stage)


@pytest.mark.parametrize("late", [True, False])
async def test_the_answer_to_a_commit_is_swallowed(
    cluster_stage: ClusterStage, *, late: bool
) -> None:
    """It took effect, and nobody here knows; the answer comes late, or never."""
    stage = cluster_stage
    await stage.world.publish(customer())
    async with stage.service() as service:
        await service.line("partitions.assigned")
        hole = Trouble(Act.HOLD, (A_COPY, A_COMMIT), held=frozenset({Toward.CLIENT}))
        stage.database_proxy.begin(hole)
        await publish_load(stage)
        await until_struck([stage.database_proxy])
        stage.database_proxy.hold()
        await until_it_says(stage.world, service, "database does not answer")
        heal([stage.database_proxy], late=late)
        await all_created(stage)


async def test_both_sides_are_slow(cluster_stage: ClusterStage) -> None:
    """Each round trip takes 50 to 200 ms more."""
    stage = cluster_stage
    await stage.world.publish(customer())
    async with stage.service() as service:
        await service.line("partitions.assigned")
        for seconds, proxy in zip((0.025, 0.1, 0.05, 0.1), stage.proxies, strict=True):
            proxy.delay(seconds)
        await publish_load(stage)
        await stage.world.until_at_rest()
        await service.ready()
        heal(stage.proxies)
        await all_created(stage)
