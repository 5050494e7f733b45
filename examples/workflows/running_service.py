"""The service that a story is told with: one that runs already, or one started for it."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

from rich.console import Console

from devstack.choice import ServerMissing
from devstack.server import ServerFailed
from examples.demo.stage import DemoFailed, servers, service, ticketing
from examples.workflows.case import Case, WrongAnswer
from examples.workflows.service_desk import NoAnswer, ServiceDesk

FAILED: Final = 1


def tell(name: str, about: str, story: Callable[[Case], None]) -> int:
    """Run a story as a program; its exit code. name: of the module."""
    given = _parsed(name, about, sys.argv[1:])
    console = Console(highlight=False, soft_wrap=True, markup=False)
    try:
        with _desk(given, console) as desk:
            case = Case(desk, console.print, f"{name}-{uuid4()}")
            story(case)
    except (DemoFailed, NoAnswer, ServerFailed, ServerMissing, WrongAnswer) as error:
        console.print(str(error), style="red")
        return FAILED
    last = max(fact.sequence or 0 for fact in case.facts)
    console.print(f"\nThe ticket's facts are numbered from 1 to {last} over all topics.")
    return 0


def _parsed(name: str, about: str, words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m examples.workflows.{name}", description=about)
    parser.add_argument(
        "--kafka",
        metavar="HOST:PORT",
        help="the broker of a service that runs (else servers and a service are started here)",
    )
    parser.add_argument(
        "--topic-prefix", default="", metavar="TEXT", help="what the service puts before its topics"
    )
    return parser.parse_args(words)


@contextmanager
def _desk(given: argparse.Namespace, console: Console) -> Iterator[ServiceDesk]:
    if given.kafka is not None:
        with ServiceDesk(given.kafka, given.topic_prefix) as desk:
            yield desk
        return
    console.print("Starting Kafka, PostgreSQL and the service ...")
    with servers() as stage:
        ticketing(stage, "migrate")
        ticketing(stage, "topics")
        with service(stage), ServiceDesk(stage.kafka, stage.settings.topic_prefix) as desk:
            console.print(f"Servers: {stage.description}.")
            yield desk
