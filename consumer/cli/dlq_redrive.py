"""`ticketing dlq redrive`: have dead letters decided again, as they are or edited."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from consumer.cli.asking import FASTEST, DryRun, Yes, confirm
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
from consumer.letter_edit import NEW_IDENTITY, Edit, UnusableEdit, parse_patch, parse_put
from consumer.letter_order import Order
from consumer.settings import Settings, load_settings


def redrive(
    ids: Ids = None,
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
    is_all: All = False,
    limit: Most = None,
    puts: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Put a value there first: JSON, else text; context.routing.team=noc. Repeatable.",
        ),
    ] = None,
    patch: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Apply this JSON merge patch (RFC 7396) first."),
    ] = None,
    value_from: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Handle what is in this file in place of the value."),
    ] = None,
    new_identity: Annotated[
        bool,
        typer.Option("--new-identity", help="Let an edit make another request of it."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also changes whose ticket has moved on since.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, max=FASTEST, metavar="N", help="At most so many a second."),
    ] = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Have dead letters decided again under the rules of now: as they are, or edited."""
    wanted = Wanted(since, until, topic, tenant, source, error, key, text)
    options = Options(ids or [], wanted, state, is_all, limit)
    check_use(options)
    edit = _edit(puts or [], patch, value_from, is_new=new_identity)
    order = Order(operator(by), edit, new_identity, force, dry_run, rate)
    settings = load_settings()
    choice = asyncio.run(chosen(settings, options))
    results = Results("redriven", dry_run=dry_run, as_json=as_json)
    if choice.number:
        pace = None if rate is None else f"{rate:g} a second"
        lines = touched(settings, choice, order.actor, edit=edit.describe(), rate=pace)
        confirm(lines, "Redrive them?", yes=yes or dry_run)
        with results.told_at_the_end(), database_explained(settings):
            asyncio.run(_run(settings, choice, order, results))
    results.leave()


async def _run(settings: Settings, choice: Choice, order: Order, results: Results) -> None:
    from consumer.redrive import Redrive
    from consumer.rules import batch_setting
    from consumer.subscription import Subscription
    from consumer.transaction import transaction
    from db.grants import may_copy

    async with opened(settings, "ticketing dlq redrive") as pool:
        async with transaction(pool) as connection:
            setting = batch_setting(settings, may_copy=await may_copy(connection))
        run = Redrive(
            pool,
            Subscription(settings),
            setting,
            order,
            max_record_bytes=settings.max_record_bytes,
        )
        await results.collect(run.run(choice.chosen), choice.number)


def _edit(puts: list[str], patch: str | None, value_from: str | None, *, is_new: bool) -> Edit:
    """The edit that the options make. Raises CommandFailed."""
    try:
        edit = Edit(
            None if value_from is None else _content(value_from),
            None if patch is None else parse_patch(_content(patch), patch),
            [parse_put(put) for put in puts],
        )
    except UnusableEdit as error:
        raise CommandFailed(str(error), WRONG_USE) from None
    if is_new and edit.is_nothing:
        raise CommandFailed(
            "--new-identity goes with an edit: --set, --patch or --value-from.", WRONG_USE
        )
    if edit.identity and not is_new:
        raise CommandFailed(NEW_IDENTITY.format(names=" and ".join(edit.identity)), WRONG_USE)
    return edit


def _content(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandFailed(f"{name} can't be read: {error.strerror}.", WRONG_USE) from None
