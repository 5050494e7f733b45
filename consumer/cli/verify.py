"""`ticketing verify`: whether the promise held, from topics and tables alone."""

import asyncio
from typing import Annotated, Final

import typer

from consumer.cli.failures import FAILED
from consumer.cli.moments import TIME_FORM
from consumer.cli.output import Json, print_json
from consumer.settings import load_settings

EXAMPLE: Final = "Example: ticketing verify --since 24h"


def verify(
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Judge what came in since: {TIME_FORM}.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge nothing that came in later.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many findings of a kind to print.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Check that nothing was lost, from topics and tables alone. Changes nothing.

    Every record that the service is done with must have exactly one outcome, and every fact must
    have been published as it was committed, the first time in its order.
    """
    settings = load_settings()

    from consumer.cli.verify_page import as_plain, print_page
    from consumer.cli.verifying import look

    asked, report = asyncio.run(look(settings, since, until))
    if as_json:
        print_json(as_plain(asked, report))
    else:
        print_page(asked, report, limit)
    if not report.holds:
        raise typer.Exit(FAILED)
