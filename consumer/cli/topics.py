"""`ticketing topics`: Kafka's topics, as the service needs them."""

import asyncio
from typing import Annotated, Final

import typer

from consumer.cli.failures import FAILED, kafka_explained
from consumer.cli.output import Json, print_json, say
from consumer.settings import load_settings

PARTITIONS: Final = 4
EXAMPLE: Final = "Example: ticketing topics --partitions 12 --replication-factor 3"


def topics(
    *,
    partitions: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Of each new topic but dead letter topics."),
    ] = PARTITIONS,
    replication_factor: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Of each new topic. (default: the broker's)"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Create nothing; exit 1 when something is wrong.")
    ] = False,
    print_lines: Annotated[
        bool, typer.Option("--print", help="Print kafka-topics.sh lines instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create the topics that are missing. Topics that exist are never changed."""
    settings = load_settings()
    from consumer.topics import ensure
    from consumer.wanted_topics import shell_lines, wanted_topics

    if print_lines:  # without a broker, which alone knows the topics that a pattern means
        wanted = wanted_topics(settings, partitions=partitions)
        for line in shell_lines(settings, wanted, replication_factor):
            typer.echo(line)
        return
    with kafka_explained(settings):
        ensured = asyncio.run(
            ensure(
                settings,
                partitions=partitions,
                replication=replication_factor,
                create_missing=not check,
            )
        )
    created, wrong = ensured.created, ensured.differences
    if as_json:
        print_json({"created": created, "differences": wrong})
    else:
        for name in created:
            say(f"Created {name}.")
        for difference in wrong:
            say(f"{difference.topic} {difference.problem}; {difference.remedy}.")
        if not created and not wrong:
            say("All topics are as they should be.")
    if wrong:
        raise typer.Exit(FAILED)
