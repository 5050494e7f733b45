"""`ticketing dlq list`: the newest letters that fit, or all that fit by cause and by source."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from consumer.cli.failures import reading
from consumer.cli.letter_filter import (
    ErrorClass,
    InState,
    Key,
    Since,
    Source,
    Text,
    Topic,
    Until,
    Wanted,
)
from consumer.cli.letter_page import print_letters, summary_json
from consumer.cli.moments import shown
from consumer.cli.output import Json, Limit, Tenant, print_json, print_table, say
from consumer.letter_groups import Cause, Origin, by_cause, by_source
from consumer.settings import load_settings
from consumer.wording import counted
from db import letter_search
from db.dead_letter_reading import Summary
from db.letter_search import Alike


def list_letters(
    *,
    since: Since = None,
    until: Until = None,
    topic: Topic = None,
    tenant: Tenant = None,
    source: Source = None,
    error: ErrorClass = None,
    key: Key = None,
    text: Text = None,
    state: InState = None,
    limit: Limit = 20,
    summary: Annotated[
        bool, typer.Option("--summary", help="Count all that fit, by cause and by source.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the newest dead letters that fit everything named."""
    settings = load_settings()
    named = Wanted(since, until, topic, tenant, source, error, key, text)

    async def look() -> tuple[datetime, list[Summary], list[Alike], int]:
        async with reading(settings) as connection:
            now = await connection.fetchval("SELECT now()")
            wanted = named.filter(settings, now, None if state is None else [state])
            if not summary:
                return now, await letter_search.newest(connection, wanted, limit), [], 0
            total = await letter_search.count(connection, wanted)
            return now, [], await letter_search.alike(connection, wanted), total

    now, letters, alike, total = asyncio.run(look())
    if summary:
        _tell_groups(by_cause(alike), by_source(alike), total, limit, now, as_json=as_json)
    elif as_json:
        print_json([summary_json(letter) for letter in letters])
    elif letters:
        print_letters(letters, now)
    else:
        say("No dead letter fits.")


def _tell_groups(
    causes: Sequence[Cause],
    origins: Sequence[Origin],
    total: int,
    limit: int,
    now: datetime,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {
                "letters": total,
                "causes": [asdict(cause) for cause in causes],
                "sources": [asdict(origin) for origin in origins],
            }
        )
        return
    if not total:
        say("No dead letter fits.")
        return
    say(f"{counted(total, 'dead letter')} by cause", "bold")
    print_table(
        ("#count", "TOPIC", "ERROR", "why", "@first", "@last", "SUCH AS"),
        [
            (
                *(cause.count, cause.topic, cause.error_class, cause.shape),
                *(shown(cause.first_at, now), shown(cause.last_at, now), cause.example),
            )
            for cause in causes[:limit]
        ],
    )
    _tell_rest(len(causes), limit)
    say("\nby source", "bold")
    print_table(
        ("#count", "source", "@first", "@last", "SUCH AS"),
        [
            (
                *(origin.count, origin.source),
                *(shown(origin.first_at, now), shown(origin.last_at, now), origin.example),
            )
            for origin in origins[:limit]
        ],
    )
    _tell_rest(len(origins), limit)


def _tell_rest(number: int, limit: int) -> None:
    if number > limit:
        say(f"... ({number - limit} more; --limit shows them)", "dim")
