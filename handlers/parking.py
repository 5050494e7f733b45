"""Requests whose customer was unknown: decided once the customer is known, or time is up."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from db import dead_letters, parked, requests
from handlers.batch import Broken, Entry, Handled, Setting, letter
from handlers.knowledge import gather
from handlers.outcomes import Parked, Request
from handlers.record import Record, StoredRecord
from handlers.requests import decide
from handlers.write import rows_of, write

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
    entries = {(row["tenant_id"], row["request_key"]): read(_record(row)) for row in rows}
    valid = {key: entry for key, entry in entries.items() if isinstance(entry, Request)}
    broken = {key: entry for key, entry in entries.items() if isinstance(entry, Broken)}
    expired = {(row["tenant_id"], row["request_key"]) for row in rows if row["expired"]}
    known, _ = await gather(connection, list(valid.values()), check_numbers=setting.check_numbers)
    known.reopened = set(valid)
    last_chance = replace(setting.rules, last_chance=True)
    decisions = [
        *decide([valid[key] for key in valid if key in expired], known, last_chance),
        *decide([valid[key] for key in valid if key not in expired], known, setting.rules),
    ]
    final = [decision for decision in decisions if not isinstance(decision, Parked)]
    if broken:
        letters = [letter(entry, known, setting) for entry in broken.values()]
        await dead_letters.add(connection, letters)
        await requests.forget(connection, list(broken))
    await write(
        connection,
        rows_of(final, known),
        known,
        dead_letters=len(broken),
        copy_from=setting.copy_from,
    )
    decided = [
        *broken,
        *((each.request.tenant_id, each.request.request_key) for each in final),
    ]
    if decided:
        await parked.remove(connection, decided)
    return Handled(
        now=known.now,
        decisions=list(final),
        parties=[],
        dead=list(broken.values()),
        repeated=[],
        outbox_id=known.outbox_id if decided else None,
    )


def _record(row: Any) -> StoredRecord:  # noqa: ANN401  a row of asyncpg's
    headers = zip(row["header_names"], row["header_values"], strict=True)
    return StoredRecord(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        timestamp=row["record_timestamp"],
        key=row["key"],
        value=row["value"],
        headers=tuple((name.decode("utf-8", "surrogateescape"), value) for name, value in headers),
    )
