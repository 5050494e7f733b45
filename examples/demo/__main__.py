"""`python -m examples.demo`: what `make demo` runs."""

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from confluent_kafka import Message
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from consumer.audit import Report
from consumer.cli.clock_bars import print_clocks
from consumer.verify import verify
from devstack.choice import ServerMissing
from devstack.server import ServerFailed
from examples.demo import screen
from examples.demo.burst import batches, headers_of, measure, reading
from examples.demo.life import live
from examples.demo.mixed import Row, follow, send_parties, send_requests
from examples.demo.service_levels import watch
from examples.demo.stage import (
    GRACE_SECONDS,
    DemoFailed,
    Service,
    Stage,
    servers,
    service,
    ticketing,
)

ABOUT: Final = "Requests for tickets go to Kafka; this shows what becomes of each of them."
BURST: Final = 20_000
ENVIRONMENT_FILE: Final = Path(".env.demo")
REST_SECONDS: Final = 10.0
FAILED: Final = 1
INTERRUPTED: Final = 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=ABOUT)
    parser.add_argument(
        "--burst", type=int, default=BURST, metavar="N", help=f"requests in the burst ({BURST:,})"
    )
    given = parser.parse_args()
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal may not know all of Unicode
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False)
    try:
        show(console, burst=given.burst, keep=bool(os.environ.get("KEEP")))
    except (DemoFailed, ServerMissing, ServerFailed) as error:
        console.print(str(error), style="red", markup=False)
        return FAILED
    except KeyboardInterrupt:
        console.print("Stopped; everything that was started is removed.")
        return INTERRUPTED
    return 0


def show(console: Console, *, burst: int, keep: bool) -> None:
    """The whole demo, from the first server to the last figure."""
    console.print(ABOUT)
    with ExitStack() as running:
        console.print(screen.heading("1. A real Kafka, a real PostgreSQL and the service"))
        with console.status("Starting the servers ..."):
            stage = running.enter_context(servers())
        console.print(f"Servers: {stage.description}.")
        with console.status("Making tables and topics, and starting the service ..."):
            ticketing(stage, "migrate")
            ticketing(stage, "topics")
            started = running.enter_context(service(stage))
        console.print("Service: ticketing migrate, ticketing topics, ticketing run; it is ready.")
        rows = _show_mixed(console, stage)
        _show_fact(console, stage, rows)
        _show_life(console, stage, rows)
        waited = _show_service_levels(console, stage)
        _show_burst(console, stage, burst)
        console.print(screen.heading("7. Did it keep its promise?"))
        with console.status("Comparing every record with the database ..."):
            report = _verified(stage)
        console.print(screen.verdict(report))
        if not report.holds:
            raise DemoFailed("The promise was broken.")
        if keep:
            _keep(console, stage, started, waited)


def _verified(stage: Stage) -> Report:
    """The checker's report, once everything has come to rest: offsets are committed last."""
    deadline = time.monotonic() + REST_SECONDS
    while True:
        report = asyncio.run(verify(stage.settings))
        if report.is_at_rest or not report.holds or time.monotonic() > deadline:
            return report


def _show_mixed(console: Console, stage: Stage) -> list[Row]:
    console.print(screen.heading("2. Requests, good and bad (examples/requests.jsonl)"))
    send_parties(stage, "customer", "customers.jsonl")
    send_parties(stage, "partner", "partners.jsonl")
    rows = send_requests(stage)
    console.print(
        f"{len(rows)} are sent. Those with an unknown customer wait for it, {GRACE_SECONDS} s here."
    )
    with Live(screen.outcomes(rows), console=console, auto_refresh=False) as live:
        shown: list[object] = []

        def refresh() -> None:
            now = [row.story for row in rows]
            if now != shown:
                shown[:] = now
                live.update(screen.outcomes(rows), refresh=True)

        follow(stage, rows, lambda row: row.is_decided, on_change=refresh)
        send_parties(stage, "customer", "late_customers.jsonl")
        follow(stage, rows, lambda row: row.is_settled, on_change=refresh)
    if not console.is_terminal:
        console.print()  # there, a live table leaves its last line open
    console.print(screen.heading("What the outcomes mean"), screen.legend(rows), sep="\n")
    return rows


def _show_fact(console: Console, stage: Stage, rows: list[Row]) -> None:
    console.print(screen.heading("3. A ticket as a subscriber reads it"))
    wanted = next(
        row.story.ticket["ticket_number"] for row in rows if row.story and row.story.ticket
    )
    message = _find(stage, wanted)
    key, value = (message.key() or b"").decode(), (message.value() or b"").decode()
    console.print(screen.fact("ticket.created", key, headers_of(message), value))


def _show_life(console: Console, stage: Stage, rows: list[Row]) -> None:
    console.print(screen.heading("4. The life of a ticket (ticket.change_requested)"))
    opened = next(
        row
        for row in rows
        if row.story and row.story.ticket and row.story.ticket["customer_id"] is not None
    )
    console.print(screen.life(live(stage, opened)))


def _show_service_levels(console: Console, stage: Stage) -> str:
    """Returns the number of the ticket whose clocks are shown."""
    console.print(screen.heading("5. Service levels (examples/demo/policy.yaml)"))
    console.print(
        "To be answered within 3 s and solved within 4 s, a warning after half of that; not"
        " counted: waiting for the customer. What is overdue goes to the second line."
    )
    with console.status("Waiting for what comes about by itself ..."):
        shown = watch(stage)
    console.print(screen.service_levels(shown.tickets))
    number: str = shown.waited.opened["ticket_number"]
    console.print(f"\nOf the second one, ticketing ticket show {number} says:")
    print_clocks(shown.clocks, shown.at)
    return number


def _find(stage: Stage, ticket_number: str) -> Message:
    """The ticket's record, as it stands on the topic."""
    with reading(stage, "ticket.created", past=True) as consumer:
        for messages in batches(consumer):
            for message in messages:
                if headers_of(message).get("ce_subject") == ticket_number:
                    return message
    raise DemoFailed(f"{ticket_number} is not on ticket.created.")


def _show_burst(console: Console, stage: Stage, burst: int) -> None:
    console.print(screen.heading(f"6. A burst of {burst:,} requests"))
    progress = Progress(
        TextColumn("ticket.created"), BarColumn(), MofNCompleteColumn(), console=console
    )
    with progress:
        task = progress.add_task("ticket.created", total=burst)
        measured = measure(
            stage, burst, on_progress=lambda count: progress.update(task, completed=count)
        )
    console.print(screen.figures(measured))


def _keep(console: Console, stage: Stage, started: Service, number: str) -> None:
    """Leave everything running until told to stop."""
    ENVIRONMENT_FILE.touch(mode=0o600)
    ENVIRONMENT_FILE.write_text(
        "".join(f"{name}={value}\n" for name, value in stage.environment.items())
    )
    program = os.path.relpath(Path(sys.executable).parent / "ticketing")
    prefix = f"  env $(cat {ENVIRONMENT_FILE}) {program}"
    console.print(screen.heading("Everything keeps running until you press Ctrl-C here."))
    console.print(
        f"Its settings are in {ENVIRONMENT_FILE}, its pages at http://{started.address}/readyz and"
        " /metrics. In another terminal, try:"
    )
    for words in (
        "status",
        f"ticket show {number}",
        "request publish --wait examples/requests.jsonl",
    ):
        console.print(f"{prefix} {words}", style="bold", soft_wrap=True)
    told_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
    try:
        while not told_to_end.wait(1):
            started.check()
    finally:
        ENVIRONMENT_FILE.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
