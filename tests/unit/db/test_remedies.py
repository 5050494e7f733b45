"""Every SQLSTATE has a remedy, and only what is surely the record's own fault is bisected."""

import asyncio

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from db.errors import ARBITERS, Remedy, remedy, sqlstate

KINDS = [
    kind
    for kind in vars(asyncpg.exceptions).values()
    if isinstance(kind, type) and issubclass(kind, asyncpg.PostgresError)
]
SQLSTATES = sorted({code for kind in KINDS if (code := getattr(kind, "sqlstate", None))})
"""All that asyncpg knows: PostgreSQL's appendix A."""


def server_error(code: str, table: str | None = None) -> asyncpg.PostgresError:
    fields = {"C": code, "M": "made up"} | ({"t": table} if table else {})
    return asyncpg.PostgresError.new(fields)


@pytest.mark.parametrize("code", SQLSTATES)
def test_every_sqlstate_has_its_remedy(code: str) -> None:
    its_own_fault = code[:2] in {"22", "23"} or code == "54000"
    assert remedy(server_error(code)) is (Remedy.RECORD if its_own_fault else Remedy.WAIT)
    assert sqlstate(server_error(code)) == code


def test_a_sqlstate_that_nobody_knows_means_wait() -> None:
    assert remedy(server_error("ZZ999")) is Remedy.WAIT


@pytest.mark.parametrize("table", sorted(ARBITERS))
def test_who_comes_second_to_a_key_runs_again(table: str) -> None:
    assert remedy(server_error("23505", table)) is Remedy.CONFLICT
    assert remedy(server_error("23514", table)) is Remedy.RECORD


@pytest.mark.parametrize(
    "error",
    [
        OSError(111, "Connection refused"),
        TimeoutError(),
        asyncio.IncompleteReadError(b"", 1),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("unexpected"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        MemoryError(),
        asyncio.CancelledError(),
    ],
)
def test_a_lost_connection_means_wait(error: BaseException) -> None:
    assert remedy(error) is Remedy.WAIT


@pytest.mark.parametrize("error", [ValueError("ours"), KeyError("ours"), RecursionError()])
def test_an_exception_of_ours_is_the_records_fault(error: Exception) -> None:
    assert remedy(error) is Remedy.RECORD
    assert sqlstate(error) is None


def test_a_value_that_the_driver_cannot_encode_is_the_records_fault() -> None:
    assert remedy(asyncpg.DataError("invalid input for query argument $1")) is Remedy.RECORD


def test_the_wrapping_of_sqlalchemy_is_looked_through() -> None:
    wrapped = DBAPIError("INSERT", {}, Exception("adapter"))
    wrapped.__cause__ = Exception("adapter")
    wrapped.__cause__.__cause__ = server_error("23505", "requests")
    assert sqlstate(wrapped) == "23505"
    assert remedy(wrapped) is Remedy.CONFLICT
    wrapped.__cause__.__cause__ = asyncpg.InterfaceError("connection is closed")
    assert remedy(wrapped) is Remedy.WAIT
