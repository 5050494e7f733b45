"""What became of a record or a request, told from the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from consumer.cli.place import Place
from db import dead_letter_reading as dead_letters
from db import request_reading as requests
from db import ticket_reading as tickets
from db.dead_letter_reading import Summary
from db.request_reading import Decided
from db.ticket_reading import Fact
from handlers.batch import Entry
from handlers.identity import rejection_id, request_key
from handlers.outcomes import Change, Request
from handlers.record import Record
from schemas.vocabulary import Kind, Outcome

ACCEPTED = frozenset({Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED, Outcome.PARKED})
"""Outcomes that use the identity up: whoever comes later with it is a duplicate."""


@dataclass(frozen=True, slots=True)
class Story:
    """An outcome with what belongs to it. place: the record that was decided, where there is one.

    why: the reason of a refusal or of a wait. facts: the ticket's, or the rejection's.
    """

    outcome: Outcome
    tenant_id: str | None
    place: Place | None
    decided_at: datetime
    code: str | None = None
    why: str | None = None
    ticket: dict[str, Any] | None = None
    facts: tuple[Fact, ...] = ()


async def of_request(
    connection: asyncpg.Connection, request_id: str, tenant: str | None
) -> list[Story]:
    """Every outcome under this request id, in one tenant or in all, as request or as change."""
    names = [tenant] if tenant else await requests.tenants(connection)
    keys = [
        (name, request_key(kind, "request_id", name, request_id)) for name in names for kind in Kind
    ]
    decided = await requests.by_keys(connection, keys)
    letters = await dead_letters.by_request(connection, request_id, tenant)
    stories = [await _tell(connection, each) for each in decided]
    return stories + [_bury(each) for each in letters]


async def of_place(connection: asyncpg.Connection, place: Place) -> list[Story]:
    """The outcomes that this record itself gave; none where it was a duplicate."""
    where = (place.topic, place.partition, place.offset)
    decided = await requests.by_record(connection, *where)
    letters = await dead_letters.by_record(connection, *where)
    stories = [await _tell(connection, each) for each in decided]
    return stories + [_bury(each) for each in letters]


async def of_entry(connection: asyncpg.Connection, entry: Entry, record: Record) -> Story | None:
    """What became of a record whose content is known; None while it is not decided."""
    place = Place(record.topic, record.partition, record.offset)
    for story in await of_place(connection, place):
        return story
    if not isinstance(entry, (Request, Change)):
        return None
    for prior in await requests.by_keys(connection, [(entry.tenant_id, entry.request_key)]):
        if Outcome(prior.outcome) in ACCEPTED:
            first = await _tell(connection, prior)
            if first.place == place:  # decided just now, since the question before
                return first
            return Story(
                Outcome.DUPLICATE,
                first.tenant_id,
                place,
                first.decided_at,
                why=f"{first.outcome} by {first.place or 'a workflow'}",
                ticket=first.ticket,
            )
    return None


async def _tell(connection: asyncpg.Connection, decided: Decided) -> Story:
    outcome = Outcome(decided.outcome)
    place = None
    if decided.topic is not None:
        place = Place(decided.topic, decided.partition or 0, decided.offset or 0)
    ticket, facts, why = None, [], None
    if outcome is Outcome.REJECTED and place is not None:
        ce_id = rejection_id(decided.request_key, place.topic, place.partition, place.offset)
        facts = await tickets.timeline(connection, decided.tenant_id, ce_id)
        why = facts[0].data.get("message") if facts else None
    elif outcome is Outcome.PARKED:
        why = _waits_since(decided)
    elif decided.ticket_id is not None:
        key = (decided.tenant_id, decided.ticket_id)
        ticket = next(iter(await tickets.by_ids(connection, [key])), None)
        facts = await tickets.timeline(connection, *key)
    return Story(
        outcome,
        decided.tenant_id,
        place,
        decided.decided_at,
        code=decided.code,
        why=why,
        ticket=ticket,
        facts=tuple(facts),
    )


def _waits_since(decided: Decided) -> str:
    if decided.grace_started_at is None:
        return "waits for its customer, whose topics are not read to their end yet"
    return "waits for its customer until the grace is over"


def _bury(letter: Summary) -> Story:
    return Story(
        Outcome.DEAD_LETTERED,
        letter.tenant_id,
        Place(letter.topic, letter.partition, letter.offset),
        letter.failed_at,
        code=letter.error_class,
        why=letter.error_message,
    )
