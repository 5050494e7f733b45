"""`ticketing sla at-risk`: which clocks breach next, or have breached and go on."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from consumer.at_risk import AtRisk, Wanted, at_risk
from consumer.cli.clock_bars import percent, remaining
from consumer.cli.failures import WRONG_USE, CommandFailed, reading
from consumer.cli.moments import AGE, UNITS, shown
from consumer.cli.output import print_json, print_table, say
from consumer.settings import load_settings


def list_at_risk(wanted: Wanted, *, as_json: bool) -> None:
    """Print the clocks that fit."""
    now, found = asyncio.run(_find(wanted))
    if as_json:
        print_json(found)
    elif found:
        _print(found, now)
    else:
        say("No clock fits.")


def time_ahead(text: str) -> timedelta:
    """What --within says. Raises CommandFailed."""
    refusal = CommandFailed(f"--within is {text!r}; give a time such as 15m, 2h or 3d.", WRONG_USE)
    found = AGE.fullmatch(text.strip().lower())
    if found is None:
        raise refusal
    try:
        return int(found[1]) * UNITS[found[2]]
    except OverflowError:
        raise refusal from None


async def _find(wanted: Wanted) -> tuple[datetime, Sequence[AtRisk]]:
    async with reading(load_settings()) as connection:
        now: datetime = await connection.fetchval("SELECT now()")
        return now, await at_risk(connection, wanted, now)


def _print(found: Sequence[AtRisk], now: datetime) -> None:
    print_table(
        ("NUMBER", "tenant", "metric", "#USED", "#left", "@due"),
        (
            (
                each.ticket_number,
                each.tenant_id,
                each.clock.metric.replace("_", " "),
                percent(each.clock),
                remaining(each.clock),
                shown(each.clock.due_at, now),
            )
            for each in found
        ),
    )
