"""`ticketing resume`: what was paused goes on, in order, where it stood."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Final

import typer

from consumer.cli.failures import WRONG_USE, CommandFailed, database_explained
from consumer.cli.operator import By, operator
from consumer.cli.output import Json, print_json, say
from consumer.cli.pause import Topic, topic_meant
from consumer.settings import load_settings

EXAMPLE: Final = "Example: ticketing resume ticket.requested"


def resume(
    topic: Annotated[str | None, Topic] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Everything that is paused.")] = False,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Have the records of a paused topic go on. One that isn't paused is no failure."""
    settings = load_settings()
    who = operator(by)
    if (topic is None) != every:
        raise CommandFailed("Give a TOPIC, or --all.", WRONG_USE)
    from consumer import pausing
    from consumer.cli.moments import shown
    from consumer.clock import utc_now
    from consumer.subscription import Subscription

    with database_explained(settings):
        name = None if topic is None else Subscription(settings).on_broker(topic) or topic
        ended = asyncio.run(pausing.resume(settings, None if name is None else [name]))
    if topic is not None and not ended:
        topic_meant(settings, topic)
    if as_json:
        print_json({"resumed": [asdict(pause) for pause in ended], "by": who})
        return
    for pause in ended:
        since = shown(pause.paused_at, utc_now())
        say(f"Resumed {pause.topic}, paused by {pause.paused_by} since {since}: {pause.reason}")
    if not ended:
        say("Nothing is paused." if name is None else f"{name} is not paused.")
