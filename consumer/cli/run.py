"""`ticketing run`: the service itself."""

from typing import Annotated

import typer

from consumer.roles import ALL_ROLES, Role

EXAMPLE = "Example: ticketing run --role consumer --role relay"


def run(
    role: Annotated[
        list[Role] | None,
        typer.Option(
            help="What this process does; give it once for each. [default: all]",
            metavar="consumer|relay|timers",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=64, metavar="N", help="How many processes; a parent answers for all."
        ),
    ] = 1,
    as_worker: Annotated[int | None, typer.Option(hidden=True)] = None,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Consume requests, publish facts and keep time until stopped."""
    from consumer.settings import load_settings

    settings = load_settings()  # before what is slow to import: a refusal comes at once

    import asyncio
    import socket

    import structlog
    import uvloop

    from consumer.compose import run as run_one
    from consumer.http_server import listen
    from consumer.logs import set_up_logs
    from consumer.workers import follow_parent, run_workers

    set_up_logs(settings)
    roles = frozenset(role) if role else ALL_ROLES
    if as_worker is not None and listener is not None:
        structlog.contextvars.bind_contextvars(worker=as_worker)
        follow_parent(settings.shutdown_seconds)
        pages_at = socket.socket(fileno=listener)
    else:
        pages_at = listen(settings.http_host, settings.http_port)
    with pages_at, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        work = (
            run_workers(workers, roles, pages_at, settings.shutdown_seconds)
            if workers > 1
            else run_one(settings, roles, pages_at)
        )
        raise typer.Exit(runner.run(work))
