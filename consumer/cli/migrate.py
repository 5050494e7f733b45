"""`ticketing migrate`: the database's schema, and who may use it."""

import asyncio
from typing import Annotated

import typer

from consumer.cli.failures import FAILED, CommandFailed, database_explained, database_place
from consumer.cli.output import Json, print_json, say
from db.rights import Rights
from db.schema_state import SchemaState

EXAMPLE = "Example: ticketing migrate --grant-to ticketing_service"


def migrate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when the schema is behind.")
    ] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print all migrations as SQL, without a database.")
    ] = False,
    grant_to: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="Also give this role what it needs; it must exist. Repeat it after upgrades.",
        ),
    ] = None,
    rights: Annotated[
        Rights,
        typer.Option(
            help="With --grant-to: what the service needs, or what a tenant's reader or"
            " workflow needs, which sees the tenant in ticketing.tenant_id alone."
        ),
    ] = Rights.SERVICE,
    as_json: Json = False,
) -> None:
    """Bring the database's schema to this program's version. Safe from many places at once."""
    from db import migrate as schema

    if sql:
        typer.echo(schema.sql(grant_to=grant_to, rights=rights), nl=False)
        return

    from consumer.settings import load_settings

    settings = load_settings()
    url, pooler = settings.database_url.get_secret_value(), settings.database_pooler
    place = database_place(settings)
    with database_explained(settings):
        if check:
            _report(asyncio.run(schema.state(url, pooler=pooler)), place, as_json=as_json)
            return
        done = asyncio.run(
            schema.upgrade(
                url,
                pooler=pooler,
                grant_to=grant_to,
                rights=rights,
                on_wait=lambda: typer.echo(
                    "Waiting for a lock: another migration runs, or a table is in use.", err=True
                ),
            )
        )
    before = done.before
    if as_json:
        print_json({"database": place, "from": before.current, "to": before.head})
    elif before.pending:
        say(f"{place}: migrated from {before.current or 'nothing'} to {before.head}.")
    else:
        say(f"{place}: already at {before.head}.")
    if grant_to is not None and not as_json:
        say(f"{place}: {grant_to} has the {rights} rights.")
    if done.left_to_do is not None:
        typer.echo(done.left_to_do, err=True)


def _report(state: SchemaState, place: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"database": place, "current": state.current, "head": state.head})
    elif not state.pending:
        say(f"{place}: at {state.head}, nothing to do.")
    if not state.pending:
        return
    if as_json:
        raise typer.Exit(FAILED)
    raise CommandFailed(
        f"{place} is at {state.current or 'nothing'} and {state.head} is wanted:"
        " run `ticketing migrate`."
    )
