"""The stories of a request, by its id, or by the record that it came in."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from consumer.cli.failures import CommandFailed, reading
from consumer.cli.outcome import Story, of_entry, of_place, of_request
from consumer.cli.place import Place
from consumer.one_record import RecordAway, read_record
from consumer.settings import Settings
from consumer.subscription import Subscription
from handlers.entries import read
from handlers.parties import PartyChange

Found = tuple[datetime, list[Story]]
"""The database's now, and what became of it."""


async def by_request_id(settings: Settings, request_id: str, tenant: str | None) -> Found:
    """What became of the requests and changes with this id, in one tenant or in all."""
    async with reading(settings) as connection:
        at = await connection.fetchval("SELECT now()")
        return at, await of_request(connection, request_id, tenant)


async def by_record(settings: Settings, place: Place) -> Found:
    """What became of a record; where it left no trace of its own, Kafka still knows its identity.

    Its topic may be named with or without the prefix. Raises CommandFailed where nothing can be
    said.
    """
    names = dict.fromkeys((place.topic, settings.topic_prefix + place.topic))
    async with reading(settings) as connection:
        at = await connection.fetchval("SELECT now()")
        for name in names:
            if stories := await of_place(connection, replace(place, topic=name)):
                return at, stories
    return at, [await _by_content(settings, names, place)]


async def _by_content(settings: Settings, names: Iterable[str], place: Place) -> Story:
    subscription = Subscription(settings)
    for name in names:
        if (role := subscription.role_of(name)) is not None:
            break
    else:
        raise CommandFailed(f"{place.topic} is no topic that the service reads.")
    try:
        record = await read_record(settings, name, place.partition, place.offset)
    except RecordAway as away:
        raise CommandFailed(f"Nothing is recorded about it. {away}") from None
    entry = read(record, role, settings.max_record_bytes)
    if isinstance(entry, PartyChange):
        raise CommandFailed(f"Record {place} is a {entry.party}, which has no outcome of its own.")
    async with reading(settings) as connection:
        story = await of_entry(connection, entry, record)
    if story is None:
        raise CommandFailed(f"Record {place} is not handled yet.")
    return story
