"""`ticketing republish`: past facts to subscribers once more, and held ones at last."""

from typing import Annotated, Final

import typer

from consumer.cli.asking import FASTEST, DryRun, Yes
from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.cli.moments import TIME_FORM
from consumer.cli.output import Json
from consumer.settings import load_settings

EXAMPLE: Final = "Example: ticketing republish --type ticket.created --since 2h --rate 500"

HELD_SECONDS: Final = 60.0
HELD_TAKES: Final = ("--type", "--ticket", "--tenant")


def republish(
    *,
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="CE_TYPE", help="Of this type or topic; give it once for each."
        ),
    ] = None,
    ticket: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|ID", help="A ticket's own facts, or one rejection by its ce_id."
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Of this tenant alone.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"{TIME_FORM}.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this moment.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All facts, without a filter.")] = False,
    to_topic: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="To this topic, named without the prefix. (default: the topic of its type)",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, max=FASTEST, metavar="N", help="Facts a second at most."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="Go on behind the cursor that a stopped run told."),
    ] = None,
    held: Annotated[
        bool,
        typer.Option("--held", help="Let go what the broker refused once, for the first time."),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help=f"How long --held waits for the relay. (default: {HELD_SECONDS:.0f})",
        ),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Send past facts to subscribers again, and held ones at last.

    Past facts go out as they were, with the header `ce_replayed: true`; tickets don't change. With
    --held: facts that the broker refused go out for the first time, and what waits behind them.
    """
    settings = load_settings()
    from consumer.cli.fact_choice import Choice

    choice = Choice(tuple(type_ or ()), ticket, tenant, since, until)
    if held:
        others = (since, until, to_topic, rate, resume, everything or None)
        if any(each is not None for each in others):
            raise CommandFailed(
                f"--held takes no other filter than {', '.join(HELD_TAKES)}: it lets whole tickets"
                " go, in their order, to the topics of their facts.",
                WRONG_USE,
            )
        from consumer.cli.held import let_go

        seconds = HELD_SECONDS if timeout is None else timeout
        let_go(settings, choice, seconds=seconds, yes=yes, dry_run=dry_run, as_json=as_json)
        return
    if timeout is not None:
        raise CommandFailed("--timeout goes with --held alone.", WRONG_USE)
    if choice.is_empty != everything:
        raise CommandFailed(
            "Name what to send again: --type, --ticket, --tenant, --since or --until; or --all,"
            " without any of them.",
            WRONG_USE,
        )
    from consumer.cli.republish_plan import Errand
    from consumer.cli.republishing import send_again

    errand = Errand(choice, to_topic, rate, resume)
    send_again(settings, errand, yes=yes, dry_run=dry_run, as_json=as_json)
