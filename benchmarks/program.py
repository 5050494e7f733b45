"""The programs under test, run as their users run them: as processes with TICKETING_* settings."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.database import add_customers
from benchmarks.subscriber import NothingMoves
from devstack.databases import create_database, drop_database
from devstack.server import NotOurs
from devstack.stack import Stack
from devstack.topics import delete_topics, random_prefix

PARTITIONS = 4
_SHUTDOWN_SECONDS = 40
_LOG_CHARACTERS_SHOWN = 2_000


class ProgramFailed(Exception):
    """The program under test, or a command that prepares for it, failed; ends with its output."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program to measure. `prepare` are the modules and arguments that make tables and topics."""

    name: str
    command: tuple[str, ...]
    prepare: tuple[tuple[str, ...], ...]
    processes: int = 1
    knows_customers: bool = True


_TOPICS = ("consumer", "topics", "--partitions", str(PARTITIONS), "--replication-factor", "1")
_PRODUCT = ("consumer", "run")
_PREPARE = (("consumer", "migrate"), _TOPICS)

PRODUCT = Contestant("ticketing run", _PRODUCT, _PREPARE)
TWO_WORKERS = Contestant(
    "ticketing run --workers 2", (*_PRODUCT, "--workers", "2"), _PREPARE, processes=2
)
NAIVE = Contestant(
    "naive: a transaction each",
    ("benchmarks.naive", "run"),
    (("benchmarks.naive", "prepare"),),
    knows_customers=False,
)


@dataclass(frozen=True, slots=True)
class Site:
    """A database and topics of its own, under random names, for one contestant."""

    stack: Stack
    contestant: Contestant
    database_url: str
    prefix: str

    @property
    def kafka(self) -> str:
        return self.stack.kafka.bootstrap_servers

    @property
    def requests(self) -> str:
        return f"{self.prefix}ticket.requested"

    @property
    def changes(self) -> str:
        return f"{self.prefix}ticket.change_requested"

    @property
    def updated(self) -> str:
        return f"{self.prefix}ticket.updated"

    @property
    def created(self) -> str:
        return f"{self.prefix}ticket.created"

    @property
    def notices(self) -> tuple[str, str]:
        """Where warnings and breaches go."""
        return f"{self.prefix}sla.warning", f"{self.prefix}sla.breached"

    @property
    def group(self) -> str:
        return f"{self.prefix}benchmark"

    def environment(self, database_url: str | None = None) -> dict[str, str]:
        return _environment() | {
            "TICKETING_DATABASE_URL": database_url or self.database_url,
            "TICKETING_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "TICKETING_TOPIC_PREFIX": self.prefix,
            "TICKETING_GROUP_ID": self.group,
            "TICKETING_HTTP_PORT": "0",
        }

    def server_pids(self) -> dict[str, int | None]:
        """None for a server that was given by its address, whose processes we can't see."""
        pids: dict[str, int | None] = {"postgresql": None, "kafka": None}
        with contextlib.suppress(NotOurs):
            pids["postgresql"] = self.stack.postgres.pid
        with contextlib.suppress(NotOurs):
            pids["kafka"] = self.stack.kafka.pid
        return pids


@contextmanager
def site(stack: Stack, contestant: Contestant) -> Iterator[Site]:
    made = Site(stack, contestant, create_database(stack.postgres.url), random_prefix())
    try:
        for command in contestant.prepare:
            run_to_the_end(command, made.environment())
        if contestant.knows_customers:
            add_customers(made.database_url)
        yield made
    finally:
        drop_database(made.database_url)
        delete_topics(made.kafka, prefix=made.prefix)


def migrated_database(stack: Stack) -> str:
    """A database with the product's schema and the same customers; no topics belong to it."""
    url = create_database(stack.postgres.url)
    run_to_the_end(("consumer", "migrate"), _environment() | {"TICKETING_DATABASE_URL": url})
    add_customers(url)
    return url


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("TICKETING_")}


def run_to_the_end(command: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """A command of the program under test. Raises ProgramFailed with all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stdout + done.stderr
        raise ProgramFailed(f"{' '.join(command)} ended with {done.returncode}:\n{said}")


class Program:
    """A contestant's process; its output goes to a file whose end is shown when it fails."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raises ProgramFailed when it has ended by itself."""
        if (code := self._process.poll()) is not None:
            raise ProgramFailed(f"The program under test ended with {code}:\n{self.last_words}")

    @property
    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-_LOG_CHARACTERS_SHOWN:]

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is handed back."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end and wait; the sessions' counts are complete after that."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_SHUTDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def started(
    site: Site, *, through: tuple[str, ...] = (), url: str | None = None
) -> Iterator[Program]:
    """The site's contestant, running.

    `through` is a command that runs it, such as a profiler; `url` another way to its database.
    """
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        with log.open("wb") as output:
            program = Program(_popen(site, through, url, output, directory), log)
        try:
            yield program
        except NothingMoves as standstill:
            standstill.add_note(program.last_words)
            raise
        finally:
            program.stop()


def _popen(
    site: Site, through: tuple[str, ...], url: str | None, output: IO[bytes], directory: str
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*through, sys.executable, "-m", *site.contestant.command],
        env=site.environment(url),
        stdout=output,
        stderr=output,
        cwd=directory,  # no `.env` of somebody else's
    )
