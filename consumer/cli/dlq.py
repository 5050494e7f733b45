"""`ticketing dlq`: records that could not be handled, and why."""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import typer

from consumer.cli.failures import WRONG_USE, CommandFailed, reading
from consumer.cli.letter_page import letter_json, print_letter, print_letters, summary_json
from consumer.cli.moments import TIME_FORM, UnusableTime, parse_time
from consumer.cli.output import Json, Limit, Tenant, print_json, say
from consumer.cli.place import PLACE_FORM, Place, parse_place
from consumer.settings import Settings, load_settings
from db import dead_letter_reading as dead_letters
from db.dead_letter_reading import Kept, Summary

ABOUT: Final = "Look at dead letters: records that could not be handled."


class State(StrEnum):
    """What has been done about a dead letter."""

    DEAD = "dead"
    REDRIVEN = "redriven"
    FAILED_AGAIN = "failed_again"
    DISCARDED = "discarded"
    RESOLVED_BY_REPLAY = "resolved_by_replay"


def list_letters(
    *,
    topic: Annotated[str | None, typer.Option(metavar="NAME", help="Read from this topic.")] = None,
    error: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Of this cause, such as InvalidRecord.")
    ] = None,
    state: Annotated[State | None, typer.Option(help="In this state.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"{TIME_FORM}.")] = None,
    tenant: Tenant = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the newest dead letters that fit everything named."""

    async def look() -> tuple[datetime, list[Summary]]:
        async with reading(load_settings()) as connection:
            now = await connection.fetchval("SELECT now()")
            return now, await dead_letters.newest(
                connection,
                since=None if since is None else _time(since, now),
                topic=topic,
                tenant_id=tenant,
                error_class=error,
                state=state,
                limit=limit,
            )

    now, found = asyncio.run(look())
    if as_json:
        print_json([summary_json(letter) for letter in found])
    elif found:
        print_letters(found, now)
    else:
        say("No dead letter fits.")


def show(
    id_: Annotated[str, typer.Argument(metavar=PLACE_FORM, help="The id that `list` shows.")],
    *,
    as_json: Json = False,
) -> None:
    """Show a dead letter: what was wrong, and the record with the failing place marked."""
    settings = load_settings()
    now, found = asyncio.run(_find(settings, parse_place(id_)))
    if as_json:
        print_json([letter_json(letter, kept) for letter, kept in found])
        return
    for letter, kept in found:
        print_letter(letter, kept, now)


COMMANDS: Final = (
    (list_letters, "list", "Example: ticketing dlq list --since 24h --tenant acme"),
    (show, "show", "Example: ticketing dlq show ticket.requested:0:42"),
)


async def _find(settings: Settings, place: Place) -> tuple[datetime, list[tuple[Summary, Kept]]]:
    """The topic may be named with or without the prefix."""
    async with reading(settings) as connection:
        now = await connection.fetchval("SELECT now()")
        for topic in (place.topic, settings.topic_prefix + place.topic):
            found = await dead_letters.by_record(connection, topic, place.partition, place.offset)
            if found:
                kept = [await dead_letters.record(connection, letter) for letter in found]
                return now, list(zip(found, kept, strict=True))
    raise CommandFailed(f"There is no dead letter {place}.")


def _time(text: str, now: datetime) -> datetime:
    try:
        return parse_time(text, now)
    except UnusableTime as error:
        raise CommandFailed(f"--since: {error}", WRONG_USE) from None
