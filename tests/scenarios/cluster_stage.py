"""A world on a cluster of three nodes, with a proxy in front of each server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from confluent_kafka.admin import AdminClient

from devstack.kafka_cluster import KafkaCluster
from devstack.ports import free_port
from devstack.proxy import Proxy
from devstack.topics import delete_topics, random_prefix
from tests.integration.service_process import ServiceProcess
from tests.scenarios.world import World


@dataclass(slots=True)
class ClusterStage:
    """world: database and topics by the direct way; the services come through the proxies."""

    world: World
    cluster: KafkaCluster
    kafka_proxies: Sequence[Proxy]
    database_proxy: Proxy

    @property
    def proxies(self) -> list[Proxy]:
        return [*self.kafka_proxies, self.database_proxy]

    @property
    def elsewhere(self) -> dict[str, str]:
        """The settings of a service that comes through the proxies."""
        return {
            "DATABASE_URL": through(self.database_proxy, self.world.database_url),
            "KAFKA_BOOTSTRAP_SERVERS": self.cluster.proxied_servers,
        }

    @asynccontextmanager
    async def service(self, *client: str, **options: str) -> AsyncIterator[ServiceProcess]:
        """A service; client: constants of `consumer.clients`."""
        async with self.world.service(client=client, **self.elsewhere, **options) as service:
            yield service

    def leader_of(self, topic: str, partition: int) -> int:
        """Which node, counted from 0, leads a partition; topic: without the prefix."""
        admin = AdminClient({"bootstrap.servers": self.world.kafka, "log_level": 0})
        name = self.world.prefix + topic
        found = admin.list_topics(name, timeout=30).topics[name].partitions[partition]
        return int(found.leader) - 1


def through(proxy: Proxy, url: str) -> str:
    """The same database by way of a proxy."""
    parts = urlsplit(url)
    who = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{who}@127.0.0.1:{proxy.port}").geturl()


@asynccontextmanager
async def cluster_staged(cluster: KafkaCluster, database_url: str) -> AsyncIterator[ClusterStage]:
    """A stage with fresh topics, each on every node."""
    world = World(cluster.bootstrap_servers, database_url, random_prefix())
    database = Proxy(free_port(), urlsplit(database_url).port or 5432)
    proxies = cluster.proxies()
    async with AsyncExitStack() as stack:
        for proxy in (database, *proxies):
            await stack.enter_async_context(proxy.listening())
        await world.make_topics(replication=len(cluster.nodes))
        stack.callback(delete_topics, world.kafka, prefix=world.prefix)
        stack.push_async_callback(world.hang_up)
        yield ClusterStage(world, cluster, proxies, database)
