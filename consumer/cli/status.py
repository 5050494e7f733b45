"""`ticketing status`: what waits, for how long, and who works on it."""

import asyncio
import sys
from contextlib import suppress
from typing import Annotated, Final

import typer

from consumer.cli.failures import FAILED
from consumer.cli.output import Json, print_json
from consumer.settings import load_settings

EXAMPLE: Final = "Example: ticketing status --watch"


def status(
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until stopped.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.2, metavar="SECONDS", help="How often --watch looks.")
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Show lag, what waits, who has the lease and what is due."""
    settings = load_settings()

    from consumer.cli.status_page import page, print_page
    from consumer.overview import look

    if not watch:
        overview = asyncio.run(look(settings))
        if as_json:
            print_json(overview.as_json())
        else:
            print_page(overview)
        if overview.problems:
            raise typer.Exit(FAILED)
        return

    async def repeat() -> None:
        from rich.live import Live

        from consumer.cli.output import console

        if as_json or not sys.stdout.isatty():
            while True:
                overview = await look(settings)
                if as_json:
                    print_json(overview.as_json())
                else:
                    print_page(overview)
                sys.stdout.flush()
                await asyncio.sleep(every)
        with Live(console=console(), screen=True, auto_refresh=False) as live:
            while True:
                live.update(page(await look(settings)), refresh=True)
                await asyncio.sleep(every)

    with suppress(KeyboardInterrupt):  # how watching ends
        asyncio.run(repeat())
