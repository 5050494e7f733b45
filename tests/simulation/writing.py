"""Statements that the service builds from tables and columns, understood by their form."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import asyncpg

from db.bulk import NULL
from tests.simulation.answers import Statement
from tests.simulation.shapes import SHAPES, Row
from tests.simulation.store import Transaction, violated

_INSERT: Final = re.compile(
    r'INSERT INTO "?(\w+)"? \(([^)]*)\) SELECT .*? FROM unnest\(\$(\d+)::.*? AS r\([^)]*\)'
    r"( ON CONFLICT DO NOTHING)?"
)
_UPDATE: Final = re.compile(r"UPDATE (\w+) \w SET (.*?) FROM \(SELECT .*? AS r\(([^)]*)\)\) r")
_CONFLICT: Final = "ON CONFLICT (tenant_id, ticket_id, metric, cycle) DO UPDATE SET"

UNSTORABLE: Final = "\ufffe"
"""Stands for whatever PostgreSQL refuses in a text, so that a record is at fault alone."""

Columns = Sequence[str]


def built(sql: str) -> Statement | None:
    """The statement, if it is one of `db.bulk` or of those that unnest its rows."""
    if _CONFLICT in sql:
        return _put(_inserts(sql)[0])
    if inserts := _inserts(sql):
        return _insert(inserts)
    if found := _UPDATE.search(sql):
        table, assigned, columns = found.groups()
        settles = "q.outcome IN ('rejected', 'parked')" in sql
        stamps = ("recorded_at",) if "recorded_at = now()" in assigned else ()
        return _update(table, _names(columns), stamps, settles=settles)
    return None


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip().strip('"') for name in listed.split(","))


class Insert(NamedTuple):
    """first: the place of its first array among the arguments. may_conflict: DO NOTHING then."""

    first: int
    table: str
    columns: Columns
    may_conflict: bool


@cache
def _inserts(sql: str) -> list[Insert]:
    """Every INSERT of a statement, in the order in which they run."""
    return sorted(
        Insert(int(first) - 1, table, _names(columns), bool(ignores))
        for table, columns, first, ignores in _INSERT.findall(sql.replace("\n", " "))
    )


def rows_of(
    table: str, columns: Columns, arrays: Sequence[Sequence[str | None]]
) -> list[dict[str, Any]]:
    """Rows of texts as a table keeps them; raises what PostgreSQL raises for one that it can't."""
    shape = SHAPES[table]
    made = []
    for texts in zip(*arrays, strict=True):
        if any(text is not None and UNSTORABLE in text for text in texts):
            raise asyncpg.CharacterNotInRepertoireError("invalid byte sequence for encoding")
        made.append(
            {name: shape.read(name, text) for name, text in zip(columns, texts, strict=True)}
        )
    return made


def _insert(inserts: Sequence[Insert]) -> Statement:
    async def run(transaction: Transaction, *arguments: Any) -> str:  # noqa: ANN401  arrays of texts
        count = 0
        for first, table, columns, may_conflict in inserts:
            rows = rows_of(table, columns, arguments[first : first + len(columns)])
            await add(transaction, table, rows, may_conflict=may_conflict)
            count = len(rows)
        return f"INSERT 0 {count}"

    return run


async def copy(transaction: Transaction, table: str, columns: Columns, text: bytes) -> str:
    """COPY's text format."""
    lines = text.decode().removesuffix("\n").split("\n")
    cells = [[_cell(cell) for cell in line.split("\t")] for line in lines]
    rows = rows_of(table, columns, list(zip(*cells, strict=True)))
    await add(transaction, table, rows)
    return f"COPY {len(rows)}"


_ESCAPED: Final = {r"\\": "\\", r"\t": "\t", r"\n": "\n", r"\r": "\r"}


def _cell(text: str) -> str | None:
    if text == NULL:
        return None
    return re.sub(r"\\[\\tnr]", lambda found: _ESCAPED[found[0]], text)


async def add(
    transaction: Transaction,
    table: str,
    rows: Sequence[dict[str, Any]],
    *,
    may_conflict: bool = False,
) -> None:
    """Insert these rows one by one; the first conflict ends it, unless conflicts do nothing."""
    shape = SHAPES[table]
    for values in rows:
        row = shape.complete(values, transaction.now)
        if table == "tickets":
            _check_parties(transaction, row)
        if not await transaction.insert_new(table, row) and not may_conflict:
            raise violated(table)


def _check_parties(transaction: Transaction, ticket: Row) -> None:
    for table, column in (("customers", "customer_id"), ("partners", "partner_id")):
        party_id = ticket[column]
        if party_id is None:
            continue
        party = transaction.find(table, (party_id,))
        if party is None or party["tenant_id"] != ticket["tenant_id"]:
            error = asyncpg.ForeignKeyViolationError("violates foreign key constraint")
            error.table_name = "tickets"
            raise error


def _put(insert: Insert) -> Statement:
    _, table, columns, _ = insert
    shape = SHAPES[table]

    async def run(transaction: Transaction, *arguments: Any) -> str:  # noqa: ANN401  arrays of texts
        rows = rows_of(table, columns, arguments)
        for values in rows:
            row = shape.complete(values, transaction.now)
            if not await transaction.insert_new(table, row):
                key = shape.key_of(row)
                await transaction.lock(table, key)
                await transaction.update(table, key, **values)
        return f"INSERT 0 {len(rows)}"

    return run


def _update(table: str, columns: Columns, stamps: Columns, *, settles: bool) -> Statement:
    shape = SHAPES[table]

    async def one(transaction: Transaction, values: Mapping[str, Any], found: Row | None) -> bool:
        key = shape.key_of(values)
        if found is None or (settles and found["outcome"] not in {"rejected", "parked"}):
            return False
        now = await transaction.lock(table, key)
        if now is None or (settles and now is not found):
            return False
        stamped = dict.fromkeys(stamps, transaction.now)
        await transaction.update(table, key, **values, **stamped)
        return True

    async def run(transaction: Transaction, *arguments: Any) -> str:  # noqa: ANN401  arrays of texts
        rows = rows_of(table, columns, arguments)
        found = [transaction.find(table, shape.key_of(row)) for row in rows]
        done = [await one(transaction, *each) for each in zip(rows, found, strict=True)]
        return f"UPDATE {sum(done)}"

    return run
