"""Kafka and PostgreSQL in containers, for machines where a Docker daemon answers.

testcontainers' own reaper ends them after a crash of ours. A container keeps its data while it is
stopped, and its port is picked before it starts, so stopping and starting changes neither.
"""

import gc
import secrets
import signal
import warnings
from collections.abc import Mapping
from typing import TypeVar

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from devstack import kafka, postgres
from devstack.ports import free_port
from devstack.server import ServerFailed

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:18.6"

_LOG_CHARACTERS_SHOWN = 2_000
_AnyServer = TypeVar("_AnyServer", kafka.Kafka, postgres.Postgres)


def daemon_answers() -> bool:
    """True when a daemon on this machine answers; a remote one's ports aren't on 127.0.0.1."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        answers = _daemon_answers()
        gc.collect()  # docker-py leaves its socket open where no daemon answers
    return answers


def _daemon_answers() -> bool:
    try:
        client = docker.from_env()
    except DockerException:
        return False
    try:
        local = client.api.base_url.startswith(("http+docker://", "http://localhost", "npipe"))
        return local and bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()


def pull_images(*images: str) -> None:
    """Pull what isn't here yet, and the reaper's image with it."""
    client = docker.from_env()
    try:
        for image in (*images, testcontainers_config.ryuk_image):
            try:
                client.images.get(image)
            except ImageNotFound:
                client.images.pull(image)
    finally:
        client.close()


class ContainerServer:
    """A container that is made once and can be stopped and started."""

    def __init__(self, container: DockerContainer) -> None:
        self._container = container
        self._made = False

    @property
    def pid(self) -> int:
        self._container.reload()
        return int(self._container.get_wrapped_container().attrs["State"]["Pid"])

    def start(self) -> None:
        if self._made:
            self._container.get_wrapped_container().start()
            return
        self._container.start()
        self._made = True

    def stop(self, number: signal.Signals) -> None:
        running = self._container.get_wrapped_container()
        running.kill(signal=number.name)
        running.wait()

    def failure(self) -> str | None:
        self._container.reload()
        if self._container.status in {"created", "running", "restarting"}:
            return None
        output, errors = self._container.get_logs()
        said = (output + errors).decode(errors="replace")[-_LOG_CHARACTERS_SHOWN:]
        return f"{self._container.image} is {self._container.status}:\n{said}"

    def close(self) -> None:
        if self._made:
            self._container.stop()


def container_kafka(*, options: Mapping[str, str]) -> kafka.Kafka:
    """A broker in a container, running.

    It listens on the same port inside and outside, since it talks to itself by the address that
    it advertises.
    """
    port = free_port()
    container = _loopback_container(KAFKA_IMAGE, inside=port, outside=port)
    container.with_envs(**kafka_environment(port, options))
    return _started(kafka.Kafka(f"127.0.0.1:{port}", ContainerServer(container)))


def container_node(
    port: int, properties: Mapping[str, str], *, cluster_id: str, heap: tuple[str, str]
) -> kafka.Kafka:
    """A node of a cluster, to be started.

    It shares this machine's ports, on Linux: its peers and its clients reach it by the address
    that it advertises to both.
    """
    container = DockerContainer(KAFKA_IMAGE).with_kwargs(network_mode="host")
    container.with_envs(CLUSTER_ID=cluster_id, KAFKA_HEAP_OPTS=" ".join(heap))
    container.with_envs(**_variables({**kafka.COMMON_OPTIONS, **properties}))
    return kafka.Kafka(f"127.0.0.1:{port}", ContainerServer(container))


def kafka_environment(port: int, options: Mapping[str, str]) -> dict[str, str]:
    """The image takes every server property as KAFKA_<NAME>, dots as underscores."""
    properties = {
        **kafka.COMMON_OPTIONS,
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": "1@127.0.0.1:9093",
        **options,
    }
    return _variables(properties)


def _variables(properties: Mapping[str, str]) -> dict[str, str]:
    return {
        "KAFKA_" + name.upper().replace("_", "__").replace(".", "_"): value
        for name, value in properties.items()
    }


def container_postgres(*, options: Mapping[str, str]) -> postgres.Postgres:
    """A server in a container, running."""
    port, password = free_port(), secrets.token_hex(16)
    container = _loopback_container(POSTGRES_IMAGE, inside=5432, outside=port)
    container.with_envs(POSTGRES_PASSWORD=password)
    settings = {**postgres.COMMON_OPTIONS, **options}
    container.with_command(
        ["postgres"] + [word for item in settings.items() for word in ("-c", "=".join(item))]
    )
    url = f"postgresql://{postgres.SUPERUSER}:{password}@127.0.0.1:{port}/postgres"
    return _started(postgres.Postgres(url, ContainerServer(container)))


def _loopback_container(image: str, *, inside: int, outside: int) -> DockerContainer:
    container = DockerContainer(image)
    # The wrapper's type knows bare ports only, which would listen on every address.
    container.ports[f"{inside}/tcp"] = ("127.0.0.1", outside)  # type: ignore[assignment]
    return container


def _started(server: _AnyServer) -> _AnyServer:
    try:
        server.start()
    except DockerException as error:
        server.close()
        raise ServerFailed(f"A container could not be started: {error}.") from error
    except BaseException:
        server.close()
        raise
    return server
