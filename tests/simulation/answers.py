"""What a statement gives back, in asyncpg's shapes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from tests.simulation.store import Transaction


class Record(tuple[Any, ...]):  # noqa: SLOT001  it has its names beside its values
    """A row: read by place, by name, or as a whole."""

    names: Sequence[str]

    @classmethod
    def of(cls, names: Sequence[str], values: Sequence[Any]) -> "Record":
        made = cls(values)
        made.names = names
        return made

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401  as asyncpg's
        if isinstance(place, str):
            return super().__getitem__(self.names.index(place))
        return super().__getitem__(place)

    def keys(self) -> Sequence[str]:
        return self.names


Answer: TypeAlias = list[Record] | str
"""Rows, or the status of a command."""

Statement: TypeAlias = Callable[..., Awaitable[Answer] | Answer]
"""Of the transaction and the statement's arguments."""


def picked(row: Mapping[str, Any], names: Sequence[str]) -> Record:
    return Record.of(names, [row[name] for name in names])


def plain(*values: Any) -> Record:  # noqa: ANN401  of any columns
    return Record.of((), values)


def columns_of(fields: str) -> tuple[str, ...]:
    """The names of a list of columns such as `t.id::text, t.status`, in their order."""
    names = []
    for part in _split(fields):
        name = part.rsplit(" AS ", 1)[-1].split("::")[0].strip().rsplit(".", 1)[-1]
        names.append(name.strip('"'))
    return tuple(names)


def _split(fields: str) -> list[str]:
    """At commas outside parentheses."""
    parts, depth = [""], 0
    for character in fields:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


async def answered(
    statement: Statement, transaction: Transaction, arguments: Sequence[Any]
) -> Answer:
    found = statement(transaction, *arguments)
    return found if isinstance(found, (str, list)) else await found
