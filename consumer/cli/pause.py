"""`ticketing pause`: the records of a topic wait, and everything else goes on."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Final

import typer

from consumer.cli.failures import WRONG_USE, CommandFailed, database_explained
from consumer.cli.operator import By, operator
from consumer.cli.output import Json, print_json, say
from consumer.settings import Settings, load_settings

LONGEST_REASON: Final = 1_000
EXAMPLE: Final = 'Example: ticketing pause ticket.requested --reason "the portal sends nonsense"'

Topic = typer.Argument(metavar="TOPIC", help="Its name, with or without the prefix.")


def pause(
    topic: Annotated[str, Topic],
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for everybody who looks.")],
    by: By = None,
    as_json: Json = False,
) -> None:
    """Have the records of a topic wait, until somebody resumes it. All running services see it."""
    settings = load_settings()
    who, why, name = operator(by), _reason(reason), topic_meant(settings, topic)
    from consumer import pausing
    from consumer.cli.moments import shown
    from consumer.clock import utc_now

    with database_explained(settings):
        found, is_new = asyncio.run(pausing.pause(settings, name, why, who))
    if as_json:
        print_json(asdict(found) | {"is_new": is_new})
    elif is_new:
        say(f"Paused {name}. When its records may go on: ticketing resume {name}")
    else:
        since = shown(found.paused_at, utc_now())
        say(
            f"{name} is paused already, by {found.paused_by} since {since},"
            f" and nothing was changed. The reason: {found.reason}"
        )


def topic_meant(settings: Settings, given: str) -> str:
    """The topic as on the broker. Raises CommandFailed for one that the service doesn't read."""
    from consumer.subscription import Subscription

    subscription = Subscription(settings)
    topic = subscription.on_broker(given)
    if topic is None:
        read = [*subscription.named, *(f"the pattern {each}" for each in subscription.patterns)]
        raise CommandFailed(
            f"The topic {given!r} is none that the service reads; those are {', '.join(read)}.",
            WRONG_USE,
        )
    return topic


def _reason(given: str) -> str:
    reason = " ".join(given.split())
    if not reason or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise CommandFailed(
            f"--reason is empty, too long or not printable; give 1 to {LONGEST_REASON} characters.",
            WRONG_USE,
        )
    return reason
