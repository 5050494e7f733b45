"""What a fault of the chaos run finds: servers, services at work, and records coming in."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from devstack.kafka_cluster import KafkaCluster
from devstack.postgres import Postgres
from devstack.proxy import Proxy
from tests.chaos.crew import Crew
from tests.chaos.load import Load
from tests.scenarios.world import World


@dataclass(slots=True)
class Scene:
    """Everything that a fault may touch.

    world: database and topics, reached by a direct way that no proxy's trouble disturbs; the
    services reach the same through the proxies. kafka_proxies: one in front of each node, in the
    cluster's order. database_proxy: in front of PostgreSQL. rng: the run's, by its seed.
    """

    world: World
    cluster: KafkaCluster
    postgres: Postgres
    kafka_proxies: Sequence[Proxy]
    database_proxy: Proxy
    services: Crew
    load: Load
    rng: Random
