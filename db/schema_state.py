"""How far a database is behind this program."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SchemaState:
    """current: the database's revision, None before the first. pending: those up to head."""

    current: str | None
    head: str
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """before: the state found. left_to_do: what only a superuser may do for the role, or None."""

    before: SchemaState
    left_to_do: str | None
