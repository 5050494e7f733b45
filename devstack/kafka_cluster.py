"""Several Kafka nodes, each broker and controller in one, that can be stopped one by one.

Each has two listeners for clients: DIRECT, and PROXIED, which tells clients to come to a port of a
proxy. Nodes talk to one another by DIRECT, so that a proxy's trouble is the clients' alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from devstack import containers, machine
from devstack.choice import ServerMissing, choose
from devstack.fetch import fetch_kafka
from devstack.kafka import Kafka, local_node, new_cluster_id
from devstack.ports import free_port
from devstack.proxy import Proxy

NODES: Final = 3
HEAP: Final = ("-Xms128m", "-Xmx384m")

CLUSTER_OPTIONS: Final[Mapping[str, str]] = {
    "inter.broker.listener.name": "DIRECT",
    "listener.security.protocol.map": "DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A dead node is noticed, and replaced by another leader, within two or three seconds.
    "controller.quorum.fetch.timeout.ms": "1500",
    "controller.quorum.election.timeout.ms": "500",
    "replica.lag.time.max.ms": "3000",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


@dataclass(frozen=True, slots=True)
class Ports:
    """Of one node. advertised: where PROXIED sends clients, and a proxy has to listen."""

    direct: int
    proxied: int
    advertised: int
    controller: int

    def listeners(self) -> dict[str, str]:
        """What the node listens on, and what it tells its clients."""
        return {
            "listeners": (
                f"DIRECT://127.0.0.1:{self.direct},PROXIED://127.0.0.1:{self.proxied},"
                f"CONTROLLER://127.0.0.1:{self.controller}"
            ),
            "advertised.listeners": (
                f"DIRECT://127.0.0.1:{self.direct},PROXIED://127.0.0.1:{self.advertised}"
            ),
        }


class KafkaCluster:
    """Nodes, numbered from 0 here; Kafka's own ids count from 1."""

    def __init__(self, nodes: Sequence[Kafka], ports: Sequence[Ports]) -> None:
        self.nodes = nodes
        self._ports = ports

    @property
    def bootstrap_servers(self) -> str:
        """Straight to the nodes."""
        return ",".join(node.bootstrap_servers for node in self.nodes)

    @property
    def proxied_servers(self) -> str:
        """Through proxies, which have to run."""
        return ",".join(f"127.0.0.1:{each.advertised}" for each in self._ports)

    def proxies(self) -> list[Proxy]:
        """One for each node, to be run by whoever wants trouble."""
        return [Proxy(each.advertised, each.proxied) for each in self._ports]

    def start(self, *numbers: int) -> None:
        """Start these nodes side by side, or all; returns when they answer."""
        self._each(Kafka.start, numbers)

    def stop(self, *numbers: int, kill: bool = False) -> None:
        """Stop these nodes side by side, or all: in order, or with SIGKILL."""

        def stop(node: Kafka) -> None:
            node.stop(kill=kill)

        self._each(stop, numbers)

    def close(self) -> None:
        """End all nodes and remove their data."""
        self._each(Kafka.close, ())

    def _each(self, action: Callable[[Kafka], None], numbers: Sequence[int]) -> None:
        chosen = [self.nodes[each] for each in numbers] or list(self.nodes)
        with ThreadPoolExecutor(len(chosen)) as working:
            list(working.map(action, chosen))


@contextmanager
def running_cluster(*, options: Mapping[str, str] | None = None) -> Iterator[KafkaCluster]:
    """Three nodes, running while the block lasts. options: server properties by name.

    From Maven's jars where Java is here, which needs less memory; else in containers.
    Raises ServerMissing when neither can be had, ServerFailed when a node doesn't start.
    """
    ports = _free_ports(NODES)
    voters = ",".join(f"{id_}@127.0.0.1:{each.controller}" for id_, each in enumerate(ports, 1))
    common = {**CLUSTER_OPTIONS, "controller.quorum.voters": voters, **(options or {})}
    make = _maker()
    with ThreadPoolExecutor(NODES) as making, ExitStack() as ending:
        asked = [
            making.submit(make, each.direct, common | each.listeners() | {"node.id": str(id_)})
            for id_, each in enumerate(ports, 1)
        ]
        for made in asked:
            if made.exception() is None:
                ending.callback(made.result().close)
        cluster = KafkaCluster([made.result() for made in asked], ports)
        cluster.start()
        yield cluster


def _maker() -> Callable[[int, Mapping[str, str]], Kafka]:
    """What makes a node, given the port where it answers and its properties."""
    cluster_id = new_cluster_id()
    here = machine.look(separate=True)
    try:
        choose(replace(here, docker=False), postgres=False)
    except ServerMissing:
        choose(here, postgres=False)
        return partial(containers.container_node, cluster_id=cluster_id, heap=HEAP)
    return partial(_local, fetch_kafka(), cluster_id)


def _local(jars: Path, cluster_id: str, port: int, properties: Mapping[str, str]) -> Kafka:
    return local_node(jars, port=port, properties=properties, cluster_id=cluster_id, heap=HEAP)


def _free_ports(count: int) -> list[Ports]:
    found: list[int] = []
    while len(found) < 4 * count:
        if (port := free_port()) not in found:
            found.append(port)
    return [Ports(*found[at : at + 4]) for at in range(0, len(found), 4)]
