"""What to do about a failed batch, read from its error: classified by remedy, in one place.

The default is to wait: a wrong "wait" costs time and shows in /readyz, a wrong "the record's own
fault" throws a good request away.
"""

from enum import StrEnum

import asyncpg

from db.requests import DecidedElsewhere

ARBITERS = frozenset(
    {
        *("requests", "tickets", "dead_letters", "ticket_facts", "parked_requests"),
        *("customers", "partners"),
    }
)
"""Tables on whose keys two writers of the same thing meet."""

UNIQUE_VIOLATION = "23505"
RECORD_CLASSES = frozenset({"22", "23"})
"""SQLSTATE classes: data exception, integrity constraint violation (PostgreSQL, appendix A)."""

READ_ONLY = "25006"
"""A session that may not write; the server as such may."""

PROGRAM_LIMIT_EXCEEDED = "54000"
"""A value too long for an index, say."""


class Unworkable(Exception):
    """The database answers, but nothing gets through: wait as if it were away."""


class Remedy(StrEnum):
    CONFLICT = "conflict"
    """Someone was first: run the batch again, its look-up finds what they wrote."""

    RECORD = "record"
    """A record's own fault: bisect until it stands alone."""

    WAIT = "wait"
    """Nobody's fault that is in the batch: the same batch again, later."""


def remedy(error: BaseException) -> Remedy:
    """Classify what a database call, or deciding on a batch, raised."""
    if isinstance(error, DecidedElsewhere):
        return Remedy.CONFLICT
    if isinstance(error, Unworkable):
        return Remedy.WAIT
    code = sqlstate(error)
    if code is None:
        return Remedy.WAIT if _is_outage(error) else Remedy.RECORD
    if code == UNIQUE_VIOLATION and _table(error) in ARBITERS:
        return Remedy.CONFLICT
    if code[:2] in RECORD_CLASSES or code == PROGRAM_LIMIT_EXCEEDED:
        return Remedy.RECORD
    return Remedy.WAIT


def sqlstate(error: BaseException) -> str | None:
    """The five characters that PostgreSQL gave, through SQLAlchemy's wrapping; None without."""
    server = _server_error(error)
    return None if server is None else server.sqlstate


def _table(error: BaseException) -> str | None:
    server = _server_error(error)
    return None if server is None else server.table_name


def _server_error(error: BaseException | None) -> asyncpg.PostgresError | None:
    """SQLAlchemy raises its own error from its adapter's, and that from asyncpg's."""
    while error is not None:
        if isinstance(error, asyncpg.PostgresError) and error.sqlstate:
            return error
        error = error.__cause__
    return None


def _is_outage(error: BaseException | None) -> bool:
    """Errors of the connection itself, however wrapped, and of this process's resources."""
    while error is not None:
        if isinstance(error, asyncpg.DataError):  # a value that asyncpg can't encode
            return False
        if isinstance(
            error,
            (OSError, EOFError, MemoryError, asyncpg.InterfaceError, asyncpg.InternalClientError),
        ):
            return True
        if not isinstance(error, Exception):  # cancelled, or told to stop
            return True
        error = error.__cause__
    return False
