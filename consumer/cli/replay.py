"""`ticketing replay`: inbound records handed to the handlers again."""

from typing import Annotated, Final

import typer

from consumer.cli.asking import FASTEST, DryRun, Yes
from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.cli.moments import TIME_FORM
from consumer.cli.operator import By, operator
from consumer.cli.output import Json
from consumer.settings import load_settings

EXAMPLE: Final = "Example: ticketing replay --topic ticket.requested --since 2h --until 1h"


def replay(
    *,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Of this topic; give it once for each. (default: all topics of requests and"
            " changes that the service reads)",
        ),
    ] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Of this partition alone.")
    ] = None,
    from_offset: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="From this offset; of one topic and partition."),
    ] = None,
    to_offset: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="To this offset, included; likewise.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help=f"Stamped then or later: {TIME_FORM}."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stamped before this moment.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="With this key: text, or hex:00ff for any bytes."),
    ] = None,
    request_id: Annotated[
        str | None, typer.Option(metavar="ID", help="With this request id.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Of this tenant alone.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All, without any filter.")] = False,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Decide those that were rejected anew, too.")
    ] = False,
    include_unread: Annotated[
        bool,
        typer.Option("--include-unread", help="Also what the service's group has not read so far."),
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=FASTEST, metavar="N", help="Hand over so many records a second at most."
        ),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with a replay that was stopped.")
    ] = None,
    by: By = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Hand records that came in to the handlers again.

    Subscribers see only what is new: what was accepted before is found accepted. The service's
    group keeps its offsets.
    """
    settings = load_settings()
    from consumer.cli.replay_choice import Choice
    from consumer.cli.replay_run import Manner
    from consumer.cli.replaying import carry_on, set_out

    choice = Choice(
        topics=tuple(topic or ()),
        partition=partition,
        from_offset=from_offset,
        to_offset=to_offset,
        since=since,
        until=until,
        key=key,
        request_id=request_id,
        tenant=tenant,
    )
    manner = Manner(operator(by), rate, yes, dry_run, as_json)
    if resume is not None:
        if choice.is_made or everything or retry_rejected or include_unread or dry_run:
            raise CommandFailed(
                "--resume goes on with what the replay was begun with: it takes no filter, and"
                " none of --all, --retry-rejected, --include-unread and --dry-run.",
                WRONG_USE,
            )
        carry_on(settings, resume, manner)
        return
    if choice.is_made == everything:
        raise CommandFailed(
            "Name what to replay: --topic, --partition, --since, --until, --key, --request-id or"
            " --tenant; or --all, without any of them.",
            WRONG_USE,
        )
    wanted = choice.understood(settings)
    set_out(settings, wanted, manner, retry_rejected=retry_rejected, include_unread=include_unread)
