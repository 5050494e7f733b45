"""What the fake database knows of each table, read off `db.tables`: keys, defaults, and types."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    SmallInteger,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql

from db import tables

Row = Mapping[str, Any]
"""Never changed: an update makes another."""

Key = tuple[Any, ...]

NOW: Final = "now()"
"""A default that the transaction knows."""


@dataclass(frozen=True, slots=True)
class Shape:
    """uniques: columns by the name of what keeps them unique, the primary key first."""

    name: str
    key: tuple[str, ...]
    uniques: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, Any]
    readers: Mapping[str, Callable[[str], Any]]

    def key_of(self, row: Row) -> Key:
        return tuple([row[name] for name in self.key])

    def complete(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """The row of these values, with the table's defaults."""
        row = {name: now if value is NOW else value for name, value in self.defaults.items()}
        row.update(values)
        return row

    def read(self, name: str, text: str | None) -> Any:  # noqa: ANN401  any column's value
        """A column's value, of its PostgreSQL text form."""
        return None if text is None else self.readers[name](text)


def array_items(text: str) -> list[str | None]:
    """The items of an array literal whose items hold no quotes and no commas."""
    inner = text[1:-1]
    if not inner:
        return []
    return [None if item == "NULL" else item.strip('"') for item in inner.split(",")]


def texts_of(literal: str) -> list[str]:
    """The items of an array literal that holds no null."""
    return [item for item in array_items(literal) if item is not None]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _reader(kind: Any) -> Callable[[str], Any]:  # noqa: ANN401  a type of SQLAlchemy's
    match kind:
        case BigInteger() | Integer() | SmallInteger():
            return int
        case Boolean():
            return lambda text: text in {"true", "t"}
        case DateTime():
            return instant
        case postgresql.UUID():
            return lambda text: str(UUID(text))
        case postgresql.ARRAY():
            item = _reader(kind.item_type)
            return lambda text: [None if each is None else item(each) for each in array_items(text)]
        case _:
            return str


def _default(column: Column[Any]) -> Any:  # noqa: ANN401  any column's value
    if column.server_default is None or column.computed is not None:
        return None
    text = str(getattr(column.server_default, "arg", "")).removesuffix("::jsonb")
    if text == "now()":
        return NOW
    if text == "gen_random_uuid()":
        return None
    return _reader(column.type)(text.strip("'"))


def _uniques(table: Table) -> dict[str, tuple[str, ...]]:
    found = {f"pk_{table.name}": tuple(column.name for column in table.primary_key.columns)}
    for constraint in sorted(table.constraints, key=lambda each: str(each.name)):
        if isinstance(constraint, UniqueConstraint):
            found[str(constraint.name)] = tuple(column.name for column in constraint.columns)
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        if index.unique:
            found[str(index.name)] = tuple(column.name for column in index.columns)
    return found


def _shape(table: Table) -> Shape:
    return Shape(
        table.name,
        tuple(column.name for column in table.primary_key.columns),
        _uniques(table),
        {column.name: _default(column) for column in table.columns},
        {column.name: _reader(column.type) for column in table.columns},
    )


SHAPES: Final = {name: _shape(table) for name, table in tables.metadata.tables.items()}


def value_of_uuid(text: str) -> str:
    """As PostgreSQL writes it."""
    return str(UUID(text))
