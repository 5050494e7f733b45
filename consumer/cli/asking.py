"""Commands that write many things say what they will touch, and ask."""

import sys
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from consumer.cli.failures import WRONG_USE, CommandFailed

FASTEST: Final = 1_000_000
"""A second, of any --rate: what is faster is no limit."""

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")]


def confirm(touched: Iterable[tuple[str, object]], question: str, *, yes: bool) -> None:
    """Print what will be touched to stderr and ask there; raises CommandFailed on a no.

    stdout stays free for the results. Without a terminal nobody can answer, so --yes is needed.
    """
    for name, value in touched:
        typer.echo(f"{name}: {value}", err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(
            "Nothing was done: without a terminal to ask, --yes is needed.", WRONG_USE
        )
    if not typer.confirm(question, err=True):
        raise CommandFailed("Nothing was done.")
