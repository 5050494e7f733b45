"""From records and rows to the plain values that an audit looks at."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from sys import intern
from typing import Any, Final

import asyncpg

from consumer.evidence import (
    Arrival,
    Fact,
    Fate,
    Headers,
    Letter,
    PartyRow,
    PartyWord,
    Place,
    Rows,
    Ruling,
    Sent,
    SentLetter,
    Stretch,
    Told,
    content_digest,
    value_digest,
)
from db import inventory
from handlers.batch import Broken
from handlers.entries import TopicRole, read
from handlers.identity import rejection_id
from handlers.outcomes import Change, Request
from handlers.parties import PartyChange
from handlers.record import Record, StoredRecord, headers_of

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
        case PartyChange(_, party, id_, state, changed_at, tenant):
            word = PartyWord(party, id_, changed_at, ends=state is None, tenant_id=tenant)
            return Arrival(place, digest, party=word)
        case Broken():
            return Arrival(place, digest)


async def rows_of(
    connection: asyncpg.Connection,
    arrivals: Sequence[Arrival],
    stretch: Stretch,
    role: TopicRole,
    max_bytes: int,
) -> Rows:
    """Every row that concerns these arrivals, and those that name a record of the stretch."""
    where = [stretch[:4]]
    letters = [_letter(row, role, max_bytes) for row in await inventory.letters(connection, where)]
    seen = [*arrivals, *(letter.edited for letter in letters if letter.edited is not None)]
    asked = [(each.identity, each.place) for each in seen if each.identity is not None]
    keys = [identity for identity, _ in asked]
    rulings = await inventory.rulings(connection, keys, where)
    refusals = [(tenant, rejection_id(key, *place.record)) for (tenant, key), place in asked]
    rejected = await inventory.rejections(connection, refusals) if refusals else {}
    ids = [each.party.id for each in seen if each.party is not None]
    parties = await inventory.parties(connection, ids) if ids else []
    return Rows(
        [_ruling(row) for row in rulings],
        letters,
        rejected,
        {(party, id_): PartyRow(tenant, at) for party, id_, tenant, at in parties},
    )


def _ruling(row: Sequence[Any]) -> Ruling:
    tenant_id, request_key, outcome, topic, partition, offset, has_ticket, decided_at = row
    record = None if topic is None else (topic, partition, offset)
    return Ruling(tenant_id, request_key, outcome, record, has_ticket, decided_at)


def _letter(row: Sequence[Any], role: TopicRole, max_bytes: int) -> Letter:
    topic, partition, offset, timestamp, key, value, names, values, *others = row
    state, fate, tenant_id, failed_at, outcome, edited = others
    headers = headers_of(names, values)
    record = StoredRecord(topic, partition, offset, timestamp, key, value, headers)
    handled = None
    if edited is not None:
        handled = arrival(replace(record, value=edited), role, max_bytes)
    return Letter(
        place_of(record),
        content_digest(key, value, record.headers),
        state,
        Fate(fate),
        tenant_id,
        failed_at,
        outcome,
        handled,
    )


def facts(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Fact, Told]]:
    """Rows of `db.inventory.FACTS`. What many facts have in common is kept in memory once."""
    for row in rows:
        tenant, subject, sequence, ce_type, ticket = row[:5]
        shared = intern(tenant), subject, sequence, intern(ce_type)
        fact = Fact._make(
            (*shared, subject if ticket == subject else ticket, *row[5:10], Fate(row[10]))
        )
        yield fact, Told(*row[11:])


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
