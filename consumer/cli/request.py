"""`ticketing request`: send requests, judge them beforehand, and see what became of them."""

import asyncio
from typing import Annotated, Final

import typer

from consumer.cli.failures import (
    FAILED,
    WRONG_USE,
    CommandFailed,
    database_explained,
    kafka_explained,
)
from consumer.cli.output import Json, Tenant, print_json, say
from consumer.cli.place import PLACE_FORM, parse_place
from consumer.cli.request_lines import File, read_lines
from consumer.settings import Settings, load_settings
from consumer.wording import counted

ABOUT: Final = "Send requests, judge them, and see what became of them."


def publish(
    file: File,
    *,
    topic: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Without the prefix. (default: the first request topic)"),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the outcomes, and show them.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long --wait waits.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Send requests as they stand, in order, keyed by their customer."""
    settings = load_settings()
    name = settings.topic_prefix + (topic or _first_topic(settings))
    lines = list(read_lines(file))

    from consumer.publishing import publish as send

    with kafka_explained(settings):
        records = asyncio.run(send(settings, name, [value for _, value in lines]))
    typer.echo(f"Published {counted(len(records), 'request')} to {name}.", err=True)
    if not wait:
        if as_json:
            for record in records:
                place = f"{record.topic}:{record.partition}:{record.offset}"
                print_json({"record": place, "timestamp": record.timestamp})
        return

    from consumer.cli.outcome_page import story_json, story_row
    from consumer.cli.waiting import Waited, outcomes

    def tell(waited: Waited) -> None:
        line = lines[waited.index][0]
        if as_json:
            print_json({"line": line, **story_json(waited.story)})
        else:
            say("  ".join(f"{cell or '-'}" for cell in (f"line {line}:", *story_row(waited.story))))

    with database_explained(settings):
        left = asyncio.run(outcomes(settings, records, timeout, tell))
    if left:
        have = "has" if left == 1 else "have"
        sent = counted(len(records), "request")
        raise CommandFailed(f"{left} of {sent} {have} no outcome yet.")


def validate(file: File, *, as_json: Json = False) -> None:
    """Judge requests as the service would, without any server: a verdict for each."""
    from consumer.cli.validation import judge

    are_all_valid = True
    for number, value in read_lines(file):
        verdict = judge(value)
        are_all_valid = are_all_valid and verdict.is_valid
        if as_json:
            print_json({"line": number, **verdict.as_json()})
        else:
            say(f"line {number}: {verdict.summary}", None if verdict.is_valid else "red")
            for remark in verdict.unknown:
                say(f"  {remark}", "yellow")
    if not are_all_valid:
        raise typer.Exit(FAILED)


def show(
    *,
    request_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The request_id that it was sent with.")
    ] = None,
    record: Annotated[
        str | None, typer.Option(metavar=PLACE_FORM, help="The record that it came in.")
    ] = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Show what became of a request: outcome, why, ticket, facts, published or not."""
    if (request_id is None) == (record is None):
        raise CommandFailed("Give one of --request-id and --record.", WRONG_USE)
    settings = load_settings()

    from consumer.cli.finding import by_record, by_request_id
    from consumer.cli.outcome_page import print_stories, story_json

    if record is not None:
        place = parse_place(record)
        with kafka_explained(settings):
            at, stories = asyncio.run(by_record(settings, place))
    else:
        at, stories = asyncio.run(by_request_id(settings, request_id or "", tenant))
    if not stories:
        where = f" in tenant {tenant}" if tenant else ""
        raise CommandFailed(f"Nothing is recorded about request {request_id}{where}.")
    if as_json:
        print_json([story_json(story) for story in stories])
    else:
        print_stories(stories, at)


COMMANDS: Final = (
    (publish, "publish", "Example: ticketing request publish requests.jsonl --wait"),
    (validate, "validate", "Example: ticketing request validate - < requests.jsonl"),
    (show, "show", "Example: ticketing request show --request-id portal-4711 --tenant acme"),
)


def _first_topic(settings: Settings) -> str:
    for entry in settings.request_topics:
        if entry.pattern is None:
            return entry.text
    raise CommandFailed(
        "TICKETING_REQUEST_TOPICS names only patterns: name a topic with --topic.", WRONG_USE
    )
