"""Many rows in one statement: COPY for large batches, one INSERT for small ones.

A row is a tuple of texts, each the PostgreSQL text form of a value, and NULL for null. One form
serves both ways, so that they cannot drift apart. Text beats asyncpg's binary encoder here: no
`uuid.UUID` or `datetime` object is ever made for a row.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import asyncpg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

NULL: Final = "\v"
"""Null in a row. Every text that comes from outside is trimmed of white space, so none is this."""

_SPECIAL: Final = re.compile(r"[\\\t\n\r]")
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

Row = tuple[str, ...]


class Rows(NamedTuple):
    """Rows for one table. columns: the names that each row has values for, in order."""

    table: Table
    columns: tuple[str, ...]
    rows: Sequence[Row]


def copy_text(rows: Sequence[Row]) -> bytes:
    """The rows in COPY's text format, with NULL for null.

    Most batches hold no tab or line break inside a value (JSON escapes its own), which counting
    the separators proves at the speed of memory. Only else are values looked at one by one.
    """
    joined = "\n".join(["\t".join(row) for row in rows])
    tabs, breaks = len(rows) * (len(rows[0]) - 1), len(rows) - 1
    if joined.count("\t") != tabs or joined.count("\n") != breaks or "\r" in joined:
        joined = "\n".join(["\t".join([_escaped(value) for value in row]) for row in rows])
    elif "\\" in joined:
        joined = joined.replace("\\", r"\\")
    return joined.encode() + b"\n"


def _escaped(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


async def copy(connection: asyncpg.Connection, batch: Rows) -> None:
    """Write the rows by COPY: one round trip. Not for roles under row-level security."""
    await connection.copy_to_table(
        batch.table.name,
        columns=batch.columns,
        source=memoryview(copy_text(batch.rows)),  # asyncpg takes bytes for the path of a file
        format="text",
        null=NULL,
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
    """INSERT .. SELECT .. unnest for each table, as one statement of common table expressions.

    They are written in their order, as COPY would: two writers of the same rows then wait for one
    another and never both at once. PostgreSQL runs the main INSERT first and then the others from
    the last to the first (nodeModifyTable.c, `lcons`).
    """
    parts = []
    first = 1
    for table, columns in shape:
        names = ", ".join(f'"{name}"' for name in columns)
        parts.append(f'INSERT INTO "{table.name}" ({names}) {_selection(table, columns, first)}')
        first += len(columns)
    main, *others = parts
    if not others:
        return main
    expressions = ", ".join(f"w{index} AS ({part})" for index, part in enumerate(reversed(others)))
    return f"WITH {expressions} {main}"


def _type_of(table: Table, name: str) -> str:
    return str(table.columns[name].type.compile(dialect=_DIALECT))
