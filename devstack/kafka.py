"""Apache Kafka in KRaft mode: one process, its own directory, a port that never changes."""

import shutil
import signal
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from devstack.ports import free_port
from devstack.server import GuardedServer, Server, ServerFailed, wait_until_ready

_API_VERSIONS = 18

# What any single broker for tests wants: quick groups, no surprise topics, few inner partitions.
COMMON_OPTIONS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # After a kill the broker's earlier self must expire before it may register again.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}

_LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d %p %c: %m%n
"""


class Kafka:
    """A broker to use, and, unless it was given by its address, to stop and start."""

    def __init__(self, bootstrap_servers: str, server: Server) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._server = server

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> None:
        """Same port, same data; returns when the broker answers."""
        self._server.start()
        wait_until_ready("Kafka", self._server, self._answers)

    def stop(self, *, kill: bool = False) -> None:
        """Shut down in order, or with SIGKILL; returns when the process has ended."""
        self._server.stop(signal.SIGKILL if kill else signal.SIGTERM)

    def close(self) -> None:
        self._server.close()

    def _answers(self) -> bool:
        return answers_api_versions(self.bootstrap_servers)


def answers_api_versions(bootstrap_servers: str) -> bool:
    """True when the broker serves requests, asked in its own protocol (ApiVersions, version 0)."""
    host, _, port = bootstrap_servers.rpartition(":")
    request = struct.pack(">hhih", _API_VERSIONS, 0, 1, -1)
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(10)) > 0
    except OSError:
        return False


def local_kafka(jars: Path, *, options: Mapping[str, str]) -> Kafka:
    """A broker from the jars in a directory, running; closing it removes its data."""
    port = free_port()
    controller_port = free_port(other_than=port)
    kafka = local_node(
        jars,
        port=port,
        properties={
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            **options,
        },
        cluster_id=new_cluster_id(),
    )
    try:
        kafka.start()
    except BaseException:
        kafka.close()
        raise
    return kafka


def local_node(
    jars: Path,
    *,
    port: int,
    properties: Mapping[str, str],
    cluster_id: str,
    heap: tuple[str, str] = ("-Xms256m", "-Xmx768m"),
) -> Kafka:
    """A broker to be started. port: where it answers; properties: besides the common ones."""
    java = shutil.which("java")
    if java is None:
        raise ServerFailed("Kafka needs java, which is no longer on the path.")
    server = GuardedServer("Kafka", end_signal=signal.SIGKILL)  # its data goes anyway
    try:
        path = server.directory / "server.properties"
        logging = server.directory / "log4j2.properties"
        logging.write_text(_LOGGING)
        data = {"log.dirs": str(server.directory / "data")}
        path.write_text(_properties_text({**COMMON_OPTIONS, **data, **properties}))
        common = [java, "-cp", f"{jars}/*", f"-Dlog4j2.configurationFile={logging}"]
        _format_storage(common, path, cluster_id)
        server.argv = [*common, *heap, "kafka.Kafka", str(path)]
    except BaseException:
        server.close()
        raise
    return Kafka(f"127.0.0.1:{port}", server)


def new_cluster_id() -> str:
    """A random one, in Kafka's form."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _format_storage(java: list[str], properties: Path, cluster_id: str) -> None:
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    done = subprocess.run(
        [
            *(*java, *quick, "kafka.tools.StorageTool"),
            # With "=", since an id may begin with "-" and would be taken for an option.
            *("format", f"--cluster-id={cluster_id}", "--config", str(properties)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerFailed(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")


def _properties_text(options: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in options.items())
