"""`ticketing dlq discard`: let dead letters be, and say why."""

import asyncio
from typing import Annotated

import typer

from consumer.cli.asking import DryRun, Yes, confirm
from consumer.cli.failures import WRONG_USE, CommandFailed, database_explained
from consumer.cli.letter_choice import Choice, Options, check_use
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
from consumer.cli.letter_run import All, Ids, Most, Results, chosen, opened, touched
from consumer.cli.operator import By, operator
from consumer.cli.output import Json, Tenant
from consumer.settings import Settings, load_settings

LONGEST_REASON = 1_000


def discard(
    ids: Ids = None,
    *,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the record. Required.")
    ] = None,
    since: Since = None,
    until: Until = None,
    topic: Topic = None,
    tenant: Tenant = None,
    source: Source = None,
    error: ErrorClass = None,
    key: Key = None,
    text: Text = None,
    state: InState = None,
    is_all: All = False,
    limit: Most = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Discard dead letters that nobody has decided about: they stay on record, with the reason."""
    wanted = Wanted(since, until, topic, tenant, source, error, key, text)
    options = Options(ids or [], wanted, state, is_all, limit)
    check_use(options)
    why, actor = _reason(reason), operator(by)
    settings = load_settings()
    choice = asyncio.run(chosen(settings, options))
    results = Results("discarded", dry_run=dry_run, as_json=as_json)
    if choice.number:
        confirm(touched(settings, choice, actor, reason=why), "Discard them?", yes=yes or dry_run)
        with results.told_at_the_end(), database_explained(settings):
            asyncio.run(_run(settings, choice, why, actor, results))
    results.leave()


async def _run(
    settings: Settings, choice: Choice, reason: str, actor: str, results: Results
) -> None:
    from consumer.discard import discard as discarding

    async with opened(settings, "ticketing dlq discard") as pool:
        run = discarding(pool, choice.chosen, reason=reason, actor=actor, dry_run=results.dry_run)
        await results.collect(run, choice.number)


def _reason(reason: str | None) -> str:
    text = (reason or "").strip()
    if not text or len(text) > LONGEST_REASON or "\0" in text:
        raise CommandFailed(
            f"Why? Give --reason with a text of 1 to {LONGEST_REASON:,} characters.", WRONG_USE
        )
    return text
