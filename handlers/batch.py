"""A batch of records in the caller's transaction: parties first, then the requests, all at once.

The consumer, the parking sweep, redrive and replay all come through here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

import asyncpg
import orjson

from db import dead_letters, parked
from db.bulk import Row
from db.dead_letters import DeadLetter
from db.parked import ParkedRequest
from db.requests import DecidedElsewhere, Stretch
from handlers.change_batch import Tickets, decide_changes, opened_elsewhere, opened_here
from handlers.change_rows import add_changes
from handlers.changes import ChangeRules
from handlers.knowledge import gather
from handlers.outcomes import (
    Change,
    ChangeDecision,
    Decision,
    Duplicate,
    Known,
    Parked,
    Request,
    Rules,
)
from handlers.parties import Moved, PartyChange, apply_changes
from handlers.record import Coordinates, Record, arrays_of, coordinates
from handlers.requests import decide
from handlers.routing import PolicyUnreadable
from handlers.rows import rows_of
from handlers.write import COPY_FROM, write, write_opened
from schemas.vocabulary import Outcome


class Broken(NamedTuple):
    """A record that can't be handled, and why. path: the field at fault, where one is."""

    record: Record
    error_class: str
    message: str
    path: str | None = None
    tenant_id: str | None = None
    request_id: str | None = None
    source: str | None = None
    attempts: int = 1


Entry = Request | Change | PartyChange | Broken
"""One record of a batch, decoded."""


@dataclass(frozen=True, slots=True)
class Again:
    """Records that were decided before and are now to be decided once more.

    letters: dead letters whose rows the caller holds. They live again; one that is still broken
    is `repeated`, not kept twice. rejections: those that were rejected are decided anew; one that
    is refused once more is a duplicate, and nothing is told.
    """

    letters: frozenset[Coordinates] = frozenset()
    rejections: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What a batch is handled under. party_ends: {topic: {partition: end offset}}, as last seen."""

    rules: Rules
    group_id: str
    party_ends: dict[str, dict[str, int]] = field(default_factory=dict)
    check_numbers: bool = False
    copy_from: int = COPY_FROM
    change_rules: ChangeRules = field(default_factory=ChangeRules)
    again: Again = field(default_factory=Again)


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a batch, once it is committed. repeated: dead letters kept before.

    outbox_id: the number that the relay will find it under, None when there is nothing to publish.
    first_facts: all that it will find there (rows as handlers.written.FACT_COLUMNS), if no fact of
    their tickets came before them; else empty.
    closed: how many tickets closed because time passed.
    versions: of the policies that were in force, by tenant. unreadable: those that should have
    been, or that clocks named, and that are not understood.
    """

    now: datetime
    decisions: list[Decision | ChangeDecision]
    parties: list[tuple[PartyChange, Outcome | Moved]]
    dead: list[Broken]
    repeated: list[Broken]
    outbox_id: int | None
    first_facts: Sequence[Row] = ()
    closed: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)
    unreadable: Sequence[PolicyUnreadable] = ()


async def handle(
    connection: asyncpg.Connection, entries: Sequence[Entry], setting: Setting
) -> Handled:
    """Decide and write a batch. Raises what the database raises; then nothing of it stands."""
    parties = [entry for entry in entries if isinstance(entry, PartyChange)]
    changes = [entry for entry in entries if isinstance(entry, Change)]
    requests = [entry for entry in entries if isinstance(entry, Request)]
    broken = [entry for entry in entries if isinstance(entry, Broken)]
    applied = await apply_changes(connection, parties) if parties else []
    broken += [_moved(outcome) for outcome in applied if isinstance(outcome, Moved)]
    tickets = Tickets()
    if changes:  # before the number of this write is taken
        await tickets.lock(connection, changes)
    known, dead = await gather(
        connection,
        [*requests, *changes],
        stretches=_stretches(entries),
        check_numbers=setting.check_numbers,
    )
    known.retries_rejections = setting.again.rejections
    fresh, repeated = tell_apart(broken, dead | setting.again.letters)
    dead -= setting.again.letters
    alive, repeats = _alive(requests, dead)
    decisions = decide(alive, known, setting.rules)
    written = rows_of(decisions, known)
    changed: list[ChangeDecision] = []
    if changes:
        living, more = _alive(changes, dead)
        repeats += more
        lost = [change for change in living if tickets.addressed(change) is None]
        if lost and not setting.check_numbers and opened_elsewhere(lost, decisions, known):
            raise DecidedElsewhere  # to lock them first, as every ticket that others see too
        if lost and (opened := opened_here(lost, decisions)):
            await write_opened(connection, written, copy_from=setting.copy_from)
            await tickets.lock(connection, opened)
        await tickets.ask_tiers(connection, known)
        changed = decide_changes(living, tickets, known, setting.rules, setting.change_rules)
        add_changes(written, changed, known)
    if written.parked:
        waiting = [written.parked[identity] for identity in sorted(written.parked)]
        await parked.park(connection, [_parked(entry, known, setting) for entry in waiting])
    if fresh:
        await dead_letters.add(connection, [letter(entry, known, setting) for entry in fresh])
    await write(connection, written, known, dead_letters=len(fresh), copy_from=setting.copy_from)
    announced = bool(written.facts or fresh)
    return Handled(
        now=known.now,
        decisions=[*decisions, *changed, *(Duplicate(each, differs=False) for each in repeats)],
        parties=list(zip(parties, applied, strict=True)),
        dead=fresh,
        repeated=repeated,
        outbox_id=known.outbox_id if announced else None,
        first_facts=() if fresh or changes else written.facts,
        versions=known.versions,
        unreadable=known.unreadable,
    )


def tell_apart(
    broken: Iterable[Broken], dead: frozenset[Coordinates]
) -> tuple[list[Broken], list[Broken]]:
    """Those that nobody has kept yet, in key order, and those that are dead letters already."""
    fresh: dict[Coordinates, Broken] = {}
    repeated: list[Broken] = []
    for each in broken:
        place = coordinates(each.record)
        if place in dead or place in fresh:
            repeated.append(each)
        else:
            fresh[place] = each
    return [fresh[place] for place in sorted(fresh)], repeated


R = TypeVar("R", Request, Change)


def _alive(
    requests: Sequence[R], dead: frozenset[Coordinates]
) -> tuple[Sequence[R], list[Request | Change]]:
    """Those to decide, and those whose record is kept as a dead letter."""
    if not dead:
        return requests, []
    alive: list[R] = []
    repeats: list[Request | Change] = []
    for request in requests:
        if request.record is not None and coordinates(request.record) in dead:
            repeats.append(request)
        else:
            alive.append(request)
    return alive, repeats


def _stretches(entries: Iterable[Entry]) -> list[Stretch]:
    bounds: dict[tuple[str, int], tuple[int, int]] = {}
    for entry in entries:
        record = entry.record
        if record is None:
            continue
        place = (record.topic, record.partition)
        first, last = bounds.get(place, (record.offset, record.offset))
        bounds[place] = (min(first, record.offset), max(last, record.offset))
    return [Stretch(*place, first, last) for place, (first, last) in bounds.items()]


def _moved(moved: Moved) -> Broken:
    change = moved.change
    if change.record is None:
        message = "only a record can move a party"
        raise AssertionError(message)
    field_name = f"{change.party}_id"
    return Broken(
        change.record,
        "PartyMoved",
        f"tenant_id: {field_name} {change.id} belongs to another tenant, not to "
        f"{change.tenant_id}; expected the tenant that it was announced with",
        "tenant_id",
        change.tenant_id,
    )


def _storable(text: str | None) -> str | None:
    """The text without what PostgreSQL can't hold: U+0000 and lone surrogates are spelled out."""
    if text is None:
        return None
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000")


def letter(broken: Broken, known: Known, setting: Setting) -> DeadLetter:
    """The row that keeps a broken record whole."""
    record = broken.record
    return DeadLetter(
        *coordinates(record),
        _storable(broken.tenant_id),
        _storable(broken.request_id),
        _storable(broken.source),
        record.key,
        record.value,
        *arrays_of(record),
        broken.error_class,
        _storable(broken.message) or broken.error_class,
        _storable(broken.path),
        broken.attempts,
        setting.group_id,
        known.now,
        known.outbox_id,
    )


def _parked(entry: Parked, known: Known, setting: Setting) -> ParkedRequest:
    request = entry.request
    record = request.record
    if record is None:
        message = "a call of the library face is never parked"
        raise AssertionError(message)
    return ParkedRequest(
        request.tenant_id,
        request.request_key,
        entry.customer_ref,
        *coordinates(record),
        record.key,
        record.value,
        *arrays_of(record),
        orjson.dumps(setting.party_ends).decode(),
        known.now,
        None,
    )
