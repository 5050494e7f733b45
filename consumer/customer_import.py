"""Customers from a file, judged and applied as records of `customer.changed` are."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import count
from typing import Any, Final

import asyncpg
import orjson

from consumer.settings import Settings
from consumer.transaction import RollBack, transaction
from db.connect import open_pool
from handlers.batch import Broken
from handlers.entries import TopicRole, read
from handlers.parties import Moved, PartyChange, apply_changes
from handlers.record import StoredRecord
from schemas.party_changed import CustomerChanged
from schemas.vocabulary import Outcome

AT_ONCE: Final = 1_000
"""Customers per transaction: the consumer waits for the rows of one at most so long."""

CUSTOMERS: Final = TopicRole("customer")
MOST_ATTEMPTS: Final = 20
MOST_DIGITS: Final = 19
"""Longer is no external id; the model says so."""

COLUMNS: Final = tuple(field.alias or name for name, field in CustomerChanged.model_fields.items())

Problem = tuple[int, str]
"""A line, from 1, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Customers:
    """What a file holds: (line, value as JSON), and the lines that are invalid."""

    valid: list[tuple[int, bytes]]
    invalid: list[Problem]


@dataclass(slots=True)
class Imported:
    """What became of them. refused: of another tenant."""

    changed: int
    unchanged: int
    refused: list[Problem]

    def as_json(self) -> dict[str, Any]:
        return {
            "changed": self.changed,
            "unchanged": self.unchanged,
            "refused": [{"line": line, "problem": problem} for line, problem in self.refused],
        }


def read_customers(content: bytes, *, is_csv: bool) -> Customers:
    """Judge every line; nothing is written."""
    customers = Customers([], [])
    try:
        for line, value in _csv_lines(content) if is_csv else _json_lines(content):
            entry = _entry(line, value, 0)
            if isinstance(entry, Broken):
                customers.invalid.append((line, entry.message))
            else:
                customers.valid.append((line, value))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        problem = f"the byte 0x{byte:02x} is not UTF-8 text; save the file as UTF-8."
        customers.invalid.append((line, problem))
    except (csv.Error, MissingHeading, UnknownColumn) as error:
        customers.invalid.append((1, str(error)))
    return customers


class MissingHeading(ValueError):
    """The first line names no columns."""

    def __init__(self) -> None:
        super().__init__(f"the heading is missing; the columns are {', '.join(COLUMNS)}.")


class UnknownColumn(ValueError):
    """The heading names {name}, which is no column."""

    def __init__(self, name: str) -> None:
        near = get_close_matches(name, COLUMNS, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(COLUMNS)}."
        super().__init__(f"the heading names {name!r}, which is no column; {hint}")


async def import_all(
    settings: Settings, customers: Sequence[tuple[int, bytes]], *, dry_run: bool
) -> Imported:
    """Apply them, some thousand a transaction; with dry_run count only, and leave nothing."""
    imported = Imported(0, 0, [])
    pool = await open_pool(
        settings.database_url.get_secret_value(),
        size=1,
        pooler=settings.database_pooler,
        application_name="ticketing customers import",
    )
    try:
        now_ms = await pool.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
        for start in range(0, len(customers), AT_ONCE):
            chunk = customers[start : start + AT_ONCE]
            changes = [_change(line, value, now_ms) for line, value in chunk]
            outcomes = await apply_at_once(pool, changes, dry_run=dry_run)
            _count(imported, zip(chunk, outcomes, strict=True))
    finally:
        await pool.close()
    return imported


async def apply_at_once(
    pool: asyncpg.Pool, changes: Sequence[PartyChange], *, dry_run: bool
) -> list[Outcome | Moved]:
    """Apply the changes of one transaction, again where a consumer wrote the same meanwhile."""
    for attempt in count(1):
        try:
            outcomes: list[Outcome | Moved] = []
            with suppress(RollBack):
                async with transaction(pool) as connection:
                    outcomes = await apply_changes(connection, changes)
                    if dry_run:
                        raise RollBack
        except asyncpg.UniqueViolationError:
            if attempt == MOST_ATTEMPTS:
                raise
        else:
            return outcomes
    raise AssertionError("counting has no end")


def _count(
    imported: Imported, outcomes: Iterable[tuple[tuple[int, bytes], Outcome | Moved]]
) -> None:
    for (line, _), outcome in outcomes:
        match outcome:
            case Moved():
                problem = f"customer {outcome.change.id} belongs to tenant {outcome.owner}"
                imported.refused.append((line, problem))
            case Outcome.CHANGED:
                imported.changed += 1
            case _:
                imported.unchanged += 1


def _entry(line: int, value: bytes, now_ms: int) -> object:
    """A line as the record that it could have been. now_ms stands for a missing updated_at."""
    record = StoredRecord("file", 0, line, now_ms, None, value, ())
    return read(record, CUSTOMERS, len(value))


def _change(line: int, value: bytes, now_ms: int) -> PartyChange:
    change = _entry(line, value, now_ms)
    if not isinstance(change, PartyChange):
        raise TypeError("judged valid before")
    return change


def _json_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if stripped := line.strip():
            yield number, stripped


def _csv_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Rows as JSON; an empty cell is an absent value. Excel's mark and its semicolons are taken."""
    text = content.decode("utf-8-sig")
    if not text.strip():
        return
    heading = text.partition("\n")[0]
    delimiter = ";" if heading.count(";") > heading.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    if not reader.fieldnames:
        raise MissingHeading
    for name in reader.fieldnames or ():
        if name not in COLUMNS:
            raise UnknownColumn(name)
    for row in reader:
        cells = {name: cell for name, cell in row.items() if name is not None and cell}
        yield reader.line_num, orjson.dumps(_typed(cells))


def _typed(cells: dict[str, str]) -> dict[str, str | int]:
    """CSV has only text; the external id is a number."""
    number = cells.get("external_id", "").strip()
    is_number = number.isdecimal() and len(number) <= MOST_DIGITS
    return {**cells, "external_id": int(number)} if is_number else {**cells}
