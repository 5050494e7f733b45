"""Requests whose customer was unknown: decided once the customer is known, or time is up."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg

from db import dead_letters, letter_steps, parked, requests
from db.letter_steps import Step
from db.requests import Stretch
from handlers.again import FAILED_AGAIN
from handlers.batch import Broken, Entry, Handled, Setting, letter, tell_apart
from handlers.identity import ticket_id
from handlers.knowledge import gather
from handlers.outcomes import Parked, Request
from handlers.record import Record, StoredRecord, coordinates, headers_of
from handlers.requests import decide
from handlers.rows import rows_of
from handlers.write import write

THE_SERVICE: Final = "the service"
"""Who did what nobody asked for, in an audit."""

Key = tuple[str, str]
"""Tenant and request key."""


async def decide_parked(
    connection: asyncpg.Connection,
    keys: Sequence[Key],
    setting: Setting,
    read: Callable[[Record], Entry],
) -> Handled:
    """Decide these parked requests under their rows' locks, looking again before any rejection.

    Rows that somebody else holds, or that are gone, are left out. One that is still too early
    stays parked. read: decodes a record as the intake does.
    """
    rows = await parked.claim(connection, keys, setting.rules.grace_seconds)
    valid: dict[Key, Request] = {}
    broken: dict[Key, Broken] = {}
    for row in rows:
        key = (row["tenant_id"], row["request_key"])
        match _entry(key, read(_record(row))):
            case Request() as request:
                valid[key] = request
            case reason:
                broken[key] = reason
    known, dead = await gather(
        connection,
        list(valid.values()),
        stretches=[_place(each.record) for each in broken.values()],
        check_numbers=setting.check_numbers,
    )
    known.reopened = set(valid)
    known.expired = {(row["tenant_id"], row["request_key"]) for row in rows if row["expired"]}
    decisions = decide(list(valid.values()), known, setting.rules)
    final = [decision for decision in decisions if not isinstance(decision, Parked)]
    fresh, repeated = tell_apart(broken.values(), dead)
    if fresh:
        await dead_letters.add(connection, [letter(each, known, setting) for each in fresh])
    if repeated:
        await failed_after_all(connection, repeated)
    if broken:
        await requests.forget_parked(connection, list(broken))
    written = rows_of(final, known)
    facts = await write(
        connection,
        written,
        known,
        dead_letters=len(fresh),
        copy_from=setting.copy_from,
    )
    decided = [*broken, *((each.request.tenant_id, each.request.request_key) for each in final)]
    if decided:
        await parked.remove(connection, decided)
    return Handled(
        now=known.now,
        decisions=list(final),
        parties=[],
        dead=fresh,
        repeated=repeated,
        outbox_id=known.outbox_id if facts or fresh else None,
        first_facts=() if fresh else written.facts,
        versions=known.versions,
        unreadable=known.unreadable,
    )


async def failed_after_all(connection: asyncpg.Connection, broken: Sequence[Broken]) -> None:
    """Letters that were redriven and parked, and now turn out broken: they wait for people again.

    Others of these records were dead letters before they were parked for another reason.
    """
    reasons = {coordinates(each.record): each.message for each in broken}
    parked_letters = await letter_steps.lock_parked(connection, list(reasons))
    steps = [Step(each, FAILED_AGAIN, None, reasons[each]) for each in parked_letters]
    await letter_steps.take(connection, steps, THE_SERVICE)


def _entry(key: Key, entry: Entry) -> Request | Broken:
    """The request under the identity that it was parked with, whatever its topic means today."""
    tenant_id, request_key = key
    match entry:
        case Request():
            return entry._replace(
                tenant_id=tenant_id, request_key=request_key, ticket_id=ticket_id(request_key)
            )
        case Broken():
            return entry
        case _:
            message = "only requests are parked"
            raise AssertionError(message)


def _place(record: Record) -> Stretch:
    return Stretch(record.topic, record.partition, record.offset, record.offset)


def _record(row: Any) -> StoredRecord:  # noqa: ANN401  a row of asyncpg's
    return StoredRecord(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        timestamp=row["record_timestamp"],
        key=row["key"],
        value=row["value"],
        headers=headers_of(row["header_names"], row["header_values"]),
    )
