"""`ticketing sla`: reckon with business time, and see what breaches next."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import MAXYEAR, MINYEAR
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from consumer.cli.failures import FAILED, WRONG_USE, CommandFailed
from consumer.cli.output import Json, Limit, Tenant, print_json, printable
from consumer.cli.request_lines import STDIN
from schemas.vocabulary import SlaMetric

ABOUT: Final = "Reckon with business time, and see what breaches next."

MOST_YEARS: Final = 100
YEARS: Final = re.compile("([0-9]{4})(?:-([0-9]{4}))?")

Lines = Annotated[
    str, typer.Argument(metavar="[FILE|-]", help="JSON objects, one a line; - is stdin.")
]


def due(file: Lines = STDIN) -> None:
    """Say when something is due, by a calendar and its pauses: an answer for each line."""
    from consumer import sla_lines

    _answer(sla_lines.due, file)


def elapsed(file: Lines = STDIN) -> None:
    """Say how much business time has passed between two times: an answer for each line."""
    from consumer import sla_lines

    _answer(sla_lines.elapsed, file)


def at_risk(
    *,
    within: Annotated[
        str | None, typer.Option(metavar="AGE", help="Due in this time, such as 15m, 2h or 3d.")
    ] = None,
    metric: Annotated[SlaMetric | None, typer.Option(help="Clocks of this kind alone.")] = None,
    breached: Annotated[
        bool, typer.Option("--breached", help="Instead, those that have breached and go on.")
    ] = False,
    tenant: Tenant = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the clocks that breach next, the soonest first."""
    from consumer.at_risk import Wanted
    from consumer.cli.at_risk import list_at_risk, time_ahead

    if breached and within is not None:
        raise CommandFailed(
            "--within is about breaches to come: leave it out with --breached.", WRONG_USE
        )
    ahead = None if within is None else time_ahead(within)
    list_at_risk(Wanted(tenant, metric, ahead, breached, limit), as_json=as_json)


def holidays(
    country: Annotated[str, typer.Argument(metavar="COUNTRY", help="Two letters, such as DE.")],
    *,
    subdivision: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of this part too, such as BY for Bavaria.")
    ] = None,
    years: Annotated[
        str | None,
        typer.Option(metavar="YEARS", help="2026 or 2026-2028. (default: this year and the next)"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List a country's public holidays, to be put into a calendar."""
    from consumer.clock import utc_now
    from consumer.public_holidays import public_holidays

    found = public_holidays(country, subdivision, _years(years, utc_now().year))
    if as_json:
        print_json([{"date": day, "name": name} for day, name in found])
        return
    typer.echo("holidays:" if found else "holidays: []")
    for day, name in found:
        typer.echo(f'  - "{day}" # {printable(name)}')


COMMANDS: Final = (
    (due, "due", "Example: ticketing sla due questions.jsonl"),
    (elapsed, "elapsed", "Example: ticketing sla elapsed - < questions.jsonl"),
    (at_risk, "at-risk", "Example: ticketing sla at-risk --tenant acme --within 2h"),
    (
        holidays,
        "holidays",
        "Example: ticketing sla holidays DE --subdivision BY --years 2026-2028",
    ),
)


def _answer(asked: Callable[[Any], dict[str, object]], file: str) -> None:
    """Answer line by line: who writes into a pipe and waits for an answer gets it at once."""
    from consumer.sla_lines import answer, as_json

    are_all_answered = True
    for line in _lines(file):
        found = answer(asked, line)
        are_all_answered = are_all_answered and "error" not in found
        sys.stdout.write(as_json(found) + "\n")
        sys.stdout.flush()
    if not are_all_answered:
        raise typer.Exit(FAILED)


def _lines(file: str) -> Iterator[bytes]:
    """The lines that hold something, each as soon as it is there."""
    try:
        with nullcontext(sys.stdin.buffer) if file == STDIN else Path(file).open("rb") as source:
            for line in source:
                if stripped := line.strip():
                    yield stripped
    except OSError as error:
        raise CommandFailed(
            f"{file} can't be read: {error.strerror or error}.", WRONG_USE
        ) from None


def _years(text: str | None, this_year: int) -> range:
    found = YEARS.fullmatch(text or f"{this_year}-{this_year + 1}")
    if found:
        years = range(int(found[1]), int(found[2] or found[1]) + 1)
        if 0 < len(years) <= MOST_YEARS and years[0] >= MINYEAR and years[-1] <= MAXYEAR:
            return years
    raise CommandFailed(
        f"--years is {text!r}; give a year such as 2026, or up to {MOST_YEARS} as 2026-2028.",
        WRONG_USE,
    )
