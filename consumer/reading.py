"""From records and rows to the plain values that an audit looks at."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import asyncpg

from consumer.evidence import (
    Arrival,
    Fact,
    Fate,
    Headers,
    Letter,
    PartyWord,
    Place,
    Rows,
    Ruling,
    Sent,
    SentLetter,
    Stretch,
    content_digest,
    value_digest,
)
from db import inventory
from db.requests import rejections
from handlers.batch import Broken
from handlers.entries import TopicRole, read
from handlers.identity import rejection_id
from handlers.outcomes import Change, Request
from handlers.parties import PartyChange
from handlers.record import Record

FIRST_APPENDED: Final = "dlq-topic"
"""The first header that we append to a dead letter; a letter of a letter has it twice."""

ORIGIN: Final = ("dlq-topic", "dlq-partition", "dlq-offset", "dlq-timestamp")


def place_of(record: Record) -> Place:
    """Where a record stands."""
    return Place(record.topic, record.partition, record.offset, record.timestamp)


def arrival(record: Record, role: TopicRole, max_bytes: int) -> Arrival:
    """A record as the intake reads it."""
    place = place_of(record)
    digest = content_digest(record.key, record.value, record.headers)
    match read(record, role, max_bytes):
        case Request() | Change() as request:
            return Arrival(place, digest, (request.tenant_id, request.request_key))
        case PartyChange(_, party, id_, state, changed_at):
            return Arrival(place, digest, party=PartyWord(party, id_, changed_at, state is None))
        case Broken():
            return Arrival(place, digest)


async def rows_of(
    connection: asyncpg.Connection, arrivals: Sequence[Arrival], stretch: Stretch, since: datetime
) -> Rows:
    """Every row that concerns these arrivals, and those that name a record of the stretch."""
    asked = [each for each in arrivals if each.identity is not None]
    keys = [each.identity for each in asked if each.identity is not None]
    rulings = await inventory.rulings(connection, keys, [stretch], since)
    letters = await inventory.letters(connection, [stretch], since)
    refusals = [
        (each.identity[0], rejection_id(each.identity[1], *each.place.record))
        for each in asked
        if each.identity is not None
    ]
    rejected = await rejections(connection, refusals) if refusals else set()
    party_ids = [each.party.id for each in arrivals if each.party is not None]
    parties = await inventory.parties(connection, party_ids) if party_ids else {}
    return Rows(
        [_ruling(row) for row in rulings],
        [_letter(row) for row in letters],
        frozenset(rejected),
        parties,
    )


def _ruling(row: Sequence[Any]) -> Ruling:
    tenant_id, request_key, outcome, code, topic, partition, offset, has_ticket = row
    record = None if topic is None else (topic, partition, offset)
    return Ruling(tenant_id, request_key, outcome, code, record, has_ticket)


def _letter(row: Sequence[Any]) -> Letter:
    topic, partition, offset, timestamp, key, value, names, values, state, fate = row
    headers = [
        (name.decode("utf-8", "surrogateescape"), header)
        for name, header in zip(names, values, strict=True)
    ]
    place = Place(topic, partition, offset, timestamp)
    return Letter(place, content_digest(key, value, headers), state, Fate(fate))


def fact(row: Sequence[Any]) -> Fact:
    """A row of `db.inventory.FACTS`."""
    told_tenant, told_sequence, fate = row[10:]
    return Fact._make([*row[:10], (told_tenant, told_sequence), Fate(fate)])


def sent(record: Record, *, is_early: bool) -> Sent:
    """A record of a fact topic."""
    headers = tuple(record.headers)
    return Sent(place_of(record), record.key, value_digest(record.value), headers, is_early)


def sent_letter(record: Record, *, is_early: bool) -> SentLetter:
    """A record of a dead letter topic, told apart into what it was and what we appended."""
    theirs, ours = _told_apart(record.headers)
    digest = content_digest(record.key, record.value, theirs)
    return SentLetter(place_of(record), _origin(dict(ours)), digest, is_early)


def _told_apart(headers: Headers) -> tuple[Headers, Headers]:
    names = [name for name, _ in headers]
    if FIRST_APPENDED not in names:
        return headers, ()
    appended = len(names) - names[::-1].index(FIRST_APPENDED)
    return headers[: appended - 1], headers[appended - 1 :]


def _origin(headers: dict[str, bytes | None]) -> Place | None:
    topic, *numbers = [(headers.get(name) or b"").decode(errors="replace") for name in ORIGIN]
    with suppress(ValueError):
        partition, offset, timestamp = map(int, numbers)
        return Place(topic, partition, offset, timestamp)
    return None
