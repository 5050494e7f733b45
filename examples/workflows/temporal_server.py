"""Temporal's own test server, from Maven as devstack's Kafka is."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testcontainers.core.container import DockerContainer

from devstack import machine
from devstack.choice import ServerMissing
from devstack.containers import ContainerServer
from devstack.fetch import CACHE, fetch_jars, pom
from devstack.ports import free_port
from devstack.server import GuardedServer, Server, wait_until_ready

VERSION = "1.31.0"
ARTIFACT = f"io.temporal:temporal-test-server:{VERSION}"
JARS = CACHE / f"temporal-test-server-{VERSION}"
MAIN_CLASS = "io.temporal.testserver.TestServer"

IMAGE = "maven:3.9.11-eclipse-temurin-21"
CONTAINER_FILES = CACHE / f"temporal-test-server-{VERSION}-container"
_FETCH_AND_RUN = (
    "cd /temporal; test -d lib"
    " || (mvn -q -B dependency:copy-dependencies -DoutputDirectory=new && mv new lib);"
    f" exec java -Xmx256m -cp 'lib/*' {MAIN_CLASS} 7233"
)

# HTTP/2: the client's preface and an empty SETTINGS frame (RFC 9113, 3.4); gRPC answers in kind.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"


@contextmanager
def temporal_server() -> Iterator[str]:
    """The address of a test server, running while the block lasts, or until this process dies.

    Its clock is the real one: it skips no time unless told to.
    Raises ServerMissing where there is neither Java with Maven nor Docker.
    """
    port = free_port()
    server = _server(port)
    try:
        server.start()
        wait_until_ready("Temporal's test server", server, lambda: _answers(port))
        yield f"127.0.0.1:{port}"
    finally:
        server.close()


def _server(port: int) -> Server:
    found = machine.look()
    if found.java is not None and (found.maven or JARS.exists()):
        jars = fetch_jars(f"Temporal's test server {VERSION}", JARS, ARTIFACT)
        server = GuardedServer("Temporal's test server", end_signal=signal.SIGTERM)
        server.argv = ["java", "-Xmx256m", "-cp", f"{jars}/*", MAIN_CLASS, str(port)]
        return server
    if found.docker:
        return ContainerServer(_container(port))
    raise ServerMissing("Temporal's test server needs Java and Maven, or Docker: install either.")


def _container(port: int) -> DockerContainer:
    """For machines with Docker and no Java: Maven's image fetches the jars and runs them."""
    container = DockerContainer(IMAGE).with_command(["sh", "-c", _FETCH_AND_RUN])
    container.with_volume_mapping(str(_prepared(CONTAINER_FILES)), "/temporal", "rw")
    # The wrapper's type knows bare ports only, which would listen on every address.
    container.ports["7233/tcp"] = ("127.0.0.1", port)  # type: ignore[assignment]
    return container


def _prepared(directory: Path) -> Path:
    """The directory that the container keeps its jars in, with the file that names them."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pom.xml").write_text(pom(ARTIFACT))
    return directory


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(_GREETING)
            return bool(connection.recv(1))
    except OSError:
        return False
