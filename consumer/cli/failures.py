"""How a command fails: one sentence that says what is wrong and what to do about it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

from consumer.settings import Settings

FAILED: Final = 1
WRONG_USE: Final = 2

READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = off"
"""All questions of a command see one state, and none reads a whole table where an index will do."""


class CommandFailed(Exception):
    """A sentence for stderr; the process ends with exit_code."""

    def __init__(self, sentence: str, exit_code: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def database_place(settings: Settings) -> str:
    """Which database, without its login: host:port/name."""
    parts = urlsplit(settings.database_url.get_secret_value())
    host = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", []))
    return f"{host or 'localhost'}{parts.path}"


@contextmanager
def database_explained(settings: Settings) -> Iterator[None]:
    """Turn what the database says into a sentence; what isn't its affair passes."""
    try:
        yield
    except Exception as error:
        cause = database_cause(error)
        if cause is None:
            raise
        raise CommandFailed(_explain(cause, database_place(settings))) from None


def database_cause(error: BaseException) -> Exception | None:
    """The driver's error at the root of this one, which SQLAlchemy wraps; None for any other."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    if isinstance(root, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
        return root
    return None


def in_one_line(error: BaseException) -> str:
    """An error's own words, without line ends and the full stop."""
    return " ".join(str(error).split()).rstrip(".") or "no answer in time"


def _explain(error: Exception, place: str) -> str:
    match error:
        case asyncpg.UndefinedTableError():
            return f"The database {place} has no ticketing schema yet: run `ticketing migrate`."
        case asyncpg.UndefinedColumnError():
            return (
                f"The schema of {place} is older than this program ({in_one_line(error)}):"
                " run `ticketing migrate`."
            )
        case asyncpg.InsufficientPrivilegeError():
            return (
                f"The role lacks a right at {place} ({in_one_line(error)}): its owner can give it"
                " with `ticketing migrate --grant-to ROLE`."
            )
        case _:
            reason = in_one_line(error)
            return f"The database {place} can't be used: {reason} (see TICKETING_DATABASE_URL)."


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees one state of the database and changes nothing."""
    from db.connect import connect

    with database_explained(settings):
        connection = await connect(
            settings.database_url.get_secret_value(),
            pooler=settings.database_pooler,
            application_name="ticketing",
        )
        try:
            await connection.execute(READ)
            yield connection
        finally:
            await connection.close()


@contextmanager
def kafka_explained(settings: Settings) -> Iterator[None]:
    """Turn what Kafka's client says into a sentence."""
    from aiokafka.errors import KafkaError

    try:
        yield
    except (KafkaError, OSError) as error:
        raise CommandFailed(
            f"Kafka at {settings.kafka_bootstrap_servers} can't be used: {in_one_line(error)}"
            " (see TICKETING_KAFKA_BOOTSTRAP_SERVERS)."
        ) from None
