"""A command that waits for a server as the service does says so, in sentences on stderr."""

import logging
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import structlog
import typer

NAMES: Final = {"database": "The database", "kafka": "Kafka"}
LIBRARIES: Final = ("aiokafka", "asyncio")
"""They complain ten times a second about what is told here once."""


@contextmanager
def outages_told(make_room: Callable[[], None]) -> Iterator[None]:
    """Tell when a server is waited for and when it is back; all other log lines are dropped.

    make_room: called before a line is written, so that a progress line makes room for it.
    """

    def tell(_: object, __: str, event: MutableMapping[str, Any]) -> NoReturn:
        if (sentence := sentence_of(event)) is not None:
            make_room()
            typer.echo(sentence, err=True)
        raise structlog.DropEvent

    before = structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    structlog.configure(processors=[tell])
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def sentence_of(event: MutableMapping[str, Any]) -> str | None:
    """What an operator is to know of a log line; None for most."""
    name = NAMES.get(str(event.get("dependency")), "")
    match event["event"]:
        case "dependency.lost" | "dependency.awaited":
            return f"{name} does not answer ({event['reason']}): waiting until it does."
        case "dependency.recovered":
            return f"{name} answers again, after {event['down_seconds']:.0f} s."
        case _:
            return None
