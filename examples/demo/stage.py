"""Servers, a database, topics and the service, for as long as the demo lasts."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer.http_server import listen
from consumer.settings import Settings
from devstack.databases import create_database, drop_database
from devstack.stack import running
from devstack.topics import delete_topics, random_prefix

GRACE_SECONDS = 6
"""How long a request waits for its customer here; 30 s is the default."""

READY_SECONDS = 30.0
END_SECONDS = 25.0
LOOK_SECONDS = 0.05
LINES_SHOWN = 5


class DemoFailed(Exception):
    """A part of the demo did not work; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is running. environment: the settings, as TICKETING_* variables."""

    description: str
    environment: Mapping[str, str]
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        values: dict[str, Any] = {
            name.removeprefix("TICKETING_").lower(): value
            for name, value in self.environment.items()
        }
        object.__setattr__(self, "settings", Settings(_env_file=None, **values))

    @property
    def kafka(self) -> str:
        return self.settings.kafka_bootstrap_servers

    def topic(self, name: str) -> str:
        """How it is called on the broker."""
        return self.settings.topic_prefix + name


@contextmanager
def servers() -> Iterator[Stage]:
    """Kafka and PostgreSQL, with a database and topics of our own; all of it goes afterwards."""
    prefix = random_prefix()
    with running() as stack:
        url = create_database(stack.postgres.url)
        try:
            yield Stage(
                stack.description,
                {
                    "TICKETING_DATABASE_URL": url,
                    "TICKETING_KAFKA_BOOTSTRAP_SERVERS": stack.kafka.bootstrap_servers,
                    "TICKETING_TOPIC_PREFIX": prefix,
                    "TICKETING_GROUP_ID": f"{prefix}demo",
                    "TICKETING_UNKNOWN_CUSTOMER_GRACE_SECONDS": str(GRACE_SECONDS),
                    "TICKETING_HTTP_PORT": "0",
                },
            )
        finally:
            delete_topics(stack.kafka.bootstrap_servers, prefix=prefix)
            drop_database(url)


def ticketing(stage: Stage, *words: str) -> None:
    """Run a command of the product; raises DemoFailed with what it said."""
    done = subprocess.run(
        _command(*words), env=_environment(stage), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DemoFailed(f"`ticketing {' '.join(words)}` failed: {done.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class Service:
    """A `ticketing run` process. address: where it serves its pages, as host:port."""

    address: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def check(self) -> None:
        """Raises DemoFailed with its last words when it has ended."""
        if self.process.poll() is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-LINES_SHOWN:]
            said = "\n".join(lines)
            raise DemoFailed(f"`ticketing run` ended with {self.process.returncode}:\n{said}")


@contextmanager
def service(stage: Stage) -> Iterator[Service]:
    """The service, ready. It runs as a worker, which ends with its parent, however that ends."""
    with tempfile.TemporaryDirectory(prefix="ticketing-demo-") as directory:
        log = Path(directory) / "service.log"
        with log.open("wb") as output, listen("127.0.0.1", 0) as pages:
            number = str(pages.fileno())
            process = subprocess.Popen(
                _command("run", "--as-worker", "1", "--listener", number),
                env=_environment(stage),
                stdin=subprocess.PIPE,
                stderr=output,
                pass_fds=(pages.fileno(),),
                start_new_session=True,  # a Ctrl-C is for us, who then end it in order
            )
            host, port = pages.getsockname()
        try:
            running = Service(f"{host}:{port}", process, log)
            _wait_until_ready(running)
            yield running
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "consumer", *words]


def _environment(stage: Stage) -> dict[str, str]:
    rest = {name: each for name, each in os.environ.items() if not name.startswith("TICKETING_")}
    return rest | dict(stage.environment)


def _wait_until_ready(running: Service) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(running.address):
        running.check()
        if time.monotonic() > deadline:
            raise DemoFailed(f"`ticketing run` was not ready within {READY_SECONDS:.0f} s.")
        time.sleep(LOOK_SECONDS)


def _is_ready(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
