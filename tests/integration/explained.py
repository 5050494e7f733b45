"""Statements by PREPARE and EXECUTE, so that EXPLAIN shows the plans that connections keep."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg


async def types_of(connection: asyncpg.Connection, question: str) -> str:
    """The types of its parameters, as PREPARE takes them."""
    prepared = await connection.prepare(question)
    return ", ".join(
        f"{each.name}" if each.kind == "scalar" else f"{each.name.removesuffix('[]')}[]"
        for each in prepared.get_parameters()
    )


def values_of(arguments: Sequence[Any]) -> str:
    """The arguments, as EXECUTE takes them. Every array is one of texts."""
    if not arguments:
        return ""
    return "(" + ", ".join(map(_quoted, arguments)) + ")"


def _quoted(value: Any) -> str:  # noqa: ANN401  an argument as asyncpg takes it
    match value:
        case list():
            return f"ARRAY[{', '.join(map(_quoted, value))}]::text[]"
        case None:
            return "NULL"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return str(value)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan and all that is under it."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
