"""Bring the schema to head, from as many places at once as like to try.

Alembic runs inside one transaction that holds an advisory lock: who comes second waits, then finds
nothing left to do. Waiting for a table's lock is limited too, because a waiting ALTER TABLE makes
everybody else wait behind it.
"""

import io
from collections.abc import Callable
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from db.connect import engine
from db.errors import sqlstate
from db.grants import bypass_statement, grant, statements
from db.rights import Rights
from db.schema_state import SchemaState, Upgraded

APPLICATION_NAME = "ticketing migrate"

MIGRATION_LOCK = 5_283_064_119_718_253_401
"""The advisory lock of `ticketing migrate`: any number that nobody else uses in the database."""

LOCK_MILLISECONDS = 5000
PATIENCE_SECONDS = 300

LOCKED = frozenset({"55P03", "40P01"})
"""SQLSTATE: lock_not_available and deadlock_detected (PostgreSQL, appendix A)."""


class UnknownRevision(Exception):
    """The database is at revision {revision}, which this program does not know."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database is at revision {revision}, which this program does not know:"
            " it was migrated by a newer version; use that one."
        )


async def upgrade(
    url: str,
    *,
    pooler: bool = False,
    grant_to: str | None = None,
    rights: Rights = Rights.SERVICE,
    on_wait: Callable[[], None] = lambda: None,
    patience_seconds: float = PATIENCE_SECONDS,
    lock_milliseconds: int = LOCK_MILLISECONDS,
) -> Upgraded:
    """Migrate to head, and grant in the same transaction.

    on_wait is called each time that a lock could not be had and another attempt follows.
    Raises UnknownRevision, db.grants.RoleMissing, or the last error when patience ran out.
    """
    attempts = AsyncRetrying(
        retry=retry_if_exception(lambda error: sqlstate(error) in LOCKED),
        stop=stop_after_delay(patience_seconds),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        before_sleep=lambda _: on_wait(),
        reraise=True,
    )
    database = _database(url, pooler=pooler)
    try:
        return await attempts(_upgrade_once, database, grant_to, rights, lock_milliseconds)
    finally:
        await database.dispose()


async def state(url: str, *, pooler: bool = False) -> SchemaState:
    """How far the database is behind this program. Raises UnknownRevision."""
    database = _database(url, pooler=pooler)
    try:
        async with database.connect() as connection:
            return await connection.run_sync(_state)
    finally:
        await database.dispose()


def sql(*, grant_to: str | None = None, rights: Rights = Rights.SERVICE) -> str:
    """All migrations as one SQL script, for a database that only its keepers may change."""
    written = io.StringIO()
    command.upgrade(_config(output_buffer=written), "head", sql=True)
    if grant_to is not None:
        written.writelines(f"{statement};\n" for statement in statements(grant_to, rights))
        if rights is Rights.SERVICE:
            written.write(f"{bypass_statement(grant_to)};\n")
    return written.getvalue()


async def _upgrade_once(
    database: AsyncEngine, grant_to: str | None, rights: Rights, lock_milliseconds: int
) -> Upgraded:
    async with database.begin() as connection:
        await connection.execute(text(f"SET LOCAL lock_timeout = {lock_milliseconds}"))
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        before = await connection.run_sync(_state)
        if before.pending:
            await connection.run_sync(_run_migrations)
        left_to_do = None
        if grant_to is not None:
            left_to_do = await connection.run_sync(grant, grant_to, rights)
        return Upgraded(before, left_to_do)


def config_for(connection: Connection) -> Config:
    """Alembic's settings for its commands over an open connection."""
    config = _config()
    config.attributes["connection"] = connection
    return config


def _run_migrations(connection: Connection) -> None:
    command.upgrade(config_for(connection), "head")


def _state(connection: Connection) -> SchemaState:
    current = MigrationContext.configure(connection).get_current_revision()
    known = [script.revision for script in _scripts().walk_revisions()][::-1]
    if current is None:
        return SchemaState(None, known[-1], tuple(known))
    if current not in known:
        raise UnknownRevision(current)
    return SchemaState(current, known[-1], tuple(known[known.index(current) + 1 :]))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(output_buffer: TextIO | None = None) -> Config:
    """Alembic's settings without a file: the scripts are found inside the installed package."""
    config = Config(output_buffer=output_buffer)
    config.set_main_option("script_location", "migrations:")
    config.set_main_option("path_separator", "os")
    return config


def _database(url: str, *, pooler: bool) -> AsyncEngine:
    """Without a statement deadline: building an index may take long."""
    return engine(url, pooler=pooler, application_name=APPLICATION_NAME, command_timeout=None)
