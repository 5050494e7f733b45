"""Many rows in one statement: COPY for large batches, one INSERT for small ones.

A row is a tuple of texts, each the PostgreSQL text form of a value, and NULL for null. One form
serves both ways, so that they cannot drift apart. Text beats asyncpg's binary encoder here: no
`uuid.UUID` or `datetime` object is ever made for a row.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import asyncpg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

NULL: Final = "\0n"
"""Null in a row. No text that PostgreSQL can hold contains U+0000: nothing is mistaken for it."""

_FIELD_END: Final = "\0f"
_ROW_END: Final = "\0r"

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

Row = tuple[str, ...]


class Rows(NamedTuple):
    """Rows for one table. columns: the names that each row has values for, in order."""

    table: Table
    columns: tuple[str, ...]
    rows: Sequence[Row]


def copy_text(rows: Sequence[Row]) -> bytes:
    """The rows in COPY's text format: joined once, then escaped at the speed of memory."""
    joined = _ROW_END.join([_FIELD_END.join(row) for row in rows]).encode()
    if b"\\" in joined:
        joined = joined.replace(b"\\", b"\\\\")
    return (
        joined.replace(b"\n", b"\\n")
        .replace(b"\r", b"\\r")
        .replace(b"\t", b"\\t")
        .replace(b"\0n", b"\\N")
        .replace(b"\0f", b"\t")
        .replace(b"\0r", b"\n")
        + b"\n"
    )


async def copy(connection: asyncpg.Connection, batch: Rows) -> None:
    """Write the rows by COPY: one round trip. Not for roles under row-level security."""
    await connection.copy_to_table(
        batch.table.name,
        columns=batch.columns,
        source=memoryview(copy_text(batch.rows)),
        format="text",
    )


async def insert(connection: asyncpg.Connection, batches: Sequence[Rows]) -> None:
    """Write the rows of several tables by one INSERT statement: one round trip."""
    if not batches:
        return
    statement = _insert_statement(tuple((batch.table, batch.columns) for batch in batches))
    arguments = [array for batch in batches for array in _arrays(batch)]
    await connection.execute(statement, *arguments)


def unnested(batch: Rows) -> tuple[str, list[list[str | None]]]:
    """A SELECT of the rows, typed as the table's columns, and its arguments."""
    return _selection(batch.table, batch.columns, 1), _arrays(batch)


def _arrays(batch: Rows) -> list[list[str | None]]:
    return [
        [None if value == NULL else value for value in column]
        for column in zip(*batch.rows, strict=True)
    ]


def _selection(table: Table, columns: tuple[str, ...], first: int) -> str:
    """The rows as a SELECT from arrays, the first of which is the argument of this number."""
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f'r."{name}"::{_type_of(table, name)} AS "{name}"' for name in columns)
    arrays = ", ".join(f"${number}::text[]" for number in range(first, first + len(columns)))
    return f"SELECT {values} FROM unnest({arrays}) AS r({names})"  # noqa: S608  names of ours


@cache
def _insert_statement(shape: tuple[tuple[Table, tuple[str, ...]], ...]) -> str:
    """INSERT .. SELECT .. unnest for each table, as one statement of common table expressions."""
    parts = []
    first = 1
    for table, columns in shape:
        names = ", ".join(f'"{name}"' for name in columns)
        parts.append(f'INSERT INTO "{table.name}" ({names}) {_selection(table, columns, first)}')
        first += len(columns)
    *leading, last = parts
    if not leading:
        return last
    expressions = ", ".join(f"w{index} AS ({part})" for index, part in enumerate(leading))
    return f"WITH {expressions} {last}"


def _type_of(table: Table, name: str) -> str:
    return str(table.columns[name].type.compile(dialect=_DIALECT))
