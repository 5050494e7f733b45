"""`ticketing dlq`: records that could not be handled, why, and what is done about them."""

import asyncio
from datetime import datetime
from typing import Annotated, Final

import asyncpg
import typer

from consumer.cli.dlq_discard import discard
from consumer.cli.dlq_list import list_letters
from consumer.cli.dlq_redrive import redrive
from consumer.cli.failures import reading
from consumer.cli.letter_choice import find
from consumer.cli.letter_page import Page, letter_json, print_letter
from consumer.cli.output import Json, print_json, say
from consumer.cli.place import PLACE_FORM, Place, parse_place
from consumer.letter_identity import Addressed, addressed_by, identity_of
from consumer.settings import Settings, load_settings
from consumer.subscription import Subscription
from db import dead_letter_reading, letter_steps, ticket_changes
from db.dead_letter_reading import Summary
from db.ticket_changes import LaterChange
from handlers.entries import read
from handlers.record import StoredRecord, headers_of

ABOUT: Final = "Look at dead letters, the records that could not be handled, and redrive them."


def show(
    id_: Annotated[str, typer.Argument(metavar=PLACE_FORM, help="The id that `list` shows.")],
    *,
    as_json: Json = False,
) -> None:
    """Show a dead letter: what was wrong, what was done about it, and the failing place marked."""
    settings = load_settings()
    now, pages = asyncio.run(_pages(settings, parse_place(id_)))
    if as_json:
        print_json([letter_json(page) for page in pages])
        return
    for number, page in enumerate(pages):
        if number:
            say()
        print_letter(page, now)


COMMANDS: Final = (
    (list_letters, "list", "Example: ticketing dlq list --since 24h --tenant acme --summary"),
    (show, "show", "Example: ticketing dlq show ticket.requested:0:42"),
    (
        redrive,
        "redrive",
        "Example: ticketing dlq redrive --error WrongValue --set priority=high --dry-run",
    ),
    (
        discard,
        "discard",
        'Example: ticketing dlq discard ticket.requested:0:42 --reason "a test by the portal team"',
    ),
)


async def _pages(settings: Settings, place: Place) -> tuple[datetime, list[Page]]:
    async with reading(settings) as connection:
        now = await connection.fetchval("SELECT now()")
        found = await find(connection, settings, place)
        return now, [await _page(connection, settings, letter) for letter in found]


async def _page(connection: asyncpg.Connection, settings: Settings, letter: Summary) -> Page:
    kept = await dead_letter_reading.record(connection, letter)
    place = (letter.topic, letter.partition, letter.offset, letter.record_timestamp)
    steps = await letter_steps.taken(connection, place)
    role = Subscription(settings).role_of(letter.topic)
    if role is None:
        return Page(letter, kept, steps, None, None)
    headers = headers_of([name for name, _ in kept.headers], [each for _, each in kept.headers])
    record = StoredRecord(*place, kept.key, kept.value, headers)
    entry = read(record, role, settings.max_record_bytes)
    identity = identity_of(record, entry, role, letter.request_id)
    addressed = addressed_by(record, entry, role)
    later = None if addressed is None else await _later(connection, addressed, letter.failed_at)
    return Page(letter, kept, steps, identity, later)


async def _later(
    connection: asyncpg.Connection, addressed: Addressed, since: datetime
) -> list[LaterChange]:
    ticket_id = addressed.ticket_id
    if ticket_id is None:
        number = addressed.ticket_number or ""
        ticket_id = await ticket_changes.id_of(connection, addressed.tenant_id, number)
    if ticket_id is None:
        return []
    return await ticket_changes.later(connection, [(addressed.tenant_id, ticket_id, since)])
